"""The edge around a handler: every delivery gets an outcome."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Rejected, Unavailable
from mien_core.model.platform import JobError
from mien_core.ports import Transaction
from mien_streams.delivery import Delivery, Handler
from mien_streams.edge import INTERNAL_ERROR, Edge
from tests.makers import record
from tests.unit.streams.stand_ins import delivered

DATABASE_AWAY = Unavailable("database_unavailable", "The database is away.")


class ScriptedHandler(Handler):
    """Raises the scripted errors one after the other, then is content."""

    name = "scripted"
    topic = "mien.test.v1"

    def __init__(self, *script: BaseException) -> None:
        self.script = list(script)
        self.calls = 0
        self.given_up: list[JobError] = []

    async def handle(self, _delivery: Delivery) -> None:
        """See Handler."""
        self.calls += 1
        if self.script:
            raise self.script.pop(0)

    async def give_up(self, transaction: Transaction, delivery: Delivery, error: JobError) -> str | None:  # noqa: ARG002 - as Handler has it
        """See Handler."""
        self.given_up.append(error)
        return None


class FlakyDatabase(MemoryDatabase):
    """A database that is away for the first transactions."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """See Database."""
        if self.failures:
            self.failures -= 1
            raise DATABASE_AWAY
        async with super().transaction() as transaction:
            yield transaction


async def test_a_message_that_cannot_be_understood_becomes_a_dead_letter() -> None:
    """Its raw bytes, headers and place are kept, with the reason; it is no bug."""
    database = MemoryDatabase()
    handler = ScriptedHandler(Rejected("malformed_event", "It has no value."))
    delivery = delivered(record(b"\xff\x00"), offset=42)
    await Edge(database, handler).process(delivery)
    [letter] = database.state.dead_letters.values()
    assert (letter.handler, letter.topic, letter.partition, letter.offset) == ("scripted", delivery.topic, 0, 42)
    assert (letter.value, letter.headers) == (b"\xff\x00", delivery.headers)
    assert letter.reason == "malformed_event: It has no value."
    assert [error.code for error in handler.given_up] == ["malformed_event"]


async def test_the_same_dead_letter_is_kept_once() -> None:
    """A repeat after a crash doesn't double it."""
    database = MemoryDatabase()
    for _ in range(2):
        await Edge(database, ScriptedHandler(Rejected("malformed_event", "x"))).process(delivered(record()))
    assert len(database.state.dead_letters) == 1


async def test_a_bug_is_logged_once_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    """One traceback, one dead letter, one note."""
    database, handler = MemoryDatabase(), ScriptedHandler(ZeroDivisionError("oops"))
    with caplog.at_level(logging.ERROR):
        await Edge(database, handler).process(delivered(record()))
    [line] = caplog.records
    assert line.exc_info is not None
    assert handler.given_up == [INTERNAL_ERROR]
    assert len(database.state.dead_letters) == 1


async def test_a_part_that_is_away_is_waited_for() -> None:
    """The delivery is handed over again, and no dead letter is made of it."""
    database, handler = MemoryDatabase(), ScriptedHandler(DATABASE_AWAY, DATABASE_AWAY)
    await Edge(database, handler).process(delivered(record()))
    assert handler.calls == 3
    assert not database.state.dead_letters


async def test_a_dead_letter_waits_for_the_database() -> None:
    """The delivery isn't given back before its letter is saved."""
    database = FlakyDatabase(failures=2)
    handler = ScriptedHandler(ZeroDivisionError("oops"))
    await Edge(database, handler).process(delivered(record()))
    assert len(database.state.dead_letters) == 1
    assert (handler.calls, handler.given_up) == (1, [INTERNAL_ERROR])


async def test_a_bug_in_noting_a_bug_still_leaves_a_dead_letter() -> None:
    """A message can't make the process crash again and again."""

    class Hopeless(ScriptedHandler):
        async def give_up(self, transaction: Transaction, delivery: Delivery, error: JobError) -> str | None:
            await super().give_up(transaction, delivery, error)
            raise ZeroDivisionError

    database, handler = MemoryDatabase(), Hopeless(ZeroDivisionError())
    await Edge(database, handler).process(delivered(record()))
    assert len(database.state.dead_letters) == 1
    assert handler.given_up == [INTERNAL_ERROR]


async def test_what_a_database_cannot_hold_is_escaped() -> None:
    """NUL and lone surrogates in a reason or a header's name don't keep a letter from being saved."""
    database = MemoryDatabase()
    delivery = replace(delivered(record()), headers=(("a\x00b", b"\x00"),))
    await Edge(database, ScriptedHandler(Rejected("malformed_event", "\x00 \udc80"))).process(delivery)
    [letter] = database.state.dead_letters.values()
    assert letter.reason == "malformed_event: \\x00 \\udc80"
    assert letter.headers == (("a\\x00b", b"\x00"),)


async def test_a_cancellation_is_no_outcome() -> None:
    """A process that stops leaves the delivery to the next one: no dead letter, no acknowledgement."""
    database = MemoryDatabase()
    with pytest.raises(asyncio.CancelledError):
        await Edge(database, ScriptedHandler(asyncio.CancelledError())).process(delivered(record()))
    assert not database.state.dead_letters
