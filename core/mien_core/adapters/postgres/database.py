"""The Database port on PostgreSQL: a pool for units of work, one connection to listen, one per leadership."""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

import psycopg
from psycopg.adapt import AdaptersMap
from psycopg.rows import TupleRow, dict_row
from psycopg.types.string import TextLoader
from psycopg_pool import AsyncConnectionPool

from mien_core.adapters.postgres.analyses import PostgresAnalyses
from mien_core.adapters.postgres.credentials import PostgresApiKeys, PostgresAuditLog
from mien_core.adapters.postgres.dead_letters import PostgresDeadLetters
from mien_core.adapters.postgres.erasure_requests import PostgresErasureRequests
from mien_core.adapters.postgres.erasures import PostgresErasures
from mien_core.adapters.postgres.expiry import PostgresExpiry
from mien_core.adapters.postgres.holds import PostgresLegalHolds
from mien_core.adapters.postgres.idempotency import PostgresIdempotencyKeys
from mien_core.adapters.postgres.insights import PostgresInsights
from mien_core.adapters.postgres.jobs import PostgresJobs
from mien_core.adapters.postgres.journal import PostgresJournal
from mien_core.adapters.postgres.logged_days import LoggedDays
from mien_core.adapters.postgres.looks import PostgresLooks
from mien_core.adapters.postgres.messages import PostgresInbox, PostgresOutbox
from mien_core.adapters.postgres.payments import PostgresPayments
from mien_core.adapters.postgres.periods import PostgresPeriods
from mien_core.adapters.postgres.personal_data import PostgresPersonalData
from mien_core.adapters.postgres.photo_days import PostgresPhotoDays
from mien_core.adapters.postgres.poster_accounts import PostgresPosterAccounts
from mien_core.adapters.postgres.posters import PostgresPosters
from mien_core.adapters.postgres.recommendations import PostgresProducts, PostgresRecommendations
from mien_core.adapters.postgres.retention import PostgresRetentionRuns
from mien_core.adapters.postgres.sharing import SharedTransactions, SignalsToSend
from mien_core.adapters.postgres.signals import Signals
from mien_core.adapters.postgres.skin_analyses import PostgresSkinAnalyses
from mien_core.adapters.postgres.skin_scans import PostgresSkinScans
from mien_core.adapters.postgres.statements import BEGIN, Connection, Reading, Statements, UnitOfWork
from mien_core.adapters.postgres.translation import translated
from mien_core.adapters.postgres.tryon_sessions import PostgresTryOnSessions
from mien_core.adapters.postgres.uploads import PostgresUploads
from mien_core.adapters.postgres.usage import PostgresUsage
from mien_core.adapters.postgres.users import PostgresUsers
from mien_core.adapters.postgres.webhook_deliveries import PostgresWebhookDeliveries
from mien_core.adapters.postgres.webhooks import PostgresWebhooks
from mien_core.errors import Unavailable
from mien_core.faults import Point, reached
from mien_core.ports import Channel, ChannelSubscription, Leadership, Subscription, Transaction
from mien_core.settings import PostgresSettings

# how long a request waits for a free connection before it is told to come again
POOL_TIMEOUT_SECONDS = 5.0
RECONNECT_SECONDS = 2.0
IDLE_SECONDS = 1.0
# A process that is stopped, with its machine or by a debugger, keeps its connections: without an end its locks would
# hold up whoever takes over its work for as long.
STOPPED_SECONDS = 10


class PostgresTransaction:
    """All repositories on one connection; signals collects what is to be sent after the commit.

    Each is made when it is first asked for: a short request needs one or two of them.
    """

    def __init__(self, statements: Statements, signals: SignalsToSend) -> None:
        self.statements = statements
        self.signals = signals

    logged = cached_property(lambda _: LoggedDays())
    users = cached_property(lambda own: PostgresUsers(own.statements))
    uploads = cached_property(lambda own: PostgresUploads(own.statements))
    jobs = cached_property(lambda own: PostgresJobs(own.statements, own.signals))
    analyses = cached_property(lambda own: PostgresAnalyses(own.statements))
    skin_analyses = cached_property(lambda own: PostgresSkinAnalyses(own.statements))
    journal = cached_property(lambda own: PostgresJournal(own.statements, own.logged))
    periods = cached_property(lambda own: PostgresPeriods(own.statements, own.logged))
    skin_scans = cached_property(lambda own: PostgresSkinScans(own.statements, own.logged))
    photo_days = cached_property(lambda own: PostgresPhotoDays(own.statements))
    insights = cached_property(lambda own: PostgresInsights(own.statements))
    looks = cached_property(lambda own: PostgresLooks(own.statements))
    webhooks = cached_property(lambda own: PostgresWebhooks(own.statements))
    webhook_deliveries = cached_property(lambda own: PostgresWebhookDeliveries(own.statements, own.signals))
    poster_accounts = cached_property(lambda own: PostgresPosterAccounts(own.statements))
    posters = cached_property(lambda own: PostgresPosters(own.statements))
    payments = cached_property(lambda own: PostgresPayments(own.statements))
    personal_data = cached_property(lambda own: PostgresPersonalData(own.statements))
    erasures = cached_property(lambda own: PostgresErasures(own.statements))
    erasure_requests = cached_property(lambda own: PostgresErasureRequests(own.statements))
    holds = cached_property(lambda own: PostgresLegalHolds(own.statements))
    tryon_sessions = cached_property(lambda own: PostgresTryOnSessions(own.statements))
    expiry = cached_property(lambda own: PostgresExpiry(own.statements))
    retention_runs = cached_property(lambda own: PostgresRetentionRuns(own.statements))
    products = cached_property(lambda own: PostgresProducts(own.statements))
    recommendations = cached_property(lambda own: PostgresRecommendations(own.statements))
    outbox = cached_property(lambda own: PostgresOutbox(own.statements, own.signals))
    inbox = cached_property(lambda own: PostgresInbox(own.statements))
    dead_letters = cached_property(lambda own: PostgresDeadLetters(own.statements))
    api_keys = cached_property(lambda own: PostgresApiKeys(own.statements))
    audit_log = cached_property(lambda own: PostgresAuditLog(own.statements))
    usage = cached_property(lambda own: PostgresUsage(own.statements))

    async def now(self) -> datetime:
        """See ports.Transaction."""
        row = await (await self.statements.execute("SELECT clock_timestamp() AS now")).fetchone()
        assert row is not None  # noqa: S101 - a SELECT without FROM has one row; tells mypy so
        now: datetime = row["now"]
        return now


class _IdsAsText:
    """Meets psycopg's AdaptContext: ids are texts in the model, and making UUIDs of them first takes a list's time."""

    connection = None

    def __init__(self) -> None:
        self.adapters = AdaptersMap(psycopg.adapters)
        self.adapters.register_loader("uuid", TextLoader)


class _Unit(ABC):
    """A unit of work on a connection of a pool whose connections begin no transaction by themselves.

    A class, since a generator costs a short request more than its statement does, and lent by hand, since the pool's
    own way ends a transaction each time. What was left in the middle of something the pool throws away: it looks at
    each connection that comes back.
    """

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: AsyncConnectionPool[Connection]) -> None:
        self._pool = pool

    async def __aenter__(self) -> Transaction:
        with translated():
            self._connection = await self._pool.getconn()
        return self._begin(self._connection)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with translated():
            try:
                await self._end(error)
            finally:
                await self._pool.putconn(self._connection)
        translated().__exit__(kind, error, trace)

    @abstractmethod
    def _begin(self, connection: Connection) -> PostgresTransaction: ...

    @abstractmethod
    async def _end(self, error: BaseException | None) -> None: ...


class _ReadingUnit(_Unit):
    """Statements of which each is by itself."""

    __slots__ = ()

    def _begin(self, connection: Connection) -> PostgresTransaction:
        return PostgresTransaction(Reading(connection), [])

    async def _end(self, error: BaseException | None) -> None:
        """Nothing was begun."""


class _WritingUnit(_Unit):
    """All of it, or nothing; opening is what begins it. Its end is a point of faults."""

    __slots__ = ("_opening", "_signals", "_work")

    def __init__(self, pool: AsyncConnectionPool[Connection], opening: Sequence[str] = BEGIN) -> None:
        super().__init__(pool)
        self._opening = opening
        self._signals: SignalsToSend = []

    def _begin(self, connection: Connection) -> PostgresTransaction:
        self._work = UnitOfWork(connection, self._opening)
        return PostgresTransaction(self._work, self._signals)

    async def _end(self, error: BaseException | None) -> None:
        try:
            if error is None:
                await self._work.commit(self._signals)
        except BaseException:
            await self._undo()
            raise
        if error is None:
            _announced_all()
        else:
            await self._undo()

    async def _undo(self) -> None:
        # what broke the connection as well is told by the first error
        with contextlib.suppress(psycopg.Error):
            await self._work.rollback()


class PostgresLeadership:
    """Holds a session's advisory lock. It is lost with its connection, or if nobody confirms for STOPPED_SECONDS."""

    def __init__(self, connection: psycopg.AsyncConnection[TupleRow]) -> None:
        self._connection = connection

    async def confirm(self) -> None:
        """See ports.Leadership."""
        try:
            await self._connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise Unavailable("leadership_lost", "The connection that held the leadership is gone.") from error


class PostgresDatabase:
    """Meets ports.Database. Use it as an async context manager, or call open and close.

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
        """See ports.Database."""
        return _WritingUnit(self._pool) if self._shared is None else _announced(self._shared.unit())

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        """See ports.Database."""
        # What reaches the server in one message, and begins no transaction, is one.
        return _WritingUnit(self._pool, opening=())

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """See ports.Database."""
        return _ReadingUnit(self._readers)

    @contextlib.asynccontextmanager
    async def subscribe(self, channel: Channel, topic: str = "") -> AsyncIterator[Subscription]:
        """See ports.Database."""
        async with self._signals.subscribe(channel, topic) as subscription:
            yield subscription

    @contextlib.asynccontextmanager
    async def subscribe_all(self, channel: Channel) -> AsyncIterator[ChannelSubscription]:
        """See ports.Database."""
        async with self._signals.subscribe_all(channel) as subscription:
            yield subscription

    @contextlib.asynccontextmanager
    async def leadership(self, name: str) -> AsyncIterator[Leadership | None]:
        """See ports.Database."""
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
        """See ports.Database."""
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
        _announced_all()


def _announced_all() -> None:
    """Every unit of work comes by here once it is saved and its signals are sent."""
    reached(Point.ANNOUNCED)
