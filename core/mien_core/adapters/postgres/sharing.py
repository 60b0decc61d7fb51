"""Units of work that come at the same time share a transaction: most of what a small one costs is its own commit.

Whoever comes while a transaction is open joins, waits for its turn, and works within a savepoint; once nobody is left
inside, it is committed for all, and nobody returns before that. Where units come one at a time, each has its own.

A unit that raises undoes its own work and no other's. Where that can't be told apart (the connection broke, the commit
fails, or what fails is a statement that an earlier unit had left to travel with the next one), all is undone, everybody
is told Unavailable, and for a while each unit gets a transaction of its own: the one to blame then gets its own error.
The same happens when a unit would wait for a row that another process keeps: those who are done must not wait with it.
"""

import asyncio
import contextlib
import contextvars
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar

import psycopg
from psycopg.errors import LockNotAvailable
from psycopg_pool import AsyncConnectionPool

from mien_core.adapters.postgres.statements import BEGIN, Connection, UnitOfWork
from mien_core.errors import Unavailable
from mien_core.ports.signals import Channel

logger = logging.getLogger(__name__)

# twice as long as a delivery is tried again in place
ALONE_SECONDS = 4.0
BEGIN_SHARED = (*BEGIN, "SET LOCAL lock_timeout = '200ms'")

SignalsToSend = list[tuple[Channel, str]]
Made = TypeVar("Made")


class SharedTransactions(Generic[Made]):
    """Gives units of work out of transactions that several share.

    Args:
        pool: of autocommit connections.
        make: makes what a unit works with, from where its statements go and where its signals are collected.
        most: units in one transaction.
    """

    def __init__(
        self, pool: AsyncConnectionPool[Connection], make: Callable[[UnitOfWork, SignalsToSend], Made], most: int
    ) -> None:
        self._pool = pool
        self._make = make
        self._most = most
        self._joinable: _Shared | None = None
        self._alone_until = 0.0

    @contextlib.asynccontextmanager
    async def unit(self) -> AsyncIterator[Made]:
        """Work within the block; what was done is committed when it has been left.

        Raises:
            Unavailable: it had to be undone because of another.
            psycopg.Error: the server refuses this unit's work, or is away.
        """
        shared = self._joined()
        try:
            if shared.holder is asyncio.current_task():
                raise RuntimeError("A unit of work within another one would wait for itself.")
            async with shared.turn:
                work = await shared.connected()
                shared.holder = asyncio.current_task()
                try:
                    async with self._part(shared, work) as made:
                        yield made
                finally:
                    shared.holder = None
        finally:
            shared.leave()
        await shared.ended()

    def _joined(self) -> "_Shared":
        """The open transaction, or else a new one, which whoever comes next may join unless all are to be alone."""
        alone = time.monotonic() < self._alone_until
        shared = self._joinable
        if shared is None or alone or shared.units == self._most or shared.error is not None:
            shared = _Shared(BEGIN if alone else BEGIN_SHARED)
            # in a context of its own: what it logs is about all of them, not about the first
            shared.owner = asyncio.create_task(self._owned(shared), context=contextvars.Context())
            self._joinable = None if alone else shared
        shared.join()
        return shared

    async def _owned(self, shared: "_Shared") -> None:
        """Hold the connection until all have left, then commit."""
        try:
            async with self._pool.connection() as connection:
                shared.connect(UnitOfWork(connection, shared.opening))
                await shared.left()
                self._close(shared)
                await shared.finish()
        except Exception as error:  # noqa: BLE001 - it isn't caught here: every member raises it
            shared.fail(error)
        except BaseException:
            shared.fail(_undone())
            raise
        finally:
            self._close(shared)
            why = None if shared.lacks_connection else shared.error
            if why is not None and (shared.units > 1 or isinstance(why, LockNotAvailable)):
                self._all_alone(why)
            shared.end()

    def _close(self, shared: "_Shared") -> None:
        if self._joinable is shared:
            self._joinable = None

    def _all_alone(self, why: BaseException) -> None:
        logger.warning("Units of work don't share a transaction for %g s: %s", ALONE_SECONDS, why)
        self._alone_until = time.monotonic() + ALONE_SECONDS

    @contextlib.asynccontextmanager
    async def _part(self, shared: "_Shared", work: UnitOfWork) -> AsyncIterator[Made]:
        """One unit's part of the transaction: all of it counts, or nothing does."""
        part = await work.begin_part()
        signals: SignalsToSend = []
        try:
            yield self._make(work, signals)
            await work.end_part(part)
        except BaseException as error:
            if isinstance(error, LockNotAvailable):
                self._all_alone(error)
            undone = False
            try:
                await work.undo_part(part)
                undone = True
            except psycopg.Error:
                if shared.units > 1 and isinstance(error, psycopg.Error):
                    raise _undone() from error
            finally:
                if not undone:
                    shared.fail(error)
            raise
        shared.signals += signals


class _Shared:
    """One transaction and its members."""

    def __init__(self, opening: tuple[str, ...]) -> None:
        self.opening = opening
        self.turn = asyncio.Lock()
        self.units = 0
        self.signals: SignalsToSend = []
        self.error: BaseException | None = None
        self.owner: asyncio.Task[None] | None = None
        self.holder: asyncio.Task[Any] | None = None
        self._work: UnitOfWork | None = None
        self._inside = 0
        self._changed = asyncio.Event()
        self._has_connection = asyncio.Event()
        self._has_ended = asyncio.Event()

    def join(self) -> None:
        self.units += 1
        self._inside += 1

    def leave(self) -> None:
        self._inside -= 1
        self._changed.set()

    async def left(self) -> None:
        """Wait until nobody is inside; whoever joins before this returns is waited for, too."""
        while self._inside:
            self._changed.clear()
            await self._changed.wait()

    def connect(self, work: UnitOfWork) -> None:
        self._work = work
        self._has_connection.set()

    async def connected(self) -> UnitOfWork:
        """Wait for the connection, for one's turn on it.

        Raises:
            Unavailable: it was undone.
            psycopg_pool.PoolTimeout: there is none.
        """
        await self._has_connection.wait()
        self._check()
        assert self._work is not None  # noqa: S101 - there is either a connection or an error; tells mypy so
        return self._work

    async def finish(self) -> None:
        """Commit, or undo it all if one part could not be undone by itself."""
        assert self._work is not None  # noqa: S101 - connect was called; tells mypy so
        if self.error is None:
            await self._work.commit(self.signals)
        else:
            with contextlib.suppress(psycopg.Error):
                await self._work.rollback()

    def fail(self, error: BaseException) -> None:
        self.error = self.error or error
        self._has_connection.set()

    @property
    def lacks_connection(self) -> bool:
        """Tell whether the pool gave none, which is nobody's fault."""
        return self._work is None

    def end(self) -> None:
        self._has_ended.set()

    async def ended(self) -> None:
        """Wait for the commit.

        Raises:
            Unavailable: it was undone because of another unit.
            psycopg.Error: it was undone, and there was no other.
        """
        await self._has_ended.wait()
        self._check()

    def _check(self) -> None:
        if self.error is None:
            return
        if self.units == 1 or self.lacks_connection:
            raise self.error
        raise _undone() from self.error


def _undone() -> Unavailable:
    return Unavailable("transaction_undone", "What shared its transaction made it fail. Try again at once.", 0.1)
