"""What happens on PosterRequested, and what becomes of the credit."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Conflict, Rejected, Unavailable
from mien_core.events import JobFailed, PosterRendered, poster_requested, to_record
from mien_core.model.keys import poster_key
from mien_core.model.platform import Job, JobKind, JobStatus, NewJob
from mien_core.model.posters import Design, NewPoster
from mien_core.model.serving import PosterAnswer, PosterRequest
from mien_core.rules.posters import fingerprint_of
from mien_core.rules.retries import ATTEMPTS
from mien_streams.delivery import Delivery
from mien_streams.dlq import DeadLetterDesk
from mien_streams.edge import Edge
from mien_streams.handlers.render_poster import NAME, RenderPoster
from mien_streams.job_handler import JobHandler
from tests.makers import new_upload
from tests.unit.streams.stand_ins import delivered, emitted, job

DESIGN = Design("The Sea", "A door.", "drama", "noir", "2:3", None)


@dataclass
class ScriptedEngine:
    """Meets PosterEngine: raises the scripted errors one after the other, then answers."""

    script: list[BaseException] = field(default_factory=list)
    requests: list[PosterRequest] = field(default_factory=list)

    async def render(self, request: PosterRequest) -> PosterAnswer:
        """See PosterEngine."""
        self.requests.append(request)
        if self.script:
            raise self.script.pop(0)
        return PosterAnswer(
            poster_key=request.poster_key, engine="test/1", width=10, height=15, timings={"compose": 12.5}
        )


async def ordered(database: MemoryDatabase, design: Design = DESIGN, credits: int = 1) -> tuple[Job, Delivery]:  # noqa: A002 - the account's own word
    """A poster that is paid for, and its event as it comes from the topic."""
    async with database.transaction() as transaction:
        await transaction.poster_accounts.open("acme", "anna", credits)
        new_job = NewJob(str(uuid4()), "acme", "anna", JobKind.RENDER_POSTER, None, 600)
        begun, _ = await transaction.jobs.create(new_job)
        await transaction.poster_accounts.debit(begun)
        await transaction.posters.add(NewPoster(begun.id, "acme", "anna", design, fingerprint_of(design)))
    return begun, delivered(to_record(poster_requested(begun.id)))


async def photo(database: MemoryDatabase, **fields: Any) -> str:
    async with database.transaction() as transaction:
        return (await transaction.uploads.add(new_upload(purpose="poster", **fields))).id


def edge(database: MemoryDatabase, engine: ScriptedEngine) -> Edge:
    return Edge(database, JobHandler(database, RenderPoster(database, engine)))


async def credits_of(database: MemoryDatabase) -> int:
    async with database.reading() as reading:
        account = await reading.poster_accounts.get("acme", "anna")
    assert account is not None
    return account.credits


async def test_a_poster_is_made() -> None:
    """All that was ordered is asked for, under the job's key; the job is completed, and what was paid stays paid."""
    database, engine = MemoryDatabase(), ScriptedEngine()
    begun, delivery = await ordered(database)
    await edge(database, engine).process(delivery)
    assert engine.requests == [
        PosterRequest(
            job_id=begun.id,
            poster_key=poster_key(begun.id),
            upload_id=None,
            title="The Sea",
            prompt="A door.",
            genre="drama",
            style="noir",
            aspect="2:3",
        )
    ]
    ended = await job(database, begun.id)
    assert ended.status is JobStatus.COMPLETED
    assert ended.timings["serving.compose"] == 12.5
    [event] = await emitted(database)
    assert event.data == PosterRendered(job_id=event.data.job_id, engine="test/1")
    assert event.subject == begun.id
    assert await credits_of(database) == 0


async def test_a_photo_goes_along_while_it_is_kept() -> None:
    """Its upload's id; one that has expired or is gone ends the job with the code that says so, for nothing."""
    database, engine = MemoryDatabase(), ScriptedEngine()
    kept = await photo(database)
    _, delivery = await ordered(database, replace(DESIGN, upload_id=kept))
    await edge(database, engine).process(delivery)
    assert engine.requests[0].upload_id == kept
    database.state.uploads[kept] = replace(database.state.uploads[kept], expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    for upload_id in (kept, str(uuid4())):
        database.state.poster_ledger.clear()
        database.state.poster_accounts.clear()
        begun, delivery = await ordered(database, replace(DESIGN, upload_id=upload_id))
        await edge(database, engine).process(delivery)
        error = (await job(database, begun.id)).error
        assert error is not None
        assert error.code == "photo_expired"
        assert await credits_of(database) == 1
    assert len(engine.requests) == 1


async def test_what_was_erased_meanwhile_is_not_made() -> None:
    """Without its line there is nothing to make."""
    database, engine = MemoryDatabase(), ScriptedEngine()
    begun, delivery = await ordered(database)
    database.state.posters.clear()
    await edge(database, engine).process(delivery)
    error = (await job(database, begun.id)).error
    assert error is not None
    assert (error.code, engine.requests) == ("poster_not_found", [])


async def test_a_refused_poster_is_given_back_once() -> None:
    """The job fails with the engine's code; the same message again gives nothing more."""
    database = MemoryDatabase()
    engine = ScriptedEngine([Rejected("not_an_image", "The photo is none.")] * 2)
    begun, delivery = await ordered(database)
    for _ in range(2):
        await edge(database, engine).process(delivery)
    ended = await job(database, begun.id)
    assert (ended.status, ended.error and ended.error.code) == (JobStatus.FAILED, "not_an_image")
    assert [type(event.data) for event in await emitted(database)] == [JobFailed]
    assert await credits_of(database) == 1


async def test_a_dead_letter_gives_back_and_a_redrive_takes_again() -> None:
    """A bug's dead letter costs nothing; redriven, the poster is made and paid, once."""
    database = MemoryDatabase()
    begun, delivery = await ordered(database)
    await edge(database, ScriptedEngine([ZeroDivisionError()])).process(delivery)
    [letter] = database.state.dead_letters.values()
    assert (letter.handler, letter.job_id, await credits_of(database)) == (NAME, begun.id, 1)

    desk = DeadLetterDesk(database, (NAME,), "anna")
    await desk.check_redrive(letter.id)
    assert await credits_of(database) == 1
    await desk.redrive(letter.id)
    assert await credits_of(database) == 0
    again = [row.record for _, row in database.state.outbox.values() if row.record.topic == delivery.topic]
    await edge(database, ScriptedEngine()).process(delivered(again[-1], offset=8))
    assert (await job(database, begun.id)).status is JobStatus.COMPLETED
    assert await credits_of(database) == 0


async def test_a_redrive_that_nobody_can_pay_is_refused() -> None:
    """Beforehand as in earnest; the letter stays, and with credits it can be redriven."""
    database = MemoryDatabase()
    begun, delivery = await ordered(database)
    await edge(database, ScriptedEngine([ZeroDivisionError()])).process(delivery)
    other, _ = await ordered(database)
    [letter] = database.state.dead_letters.values()
    desk = DeadLetterDesk(database, (NAME,), "anna")
    for deed in (desk.check_redrive, desk.redrive):
        with pytest.raises(Conflict, match="insufficient_credits"):
            await deed(letter.id)
    assert (await job(database, begun.id)).status is JobStatus.FAILED
    async with database.transaction() as transaction:
        await transaction.jobs.change(other.id, JobStatus.CANCELLED)
    await desk.redrive(letter.id)
    assert (await job(database, begun.id)).status is JobStatus.CREATED
    assert await credits_of(database) == 0


@pytest.mark.usefixtures("impatient")
async def test_what_waits_for_a_retry_is_not_given_back() -> None:
    """Put off, the poster is still to be made; only when the retries are used up the credit comes back."""
    database = MemoryDatabase()
    away = Unavailable("serving_unavailable", "It is away.", 0.0)
    begun, delivery = await ordered(database)
    processing = edge(database, ScriptedEngine([away] * ATTEMPTS))
    for attempt in range(1, ATTEMPTS + 1):
        assert await credits_of(database) == 0
        await processing.process(delivery)
        if attempt < ATTEMPTS:
            delivery = delivered([row.record for _, row in database.state.outbox.values()][-1], offset=10 + attempt)
    assert (await job(database, begun.id)).status is JobStatus.FAILED
    assert await credits_of(database) == 1
    assert len(database.state.dead_letters) == 1
