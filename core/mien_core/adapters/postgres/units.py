"""Units of work: a connection that is lent, what is done on it, and its end."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType

import psycopg
from psycopg_pool import AsyncConnectionPool

from mien_core.adapters.postgres.sharing import SignalsToSend
from mien_core.adapters.postgres.statements import BEGIN, Connection, Reading, UnitOfWork
from mien_core.adapters.postgres.transaction import PostgresTransaction
from mien_core.adapters.postgres.translation import translated
from mien_core.faults import Point, reached
from mien_core.ports.database import Transaction


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


class ReadingUnit(_Unit):
    """Statements of which each is by itself."""

    __slots__ = ()

    def _begin(self, connection: Connection) -> PostgresTransaction:
        return PostgresTransaction(Reading(connection), [])

    async def _end(self, error: BaseException | None) -> None:
        """Nothing was begun."""


class WritingUnit(_Unit):
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
            announced()
        else:
            await self._undo()

    async def _undo(self) -> None:
        # what broke the connection as well is told by the first error
        with contextlib.suppress(psycopg.Error):
            await self._work.rollback()


def announced() -> None:
    """Every unit of work comes by here once it is saved and its signals are sent."""
    reached(Point.ANNOUNCED)
