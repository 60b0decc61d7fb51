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
from mien_core.ports.database import Transaction
from mien_core.ports.messages import Record
from mien_streams.delivery import Delivery, Handler
from mien_streams.edge import INTERNAL_ERROR, Edge
from tests.makers import record
from tests.unit.streams.conftest import Clock
from tests.unit.streams.stand_ins import delivered

DATABASE_AWAY = Unavailable("database_unavailable", "The database is away.", retry_after=0.0)
SERVING_AWAY = Unavailable("serving_unavailable", "It is away.", retry_after=0.0)


class ScriptedHandler(Handler):
    """Raises the scripted errors one after the other, then is content."""

    name = "scripted"
    topic = "mien.test.v1"

    def __init__(self, *script: BaseException) -> None:
        self.script = list(script)
        self.calls = 0
        self.given_up: list[JobError] = []
        self.sense_ends: float | None = None

    async def handle(self, _delivery: Delivery) -> None:
        """See Handler."""
        self.calls += 1
        if self.script:
            raise self.script.pop(0)

    async def put_off(self, transaction: Transaction, delivery: Delivery) -> float | None:  # noqa: ARG002 - likewise
        """See Handler."""
        return self.sense_ends

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
    assert (letter.code, letter.detail, letter.attempts) == ("malformed_event", "It has no value.", 1)
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


@pytest.mark.usefixtures("clock")
async def test_a_part_that_is_away_is_waited_for() -> None:
    """The delivery is handed over again, and no dead letter is made of it."""
    database, handler = MemoryDatabase(), ScriptedHandler(DATABASE_AWAY, DATABASE_AWAY)
    await Edge(database, handler).process(delivered(record()))
    assert handler.calls == 3
    assert not database.state.dead_letters


def put_off(database: MemoryDatabase) -> list[tuple[float, Record]]:
    """The records that wait, each with its delay in seconds."""
    rows = database.state.outbox.values()
    return [((available_at - row.created_at).total_seconds(), row.record) for available_at, row in rows]


async def test_what_is_away_for_longer_comes_again_and_holds_nobody_up(clock: Clock) -> None:
    """After two seconds the delivery has its outcome: a record for this handler, as it came, in 5 s."""
    database, handler = MemoryDatabase(), ScriptedHandler(*[SERVING_AWAY] * 100)
    delivery = delivered(record(b"value"))
    began = clock.now
    await Edge(database, handler).process(delivery)
    assert 0.5 < clock.now - began <= 2.0
    assert handler.calls > 3
    [(delay, again)] = put_off(database)
    assert 5 <= delay <= 6
    assert (again.topic, again.key, again.value) == (delivery.topic, b"key", b"value")
    assert again.headers == (*delivery.headers, ("mien-for", b"scripted"), ("mien-attempt", b"2"))
    assert not database.state.dead_letters
    assert handler.given_up == []


@pytest.mark.usefixtures("impatient")
async def test_attempts_come_later_and_later_and_end_as_a_dead_letter() -> None:
    """5 s, 1 min and 10 min, each up to a fifth longer; then what belongs to it fails with the last error's code."""
    database, handler = MemoryDatabase(), ScriptedHandler(*[SERVING_AWAY] * 4)
    message, delays = record(), []
    for _ in range(3):
        await Edge(database, handler).process(delivered(message))
        [(delay, message)] = put_off(database)
        delays.append(delay)
        database.state.outbox.clear()
    assert all(step <= delay <= step * 1.2 for step, delay in zip((5, 60, 600), delays, strict=True))
    assert not database.state.dead_letters
    await Edge(database, handler).process(delivered(message))
    assert put_off(database) == []
    assert [error.code for error in handler.given_up] == ["serving_unavailable"]
    [letter] = database.state.dead_letters.values()
    assert (letter.code, letter.detail, letter.attempts) == ("serving_unavailable", "It is away.", 4)


async def test_another_handlers_retry_is_not_this_ones() -> None:
    """It is skipped, whatever it holds."""
    database, handler = MemoryDatabase(), ScriptedHandler()
    message = record()
    for name, calls in [(b"other", 0), (b"scripted", 1)]:
        addressed = replace(message, headers=(*message.headers, ("mien-for", name)))
        await Edge(database, handler).process(delivered(addressed))
        assert handler.calls == calls


@pytest.mark.usefixtures("impatient")
async def test_no_attempt_comes_later_than_it_has_sense() -> None:
    """A job that must end in a second is looked at again by then, so that it ends in time."""
    database, handler = MemoryDatabase(), ScriptedHandler(SERVING_AWAY)
    handler.sense_ends = 1.0
    await Edge(database, handler).process(delivered(record()))
    [(delay, _)] = put_off(database)
    assert delay == pytest.approx(1.0)


@pytest.mark.usefixtures("impatient")
async def test_advice_to_wait_longer_is_taken() -> None:
    """A part that asks for half a minute isn't asked after five seconds."""
    database = MemoryDatabase()
    handler = ScriptedHandler(Unavailable("serving_unavailable", "It is full.", retry_after=30.0))
    await Edge(database, handler).process(delivered(record()))
    [(delay, _)] = put_off(database)
    assert delay == pytest.approx(30.0)


@pytest.mark.usefixtures("impatient")
async def test_while_the_database_is_away_nothing_can_be_put_off() -> None:
    """The delivery waits in place, spends no attempt, and is handled once the database is back."""
    database = FlakyDatabase(failures=2)
    handler = ScriptedHandler(DATABASE_AWAY, DATABASE_AWAY)
    await Edge(database, handler).process(delivered(record()))
    assert handler.calls == 3
    assert put_off(database) == []
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
    assert letter.detail == "\\x00 \\udc80"
    assert letter.headers == (("a\\x00b", b"\x00"),)


async def test_a_cancellation_is_no_outcome() -> None:
    """A process that stops leaves the delivery to the next one: no dead letter, no acknowledgement."""
    database = MemoryDatabase()
    with pytest.raises(asyncio.CancelledError):
        await Edge(database, ScriptedHandler(asyncio.CancelledError())).process(delivered(record()))
    assert not database.state.dead_letters
