"""A process that is killed at a line of our choice: nothing that it would have done after that line happens."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.ports.database import Transaction
from mien_core.settings import PostgresSettings


class KilledError(BaseException):
    """The process is gone."""


class Death:
    """Comes at a line; at 0 never."""

    def __init__(self) -> None:
        self.line = 0
        self.at = 0

    def pass_by(self) -> None:
        self.line += 1
        if self.line == self.at:
            raise KilledError


class MortalDatabase(PostgresDatabase):
    """The real one, with a line before each unit of work, before its commit and after it, and around each reading."""

    def __init__(self, settings: PostgresSettings, death: Death) -> None:
        super().__init__(settings)
        self._death = death

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self._death.pass_by()
        async with super().transaction() as transaction:
            yield transaction
            self._death.pass_by()
        self._death.pass_by()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        self._death.pass_by()
        async with super().writing() as transaction:
            yield transaction
            self._death.pass_by()
        self._death.pass_by()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        self._death.pass_by()
        async with super().reading() as transaction:
            yield transaction
        self._death.pass_by()


class MortalStore(MemoryObjectStore):
    """Has a line before and after each object that is written or deleted."""

    def __init__(self, death: Death) -> None:
        super().__init__()
        self._death = death

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        self._death.pass_by()
        await super().put(key, data, content_type)
        self._death.pass_by()

    async def erase(self, prefix: str) -> int:
        self._death.pass_by()
        erased = await super().erase(prefix)
        self._death.pass_by()
        return erased

    async def erase_objects(self, keys: Sequence[str]) -> None:
        self._death.pass_by()
        await super().erase_objects(keys)
        self._death.pass_by()
