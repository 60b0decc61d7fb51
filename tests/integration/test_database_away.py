"""A database that goes away and comes back."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mien_core import migrations
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.adapters.postgres import database as adapter
from mien_core.errors import Unavailable
from mien_core.ports.signals import Channel
from mien_core.settings import PostgresSettings
from mien_local.parts.postgres import Postgres
from tests.makers import record
from tests.parts import stage


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    part = Postgres(stage(tmp_path / "home"), durable=False)
    part.prepare()
    part.start()
    migrations.upgrade(part.url)
    yield part
    part.stop()


async def test_work_fails_as_unavailable_and_goes_on_afterwards(server: Postgres) -> None:
    """While the server is away each unit of work is Unavailable; the same object works again once it is back."""
    async with PostgresDatabase(PostgresSettings(url=server.url)) as database:
        await database.check()
        await asyncio.to_thread(server.stop)
        with pytest.raises(Unavailable, match="database_unavailable"):
            async with database.transaction() as transaction:
                await transaction.outbox.add(record())
        with pytest.raises(Unavailable):
            await database.check()
        with pytest.raises(Unavailable):
            async with database.leadership("relay"):
                pass
        await asyncio.to_thread(server.start)
        await _eventually_checks(database)
        async with database.transaction() as transaction:
            assert await transaction.outbox.due(10) == []


async def test_a_leader_notices_that_its_right_is_gone(server: Postgres) -> None:
    """The lock dies with its connection, and the holder is told when it asks."""
    async with PostgresDatabase(PostgresSettings(url=server.url)) as database, database.leadership("relay") as leader:
        assert leader is not None
        await leader.confirm()
        await asyncio.to_thread(server.stop)
        with pytest.raises(Unavailable, match="leadership_lost"):
            await leader.confirm()


async def test_who_is_stopped_holds_nobody_up(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a frozen process has locked, and its leadership, are others' after a while; it is told when it wakes."""
    monkeypatch.setattr(adapter, "STOPPED_SECONDS", 1)
    async with PostgresDatabase(PostgresSettings(url=server.url)) as database, asyncio.timeout(60):
        with pytest.raises(Unavailable, match="database_unavailable"):
            async with database.transaction() as stopped:
                assert await stopped.inbox.add("handler", "event")
                async with database.transaction() as successor:
                    assert await successor.inbox.add("handler", "event")
        async with database.leadership("relay") as leader:
            assert leader is not None
            while not await _can_lead(database):  # noqa: ASYNC110 - the server decides when
                await asyncio.sleep(0.05)
            with pytest.raises(Unavailable, match="leadership_lost"):
                await leader.confirm()


async def _can_lead(database: PostgresDatabase) -> bool:
    # a machine that stands still for a second is a successor that was stopped, too
    with contextlib.suppress(Unavailable):
        async with database.leadership("relay") as successor:
            return successor is not None
    return False


async def test_signals_work_again_after_a_restart(server: Postgres) -> None:
    """The ear reconnects by itself: a subscription from before the restart hears a signal from after it."""
    async with (
        PostgresDatabase(PostgresSettings(url=server.url)) as database,
        database.subscribe(Channel.OUTBOX) as subscription,
        database.subscribe_all(Channel.OUTBOX) as ear,
    ):
        while await subscription.wait(0.1) or (await ear.wait(0.1)).missed:
            pass
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        await _eventually_checks(database)
        assert await subscription.wait(60), "the reconnection wakes everybody, because signals may have been lost"
        assert (await ear.wait(60)).missed
        async with database.transaction() as transaction:
            await transaction.outbox.add(record())
        assert await subscription.wait(60)
        assert (await ear.wait(60)).topics


async def _eventually_checks(database: PostgresDatabase) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await database.check()
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                return
