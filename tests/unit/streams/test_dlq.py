"""Redriving and dropping dead letters: each deed is one transaction, done once, and audited."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.events import MemoryEventPublisher
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.errors import Conflict, Missing, Unavailable
from mien_core.events import FaceAnalysed, JobFailed, LooksRecommended, UploadReceived, from_record
from mien_core.model.dead_letters import DeadLetter
from mien_core.model.platform import Job, JobStatus
from mien_core.ports.database import Transaction
from mien_core.ports.messages import Record
from mien_streams.addressing import attempt, is_for, redrives
from mien_streams.delivery import Delivery
from mien_streams.dlq import DeadLetterDesk
from mien_streams.edge import Edge
from mien_streams.handlers.analyse_face import NAME, AnalyseFace
from mien_streams.handlers.s3_notifications import TOPIC, S3Notifications
from mien_streams.job_handler import JobHandler
from mien_streams.looks import Ranker, Recommending
from mien_streams.relay import Relay
from tests.makers import new_dead_letter
from tests.unit.streams.stand_ins import ScriptedServing, analysis, delivered, emitted, job, started, until

HANDLERS = ("relay", "handler", NAME, "s3-notifications")


def edge(database: MemoryDatabase, serving: ScriptedServing) -> Edge:
    recommending = Recommending(database, Ranker())
    return Edge(database, JobHandler(database, AnalyseFace(database, serving, MemoryObjectStore(), recommending)))


def desk(database: MemoryDatabase) -> DeadLetterDesk:
    return DeadLetterDesk(database, HANDLERS, "anna")


def only_letter(database: MemoryDatabase) -> DeadLetter:
    [letter] = database.state.dead_letters.values()
    return letter


def taken(database: MemoryDatabase, topic: str) -> Delivery:
    """The one record for a topic, out of the outbox, as it is delivered."""
    [(row_id, record)] = [
        (row.id, row.record) for _, row in database.state.outbox.values() if row.record.topic == topic
    ]
    del database.state.outbox[row_id]
    return delivered(record, offset=row_id)


async def poisoned(database: MemoryDatabase) -> tuple[Job, Delivery]:
    """A job that failed by a bug, and its delivery."""
    begun, delivery = await started(database)
    await edge(database, ScriptedServing([ZeroDivisionError("oops")])).process(delivery)
    return begun, delivery


async def test_a_redriven_message_is_done_as_if_it_came_for_the_first_time() -> None:
    """The job begins again and is completed with one result; the letter is gone, and the audit log knows whose deed."""
    database = MemoryDatabase()
    begun, _ = await poisoned(database)
    letter = only_letter(database)
    await desk(database).redrive(letter.id)

    reopened = await job(database, begun.id)
    assert (reopened.status, reopened.error, reopened.timings) == (JobStatus.CREATED, None, {})
    assert reopened.deadline_at > begun.deadline_at
    assert not database.state.dead_letters
    assert database.state.audit_log == [
        (
            "anna",
            "dead_letter.redriven",
            f"{letter.id}: analyse-face {UploadReceived.topic}/0/7 internal_error job {begun.id}",
        )
    ]
    again = taken(database, UploadReceived.topic)
    assert (attempt(again.headers), redrives(again.headers)) == (1, 1)
    assert is_for(again.headers, NAME)
    assert not is_for(again.headers, "another")
    assert (again.key, again.value) == (letter.key, letter.value)
    await edge(database, ScriptedServing()).process(again)
    assert (await job(database, begun.id)).status is JobStatus.COMPLETED
    assert await analysis(database, begun.photo_id) is not None
    assert [event.type for event in await emitted(database)] == [
        JobFailed.type,
        FaceAnalysed.type,
        LooksRecommended.type,
    ]
    assert [step.status for step in database.state.job_events[begun.id]] == [
        JobStatus.CREATED,
        JobStatus.PROCESSING,
        JobStatus.FAILED,
        JobStatus.CREATED,
        JobStatus.PROCESSING,
        JobStatus.COMPLETED,
    ]


async def test_a_redrive_is_done_once_however_often_it_is_asked_for() -> None:
    """Twenty at the same moment: one sends the message, all others are told that it is gone."""
    database = MemoryDatabase()
    await poisoned(database)
    letter_id = only_letter(database).id
    outcomes = await asyncio.gather(*(desk(database).redrive(letter_id) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(outcome, Missing) for outcome in outcomes) == 19
    assert len([row for _, row in database.state.outbox.values() if row.record.topic == UploadReceived.topic]) == 1
    assert len(database.state.audit_log) == 1


async def test_a_redrive_that_crashes_before_its_commit_changed_nothing() -> None:
    """Job, inbox, letter, outbox and audit log are as before, so that it can be repeated."""

    class Crashing(MemoryDatabase):
        crashing = False

        @asynccontextmanager
        async def transaction(self) -> AsyncIterator[Transaction]:
            async with super().transaction() as transaction:
                yield transaction
                if self.crashing:
                    raise Unavailable("database_unavailable", "It went away.")

    database = Crashing()
    begun, _ = await poisoned(database)
    letter_id, before = only_letter(database).id, vars(database.state.copy())
    database.crashing = True
    with pytest.raises(Unavailable):
        await desk(database).redrive(letter_id)
    assert vars(database.state) == before
    database.crashing = False
    await desk(database).redrive(letter_id)
    assert (await job(database, begun.id)).status is JobStatus.CREATED


async def test_a_message_that_dies_again_is_another_letter_and_another_failure() -> None:
    """It knows how often it was redriven, JobFailed has another id, and it can be redriven once more."""
    database = MemoryDatabase()
    begun, _ = await poisoned(database)
    await desk(database).redrive(only_letter(database).id)
    await edge(database, ScriptedServing([ZeroDivisionError()])).process(taken(database, UploadReceived.topic))
    letter = only_letter(database)
    assert (redrives(letter.headers), letter.job_id) == (1, begun.id)
    first, second = await emitted(database)
    assert first.id != second.id
    await desk(database).redrive(letter.id)
    again = taken(database, UploadReceived.topic)
    assert redrives(again.headers) == 2
    await edge(database, ScriptedServing()).process(again)
    assert (await job(database, begun.id)).status is JobStatus.COMPLETED


async def test_the_first_delivery_that_comes_once_more_after_a_redrive_does_nothing() -> None:
    """It was buried but not acknowledged when its process died; only the redriven one is worked on."""
    database = MemoryDatabase()
    begun, delivery = await poisoned(database)
    await desk(database).redrive(only_letter(database).id)
    serving = ScriptedServing()
    await edge(database, serving).process(delivery)
    assert serving.requests == []
    await edge(database, serving).process(taken(database, UploadReceived.topic))
    assert (len(serving.requests), (await job(database, begun.id)).status) == (1, JobStatus.COMPLETED)


@pytest.mark.parametrize("end", [JobStatus.COMPLETED, JobStatus.CANCELLED])
async def test_a_job_with_another_end_is_not_redriven(end: JobStatus) -> None:
    """It is a conflict, and the letter stays for somebody to drop it."""
    database = MemoryDatabase()
    begun, _ = await poisoned(database)
    database.state.jobs[begun.id] = replace(database.state.jobs[begun.id], status=end, error=None)
    await _conflicts(database, "job_already_ended")


async def test_a_photo_that_is_no_longer_kept_is_not_worked_on_again() -> None:
    """Expired or erased: a conflict."""
    database = MemoryDatabase()
    begun, _ = await poisoned(database)
    upload = database.state.uploads[begun.photo_id]
    database.state.uploads[upload.id] = replace(upload, expires_at=upload.created_at)
    await _conflicts(database, "photo_expired")
    del database.state.uploads[upload.id]
    await _conflicts(database, "job_erased")


async def test_a_message_for_a_handler_that_is_gone_is_not_sent_to_nobody() -> None:
    """Else it would be lost: no process takes what is addressed to it."""
    database = MemoryDatabase()
    async with database.transaction() as transaction:
        await transaction.dead_letters.add(new_dead_letter(handler="retired"))
    await _conflicts(database, "handler_unknown")


async def _conflicts(database: MemoryDatabase, code: str) -> None:
    letter, before = only_letter(database), vars(database.state.copy())
    for deed in (desk(database).redrive, desk(database).check_redrive):
        with pytest.raises(Conflict, match=code):
            await deed(letter.id)
    assert vars(database.state) == before


async def test_what_has_no_job_is_redriven_as_it_is() -> None:
    """Malformed bytes, to the byte; they die again, as another letter."""
    database = MemoryDatabase()
    notifications = Edge(database, S3Notifications(database))
    await notifications.process(delivered(Record(TOPIC, b"\xfe", b"\xff\x00", (("h", b"\xfd"),))))
    letter = only_letter(database)
    assert letter.job_id is None
    await desk(database).redrive(letter.id)
    again = taken(database, TOPIC)
    assert (again.key, again.value, again.headers[0]) == (b"\xfe", b"\xff\x00", ("h", b"\xfd"))
    await notifications.process(again)
    assert (only_letter(database).id, redrives(only_letter(database).headers)) == (letter.id + 1, 1)


async def test_what_kafka_refused_goes_to_everybody_it_was_meant_for() -> None:
    """The record is published as the relay would have, once whatever it was refused for is mended."""
    database, publisher = MemoryDatabase(), MemoryEventPublisher()
    begun, delivery = await started(database)
    publisher.missing = {UploadReceived.topic}
    async with database.transaction() as transaction:
        await transaction.outbox.add(Record(delivery.topic, delivery.key, delivery.value, delivery.headers))
    relay = Relay(database, publisher)
    await relay.start()
    await until(lambda: not database.state.outbox)
    publisher.missing.clear()
    await desk(database).redrive(only_letter(database).id)
    await until(lambda: not database.state.outbox)
    await relay.stop()
    again = next(record for record in publisher.records if record.topic == UploadReceived.topic)
    assert is_for(again.headers, "everybody")
    assert from_record(again.headers, again.value) == from_record(delivery.headers, delivery.value)
    await edge(database, ScriptedServing()).process(delivered(again))
    assert (await job(database, begun.id)).status is JobStatus.COMPLETED


async def test_a_dropped_message_is_gone_and_its_job_stays_failed() -> None:
    """With an audit row, once; nothing is sent."""
    database = MemoryDatabase()
    begun, _ = await poisoned(database)
    letter_id = only_letter(database).id
    await desk(database).drop(letter_id)
    with pytest.raises(Missing, match="dead_letter_not_found"):
        await desk(database).drop(letter_id)
    assert not database.state.dead_letters
    assert (await job(database, begun.id)).status is JobStatus.FAILED
    assert [type(event.data) for event in await emitted(database)] == [JobFailed]
    [(actor, action, subject)] = database.state.audit_log
    assert (actor, action, subject.split(":")[0]) == ("anna", "dead_letter.dropped", str(letter_id))


async def test_checks_change_nothing() -> None:
    """What a dry run asks may be asked as often as one likes; an id that no letter has is missing."""
    database = MemoryDatabase()
    await poisoned(database)
    letter, before = only_letter(database), vars(database.state.copy())
    for check in (desk(database).check_redrive, desk(database).check_drop):
        assert await check(letter.id) == letter
        with pytest.raises(Missing, match="dead_letter_not_found"):
            await check(letter.id + 1)
    assert vars(database.state) == before


async def test_a_letter_that_could_not_end_its_job_ends_it_by_its_redrive() -> None:
    """Where giving up had a bug as well, the letter has no job, the job is still open, and the message completes it."""
    database = MemoryDatabase()
    begun, delivery = await started(database)

    class Hopeless(JobHandler):  # type: ignore[type-arg]  # whatever its agent's result is
        async def give_up(self, *_: object) -> str | None:
            raise ZeroDivisionError

    serving, recommending = ScriptedServing([ZeroDivisionError()]), Recommending(database, Ranker())
    agent = AnalyseFace(database, serving, MemoryObjectStore(), recommending)
    await Edge(database, Hopeless(database, agent)).process(delivery)
    letter = only_letter(database)
    assert (letter.job_id, (await job(database, begun.id)).status) == (None, JobStatus.PROCESSING)
    await desk(database).redrive(letter.id)
    await edge(database, ScriptedServing()).process(taken(database, UploadReceived.topic))
    assert (await job(database, begun.id)).status is JobStatus.COMPLETED
