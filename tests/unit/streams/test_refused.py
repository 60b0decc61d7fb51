"""What the relay does with records that Kafka refuses for good, and what it measures."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import prometheus_client
import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.events import MAX_BYTES, MemoryEventPublisher
from mien_core.errors import Unavailable
from mien_core.events import JobFailed, UploadReceived, face_analysed, from_record, to_record, upload_received
from mien_core.intake import start_analysis
from mien_core.model.platform import Job, JobStatus
from mien_core.ports.database import Transaction
from mien_core.ports.messages import Record
from mien_streams.relay import Relay
from tests.makers import new_dead_letter, record
from tests.unit.streams.stand_ins import job, some_id, until, uploaded

TOO_LARGE = b"x" * (MAX_BYTES + 1)


@asynccontextmanager
async def running(database: MemoryDatabase, publisher: MemoryEventPublisher) -> AsyncIterator[None]:
    relay = Relay(database, publisher)
    await relay.start()
    try:
        yield
    finally:
        await relay.stop()


async def write(database: MemoryDatabase, *records: Record) -> None:
    async with database.transaction() as transaction:
        for each in records:
            await transaction.outbox.add(each)


async def begun(database: MemoryDatabase) -> Job:
    upload = await uploaded(database)
    async with database.transaction() as transaction:
        return await start_analysis(transaction, upload)


async def test_a_refused_record_holds_up_no_other() -> None:
    """Those before and after it in the batch go out, each once in the order of ids; it is kept to the byte."""
    database, publisher = MemoryDatabase(), MemoryEventPublisher()
    bad = replace(record(TOO_LARGE), headers=(("traceparent", b"00-1"), ("mien-attempt", b"2")))
    await write(database, record(b"1"), bad, record(b"2"))
    async with running(database, publisher):
        await until(lambda: not database.state.outbox)
        await write(database, record(b"3"))
        await until(lambda: not database.state.outbox)
    assert list(dict.fromkeys(each.value for each in publisher.records)) == [b"1", b"2", b"3"]
    [letter] = database.state.dead_letters.values()
    assert (letter.handler, letter.partition, letter.offset) == ("relay", -1, 2)
    assert (letter.topic, letter.key, letter.value, letter.headers) == (bad.topic, bad.key, bad.value, bad.headers)
    assert (letter.code, letter.attempts, letter.traceparent, letter.job_id) == ("record_refused", 2, "00-1", None)


async def test_a_job_whose_event_is_refused_fails() -> None:
    """Nobody waits for what can't come: the job ends, says so, and the letter knows it."""
    database, publisher = MemoryDatabase(), MemoryEventPublisher()
    publisher.missing = {UploadReceived.topic}
    started = await begun(database)
    async with running(database, publisher):
        await until(lambda: not database.state.outbox)
    ended = await job(database, started.id)
    assert ended.error is not None
    assert (ended.status, ended.error.code) == (JobStatus.FAILED, "internal_error")
    [letter] = database.state.dead_letters.values()
    assert (letter.code, letter.job_id) == ("record_refused", started.id)
    assert [from_record(each.headers, each.value).type for each in publisher.records] == [JobFailed.type]


async def test_news_of_a_job_that_has_ended_change_nothing_when_they_are_refused() -> None:
    """The job keeps its result; the letter is nobody's work."""
    database, publisher = MemoryDatabase(), MemoryEventPublisher()
    started = await begun(database)
    news = face_analysed(upload_received(started.photo_id, started.id), "face@1")
    publisher.missing = {news.data.topic}
    async with database.transaction() as transaction:
        await transaction.jobs.change(started.id, JobStatus.COMPLETED)
    await write(database, to_record(news), to_record(face_analysed(upload_received(some_id(), some_id()), "face@1")))
    async with running(database, publisher):
        await until(lambda: not database.state.outbox)
    assert (await job(database, started.id)).status is JobStatus.COMPLETED
    assert [letter.job_id for letter in database.state.dead_letters.values()] == [None, None]


async def test_an_order_from_before_a_redrive_fails_no_job() -> None:
    """The job waits for the newer one."""
    database, publisher = MemoryDatabase(), MemoryEventPublisher()
    publisher.missing = {UploadReceived.topic}
    started = await begun(database)
    async with database.transaction() as transaction:
        await transaction.jobs.reopen(started.id, 600)
    async with running(database, publisher):
        await until(lambda: not database.state.outbox)
    assert (await job(database, started.id)).status is JobStatus.CREATED


async def test_a_crash_while_it_is_buried_leaves_the_record() -> None:
    """The letter, the job's end and the row's removal are saved together or not at all."""

    class Crashing(MemoryDatabase):
        crashes = 1

        @asynccontextmanager
        async def transaction(self) -> AsyncIterator[Transaction]:
            async with super().transaction() as transaction:
                yield transaction
                if await transaction.dead_letters.count() and self.crashes:
                    self.crashes -= 1
                    rolled_back.append(len(self.state.outbox))
                    raise Unavailable("database_unavailable", "The database went away.")

    database, publisher = Crashing(), MemoryEventPublisher()
    rolled_back: list[int] = []
    publisher.missing = {UploadReceived.topic, JobFailed.topic}
    started = await begun(database)
    async with running(database, publisher):
        await until(lambda: not database.state.outbox)
    assert rolled_back == [1]
    assert [(letter.topic, letter.job_id) for letter in database.state.dead_letters.values()] == [
        (UploadReceived.topic, started.id),
        (JobFailed.topic, None),
    ]


async def test_kafka_that_goes_away_among_single_records_loses_none() -> None:
    """The next one isn't tried at once, and what was not refused is published once Kafka is back."""

    class Leaving(MemoryEventPublisher):
        in_vain: list[int] = []  # noqa: RUF012 - the test's own

        async def publish(self, records: Sequence[Record]) -> None:
            if not self.available:
                self.in_vain.append(len(records))
            await super().publish(records)
            if len(self.records) == 2:
                self.available = False
                self.records.append(record(b"away"))

    database, publisher = MemoryDatabase(), Leaving()
    await write(database, record(TOO_LARGE), *(record(str(number).encode()) for number in range(5)))
    async with running(database, publisher):
        await until(lambda: len(publisher.in_vain) >= 2)
        publisher.available = True
        await until(lambda: not database.state.outbox)
    assert publisher.in_vain[:2] == [1, 3]
    assert {each.value for each in publisher.records} == {b"0", b"1", b"2", b"3", b"4", b"away"}
    assert len(database.state.dead_letters) == 1


def sample(name: str, **labels: str) -> float | None:
    return prometheus_client.REGISTRY.get_sample_value(name, labels)


async def test_the_active_relay_measures_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records and dead letters, how many and how old; what is gone is 0, and a standby says nothing."""
    monkeypatch.setattr("mien_streams.relay.MEASURE_SECONDS", 0.0)
    database, publisher = MemoryDatabase(), MemoryEventPublisher()
    publisher.available = False
    await write(database, record(), record())
    async with database.transaction() as transaction:
        for offset in range(3):
            await transaction.dead_letters.add(new_dead_letter(handler="measured", offset=offset))
    async with running(database, publisher):
        await until(lambda: sample("mien_dead_letters", handler="measured") == 3)
        assert sample("mien_outbox_records") == 2
        assert 0 < (sample("mien_outbox_oldest_seconds") or 0) < 60
        assert 0 < (sample("mien_dead_letters_oldest_seconds", handler="measured") or 0) < 60
        publisher.available = True
        database.state.dead_letters.clear()
        await until(lambda: sample("mien_dead_letters", handler="measured") == 0)
        await until(lambda: sample("mien_outbox_records") == 0)
        assert sample("mien_dead_letters_oldest_seconds", handler="measured") == 0
    assert sample("mien_dead_letters", handler="measured") is None
