"""The Database port on PostgreSQL: a pool for units of work, one connection to listen, one per leadership."""

import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Self
from weakref import WeakKeyDictionary

import psycopg
from psycopg.adapt import AdaptersMap
from psycopg.rows import TupleRow, dict_row
from psycopg.types.string import TextLoader
from psycopg_pool import AsyncConnectionPool

from mien_core.adapters.postgres.idempotency import PostgresIdempotencyKeys
from mien_core.adapters.postgres.sharing import SharedTransactions
from mien_core.adapters.postgres.signals import Signals
from mien_core.adapters.postgres.statements import Connection
from mien_core.adapters.postgres.transaction import PostgresTransaction
from mien_core.adapters.postgres.translation import translated
from mien_core.adapters.postgres.units import ReadingUnit, WritingUnit, announced
from mien_core.errors import Unavailable
from mien_core.ports.database import Transaction
from mien_core.ports.signals import Channel, ChannelSubscription, Leadership, Subscription
from mien_core.settings import PostgresSettings

# how long a request waits for a free connection before it is told to come again
POOL_TIMEOUT_SECONDS = 5.0
RECONNECT_SECONDS = 2.0
IDLE_SECONDS = 1.0
# A process that is stopped, with its machine or by a debugger, keeps its connections: without an end its locks would
# hold up whoever takes over its work for as long.
STOPPED_SECONDS = 10


class _IdsAsText:
    """Meets psycopg's AdaptContext: ids are texts in the model, and making UUIDs of them first takes a list's time."""

    connection = None

    def __init__(self) -> None:
        self.adapters = AdaptersMap(psycopg.adapters)
        self.adapters.register_loader("uuid", TextLoader)


class PostgresLeadership:
    """Holds a session's advisory lock. It is lost with its connection, or if nobody confirms for STOPPED_SECONDS."""

    def __init__(self, connection: psycopg.AsyncConnection[TupleRow]) -> None:
        self._connection = connection

    async def confirm(self) -> None:
        """See ports.signals.Leadership."""
        try:
            await self._connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise Unavailable("leadership_lost", "The connection that held the leadership is gone.") from error


class PostgresDatabase:
    """Meets ports.database.Database. Use it as an async context manager, or call open and close.

    Args:
        settings: where it is.
        sharing: how many units of work may share a transaction when they come at the same time. More than one is for
            whoever has many small ones; the last of them then makes all others wait.
    """

    def __init__(self, settings: PostgresSettings, sharing: int = 1) -> None:
        self._url = settings.url.get_secret_value()
        self._given_at: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()
        self._pool = self._new_pool(settings, {"options": f"-c idle_in_transaction_session_timeout={STOPPED_SECONDS}s"})
        self._shared = SharedTransactions(self._pool, PostgresTransaction, sharing) if sharing > 1 else None
        # connections of their own, so that the server itself refuses a write among reads
        self._readers = self._new_pool(settings, {"options": "-c default_transaction_read_only=on"})
        self._signals = Signals(self._url)
        self.idempotency_keys = PostgresIdempotencyKeys(self._pool.connection)

    async def open(self) -> None:
        """Open the pool; connections come in the background, so this works while the database is away."""
        await self._pool.open()
        await self._readers.open()

    async def close(self) -> None:
        """Give every connection back."""
        await self._signals.close()
        await self._readers.close()
        await self._pool.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """See ports.database.Database."""
        return WritingUnit(self._pool) if self._shared is None else _announced(self._shared.unit())

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        """See ports.database.Database."""
        # What reaches the server in one message, and begins no transaction, is one.
        return WritingUnit(self._pool, opening=())

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """See ports.database.Database."""
        return ReadingUnit(self._readers)

    @contextlib.asynccontextmanager
    async def subscribe(self, channel: Channel, topic: str = "") -> AsyncIterator[Subscription]:
        """See ports.database.Database."""
        async with self._signals.subscribe(channel, topic) as subscription:
            yield subscription

    @contextlib.asynccontextmanager
    async def subscribe_all(self, channel: Channel) -> AsyncIterator[ChannelSubscription]:
        """See ports.database.Database."""
        async with self._signals.subscribe_all(channel) as subscription:
            yield subscription

    @contextlib.asynccontextmanager
    async def leadership(self, name: str) -> AsyncIterator[Leadership | None]:
        """See ports.database.Database."""
        with translated():
            connection = await psycopg.AsyncConnection.connect(
                self._url, autocommit=True, options=f"-c idle_session_timeout={STOPPED_SECONDS}s"
            )
        async with connection:
            with translated():
                cursor = await connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (name,))
                row = await cursor.fetchone()
            yield PostgresLeadership(connection) if row is not None and row[0] else None

    async def check(self) -> None:
        """See ports.database.Database."""
        with translated():
            async with self._pool.connection() as connection:
                await connection.execute("SELECT 1")

    def _new_pool(self, settings: PostgresSettings, options: dict[str, str]) -> AsyncConnectionPool[Connection]:
        return AsyncConnectionPool(
            self._url,
            # autocommit, so that single reads, and the signals after a commit, cost one round trip and not three
            kwargs={"autocommit": True, "row_factory": dict_row, "context": _IdsAsText(), **options},
            min_size=settings.pool_min,
            max_size=settings.pool_max,
            timeout=POOL_TIMEOUT_SECONDS,
            # attempts slow down as they go on, so that a server that is back would not be noticed for long;
            # given up early, the next request begins a new one
            reconnect_timeout=RECONNECT_SECONDS,
            check=self._check_if_idle,
            open=False,
        )

    async def _check_if_idle(self, connection: Connection) -> None:
        """Find out here, and not in a request, that a connection died with a restarted server.

        One that was given out a moment ago is believed: the check is a round trip, and a busy process would pay it
        with every unit of work. When it came back would be nearer to the truth; but whoever asks the pool to tell has
        each connection come back by way of its workers.
        """
        now = time.monotonic()
        if now - self._given_at.get(connection, 0.0) > IDLE_SECONDS:
            await AsyncConnectionPool.check_connection(connection)
        self._given_at[connection] = now


@contextlib.asynccontextmanager
async def _announced(unit: AbstractAsyncContextManager[Transaction]) -> AsyncIterator[Transaction]:
    """A unit of work whose errors are the port's, and whose end is a point of faults."""
    with translated():
        async with unit as transaction:
            yield transaction
        announced()
