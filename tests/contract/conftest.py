"""The adapters of the port that most suites are about."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.ports.database import Database
from mien_core.settings import PostgresSettings


@pytest.fixture(params=["postgres", "memory"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """An empty database: a real one, and the one in memory."""
    if request.param == "memory":
        yield MemoryDatabase()
        return
    url = request.getfixturevalue("fresh_database")
    async with PostgresDatabase(PostgresSettings(url=SecretStr(url))) as postgres:
        yield postgres
