"""The relay, on a database and a broker in memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.events import MemoryEventPublisher
from mien_core.errors import Unavailable
from mien_core.ports.database import Transaction
from mien_core.ports.messages import Record
from mien_core.ports.signals import Leadership
from mien_streams.relay import Relay
from tests.makers import record
from tests.unit.streams.stand_ins import DEADLINE_SECONDS, until


async def write(database: MemoryDatabase, *values: bytes, delay_seconds: float = 0) -> None:
    async with database.transaction() as transaction:
        for value in values:
            await transaction.outbox.add(record(value), delay_seconds)


def values(publisher: MemoryEventPublisher) -> list[bytes]:
    return [each.value for each in publisher.records]


@asynccontextmanager
async def running(database: MemoryDatabase, publisher: MemoryEventPublisher) -> AsyncIterator[Relay]:
    relay = Relay(database, publisher)
    await relay.start()
    try:
        yield relay
    finally:
        await relay.stop()


@pytest.fixture
def polls_never(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay that nothing but a signal wakes, as far as a test can wait."""
    monkeypatch.setattr("mien_streams.relay.POLL_SECONDS", 100 * DEADLINE_SECONDS)


async def test_what_a_transaction_wrote_is_published_in_order_and_forgotten() -> None:
    """Rows of before and after the start, in the order of their ids."""
    database, publisher = MemoryDatabase(), MemoryEventPublisher()
    await write(database, b"1", b"2")
    async with running(database, publisher):
        await until(lambda: len(publisher.records) == 2)
        await write(database, b"3", b"4")
        await until(lambda: not database.state.outbox)
    assert values(publisher) == [b"1", b"2", b"3", b"4"]


@pytest.mark.usefixtures("polls_never")
async def test_a_commit_wakes_it() -> None:
    """It doesn't wait for the next poll."""
    database, publisher = MemoryDatabase(), MemoryEventPublisher()
    async with running(database, publisher):
        await write(database, b"first")
        await until(lambda: len(publisher.records) == 1)
        await write(database, b"second")
        await until(lambda: len(publisher.records) == 2)


async def test_a_lost_signal_costs_a_poll() -> None:
    """What nobody announced is published all the same."""
    database, publisher = MemoryDatabase(), MemoryEventPublisher()
    async with running(database, publisher):
        await write(database, b"first")
        await until(lambda: len(publisher.records) == 1)
        database._subscriptions.clear()
        await write(database, b"second")
        await until(lambda: len(publisher.records) == 2)


async def test_what_is_delayed_waits() -> None:
    """A row isn't published before its time, and doesn't hold up others."""
    database, publisher = MemoryDatabase(), MemoryEventPublisher()
    delay = timedelta(hours=1)
    await write(database, b"later", delay_seconds=delay.total_seconds())
    await write(database, b"now")
    async with running(database, publisher):
        await until(lambda: len(publisher.records) == 1)
        [(row_id, (available_at, row))] = database.state.outbox.items()
        database.state.outbox[row_id] = (available_at - delay, row)
        await until(lambda: len(publisher.records) == 2)
    assert values(publisher) == [b"now", b"later"]


async def test_a_broker_that_is_away_loses_nothing() -> None:
    """Rows stay, and go out in order once it is back."""

    class Counting(MemoryEventPublisher):
        attempts = 0

        async def publish(self, records: Sequence[Record]) -> None:
            self.attempts += 1
            await super().publish(records)

    database, publisher = MemoryDatabase(), Counting()
    publisher.available = False
    async with running(database, publisher):
        await write(database, b"1")
        await until(lambda: publisher.attempts > 1)
        await write(database, b"2")
        assert len(database.state.outbox) == 2
        publisher.available = True
        await until(lambda: not database.state.outbox)
    assert values(publisher) == [b"1", b"2"]


async def test_a_crash_between_publishing_and_forgetting_publishes_again() -> None:
    """At least once, never not at all."""

    class Forgetful(MemoryDatabase):
        failures = 1

        @asynccontextmanager
        async def transaction(self) -> AsyncIterator[Transaction]:
            if publisher.records and self.failures:
                self.failures -= 1
                raise Unavailable("database_unavailable", "The database is away.")
            async with super().transaction() as transaction:
                yield transaction

    database, publisher = Forgetful(), MemoryEventPublisher()
    await write(database, b"1")
    async with running(database, publisher):
        await until(lambda: not database.state.outbox)
    assert values(publisher) == [b"1", b"1"]


async def test_of_two_only_one_publishes_and_the_other_takes_over() -> None:
    """The standby begins once the active one has stopped."""
    database = MemoryDatabase()
    first, second = MemoryEventPublisher(), MemoryEventPublisher()
    async with running(database, first) as active:
        await write(database, b"1")
        await until(lambda: len(first.records) == 1)
        async with running(database, second):
            await write(database, *(str(number).encode() for number in range(2, 50)))
            await until(lambda: not database.state.outbox)
            assert second.records == []
            await active.stop()
            await write(database, b"last")
            await until(lambda: values(second) == [b"last"])
    assert len(first.records) == 49


async def test_a_lost_leadership_is_tried_for_again() -> None:
    """A relay that may no longer lead steps down before it publishes, and comes back."""

    class Fragile(MemoryDatabase):
        terms = 0

        @asynccontextmanager
        async def leadership(self, name: str) -> AsyncIterator[Leadership | None]:
            self.terms += 1
            async with super().leadership(name) as leadership:
                yield LostLeadership() if self.terms == 1 else leadership

    class LostLeadership:
        async def confirm(self) -> None:
            raise Unavailable("leadership_lost", "The connection is gone.")

    database, publisher = Fragile(), MemoryEventPublisher()
    await write(database, b"1")
    async with running(database, publisher):
        await until(lambda: len(publisher.records) == 1)
    assert database.terms == 2


async def test_a_bug_in_it_comes_out() -> None:
    """Whoever runs it is told, so that the process ends instead of doing nothing."""

    class Broken(MemoryEventPublisher):
        async def publish(self, records: object) -> None:
            raise ZeroDivisionError(records)

    database = MemoryDatabase()
    await write(database, b"1")
    relay = Relay(database, Broken())
    await relay.start()
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await relay.watch()
    except ZeroDivisionError:
        pass
    else:
        raise AssertionError("the bug was swallowed")
    await relay.stop()


@pytest.mark.usefixtures("polls_never")
async def test_it_stops_at_once_when_it_has_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """It doesn't sit out a poll, and needn't be broken off."""
    monkeypatch.setattr("mien_streams.background.STOP_SECONDS", 100 * DEADLINE_SECONDS)
    database, publisher = MemoryDatabase(), MemoryEventPublisher()
    async with running(database, publisher) as relay:
        await write(database, b"1")
        await until(lambda: not database.state.outbox)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await relay.stop()
