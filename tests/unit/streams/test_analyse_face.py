"""What happens on UploadReceived."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.errors import MienError, Missing, Rejected, Unavailable
from mien_core.events import (
    FaceAnalysed,
    JobFailed,
    LooksRecommended,
    face_analysed,
    from_record,
    to_record,
    upload_received,
)
from mien_core.model.cycle import DiaryMetrics
from mien_core.model.platform import Job, JobStatus
from mien_core.model.serving import FaceAnswer, FaceRequest
from mien_core.model.skin import SkinMetrics
from mien_core.ports.database import Transaction
from mien_streams.addressing import redriven
from mien_streams.delivery import Delivery
from mien_streams.edge import Edge
from mien_streams.handlers.analyse_face import NAME, Analysed, AnalyseFace
from mien_streams.job_handler import JobHandler
from mien_streams.looks import Ranker, Recommending
from mien_streams.serving import FaceAnalysis
from tests.makers import skin_report
from tests.unit.streams.stand_ins import (
    REVISION,
    ScriptedServing,
    analysis,
    answer,
    delivered,
    emitted,
    job,
    some_id,
    started,
)


def analyse_face(
    database: MemoryDatabase, serving: FaceAnalysis, object_store: MemoryObjectStore | None = None
) -> JobHandler[Analysed]:
    recommending = Recommending(database, Ranker())
    return JobHandler(database, AnalyseFace(database, serving, object_store or MemoryObjectStore(), recommending))


# what a completed analysis tells, in this order
FOLLOW_UPS = [FaceAnalysed.type, LooksRecommended.type]


async def told(database: MemoryDatabase) -> list[str]:
    return [event.type for event in await emitted(database)]


AWAY = Unavailable("serving_unavailable", "The model serving can't be used: it is away.", retry_after=0.0)


async def test_a_photo_becomes_an_analysis() -> None:
    """Analysis, completed job, looks and both events are there, and serving was asked by key."""
    database, serving = MemoryDatabase(), ScriptedServing()
    begun, delivery = await started(database, user_id="anna")
    await analyse_face(database, serving).handle(delivery)

    assert serving.requests == [
        FaceRequest(
            upload_id=begun.upload_id, photo_key=f"uploads/{begun.upload_id}/photo", subject=f"{begun.tenant}/anna"
        )
    ]
    assert (await job(database, begun.id)).status is JobStatus.COMPLETED
    saved = await analysis(database, begun.photo_id)
    assert saved is not None
    assert (saved.job_id, saved.tenant, saved.user_id) == (begun.id, begun.tenant, "anna")
    assert (saved.model_revision, saved.report) == (REVISION, answer(serving.requests[0]).report)
    assert list((await job(database, begun.id)).timings)[-2:] == ["serving.recommend", "commit"]
    event, looks = await emitted(database)
    assert isinstance(event.data, FaceAnalysed)
    assert (str(event.data.job_id), event.data.model_revision) == (begun.id, REVISION)
    assert isinstance(looks.data, LooksRecommended)
    assert (str(looks.data.job_id), looks.data.engine) == (begun.id, "ranker")


async def test_a_skin_photo_of_a_user_joins_the_users_history() -> None:
    """Beside the analysis there is a line of what the user is told, under the job's id."""
    database, serving = MemoryDatabase(), ScriptedServing()
    begun, delivery = await started(database, user_id="anna", purpose="skin")
    await analyse_face(database, serving).handle(delivery)
    async with database.reading() as reading:
        [line] = await reading.skin_analyses.of_user(begun.tenant, "anna")
    assert line.id == begun.id
    assert (line.skin_type, line.conditions) == (None, ("dullness",))
    assert (line.skin_score, line.recommended_chapter) == (79, 5)


@pytest.mark.parametrize("fields", [{"purpose": "glam", "user_id": "anna"}, {"purpose": "skin", "user_id": None}])
async def test_only_skin_photos_of_a_user_do(fields: dict[str, object]) -> None:
    """Another application's photo, and one without a user, leave no line in anybody's history."""
    database = MemoryDatabase()
    begun, delivery = await started(database, **fields)
    await analyse_face(database, ScriptedServing()).handle(delivery)
    assert (await job(database, begun.id)).status is JobStatus.COMPLETED
    assert database.state.skin_analyses == {}


async def test_a_skin_photo_that_shows_no_condition_fails_with_what_to_do() -> None:
    """Nothing is saved where there is nothing to say; the job's code and detail tell the user how to do better."""
    database, serving = MemoryDatabase(), ScriptedServing(skin=skin_report({}))
    begun, delivery = await started(database, user_id="anna", purpose="skin")
    await analyse_face(database, serving).handle(delivery)
    ended = await job(database, begun.id)
    assert ended.error is not None
    assert ended.error.code == "skin_not_visible"
    assert "Hold the camera still." in ended.error.detail
    assert await analysis(database, begun.photo_id) is None
    assert database.state.skin_analyses == {}


async def diarised(database: MemoryDatabase, **fields: object) -> tuple[Job, Delivery]:
    """Begin the work on a photo for anna's skin diary."""
    begun, delivery = await started(database, **{"user_id": "anna", "purpose": "cycle", **fields})
    async with database.transaction() as transaction:
        await transaction.photo_days.add(begun.photo_id, date(2026, 11, 20))
    return begun, delivery


async def test_a_photo_for_the_skin_diary_becomes_a_line_of_it() -> None:
    """Under the job's id, of the photo's day, with the report's metrics; the log tells the day of the cycle."""
    database = MemoryDatabase()
    begun, delivery = await diarised(database)
    handler = analyse_face(database, ScriptedServing())
    for _ in range(2):
        await handler.handle(delivery)
    [line] = database.state.skin_scans.values()
    assert (line.id, line.tenant, line.user_id) == (begun.id, begun.tenant, "anna")
    assert (line.date, line.cycle_day) == (date(2026, 11, 20), None)
    assert line.metrics == DiaryMetrics(62.0, 55.5, 70.25, None, 80.0)
    assert (await job(database, begun.id)).status is JobStatus.COMPLETED
    assert database.state.skin_analyses == {}
    assert await analysis(database, begun.photo_id) is not None


async def test_a_photo_that_shows_none_of_the_metrics_adds_no_line() -> None:
    """The job fails with the code and the advice, and nothing is saved."""
    shown = skin_report().model_copy(
        update={"metrics": SkinMetrics(radiance=None, moisture=None, texture=None, pores=None, dark_circles=None)}
    )
    database = MemoryDatabase()
    begun, delivery = await diarised(database)
    await analyse_face(database, ScriptedServing(skin=shown)).handle(delivery)
    ended = await job(database, begun.id)
    assert ended.error is not None
    assert (ended.error.code, "Hold the camera still." in ended.error.detail) == ("skin_not_visible", True)
    assert (database.state.skin_scans, database.state.analyses) == ({}, {})


@pytest.mark.parametrize("lacking", ["user", "day"])
async def test_a_photo_of_nobodys_diary_is_a_bug(lacking: str) -> None:
    """Who began such a job has one: the message is kept, and nothing of the result is."""
    database = MemoryDatabase()
    begun, delivery = await diarised(database, user_id=None if lacking == "user" else "anna")
    if lacking == "day":
        database.state.photo_days.clear()
    await Edge(database, analyse_face(database, ScriptedServing())).process(delivery)
    ended = await job(database, begun.id)
    assert ended.error is not None
    assert ended.error.code == "internal_error"
    assert (database.state.skin_scans, database.state.analyses) == ({}, {})


async def test_a_glam_photo_that_shows_no_skin_is_still_analysed() -> None:
    """The face is what that application asks for."""
    database, serving = MemoryDatabase(), ScriptedServing(skin=skin_report({}))
    begun, delivery = await started(database)
    await analyse_face(database, serving).handle(delivery)
    assert (await job(database, begun.id)).status is JobStatus.COMPLETED


async def test_an_upload_without_a_user_is_its_own_subject() -> None:
    """A rollout's weights then fall on uploads, not all on one nobody."""
    database, serving = MemoryDatabase(), ScriptedServing()
    begun, delivery = await started(database)
    await analyse_face(database, serving).handle(delivery)
    assert serving.requests[0].subject == begun.upload_id


async def test_every_hop_is_timed() -> None:
    """The job says in milliseconds where its time went, serving's own steps included."""
    database = MemoryDatabase()
    begun, delivery = await started(database)
    event_time = from_record(delivery.headers, delivery.value).time
    delivery = replace(
        delivery,
        published_at=event_time + timedelta(milliseconds=40),
        consumed_at=event_time + timedelta(milliseconds=45),
    )
    await analyse_face(database, ScriptedServing()).handle(delivery)
    timings = (await job(database, begun.id)).timings
    assert list(timings) == [
        "outbox",
        "kafka",
        "queue",
        "begin",
        "serving",
        "serving.decode",
        "serving.detect",
        "serving.recommend",
        "commit",
    ]
    assert timings["outbox"] == pytest.approx(40)
    assert timings["kafka"] == pytest.approx(5)
    assert timings["serving.decode"] == 12.5
    assert all(milliseconds >= 0 for milliseconds in timings.values())


async def test_a_clock_that_is_behind_makes_no_negative_time() -> None:
    """Two machines' clocks differ; a hop then took nothing."""
    database = MemoryDatabase()
    begun, delivery = await started(database)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    await analyse_face(database, ScriptedServing()).handle(replace(delivery, published_at=long_ago))
    assert (await job(database, begun.id)).timings["outbox"] == 0


async def test_the_job_goes_through_processing() -> None:
    """Whoever watches sees created, processing, completed, and each once."""
    database = MemoryDatabase()
    begun, delivery = await started(database)
    await analyse_face(database, ScriptedServing()).handle(delivery)
    async with database.transaction() as transaction:
        steps = [event.status for event in await transaction.jobs.events(begun.id)]
    assert steps == [JobStatus.CREATED, JobStatus.PROCESSING, JobStatus.COMPLETED]


async def test_an_event_twice_is_handled_once() -> None:
    """A repeat asks serving nothing and emits nothing."""
    database, serving = MemoryDatabase(), ScriptedServing()
    _, delivery = await started(database)
    handler = analyse_face(database, serving)
    await handler.handle(delivery)
    await handler.handle(delivery)
    assert len(serving.requests) == 1
    assert await told(database) == FOLLOW_UPS


async def test_an_event_twice_at_once_has_one_outcome() -> None:
    """Both may ask serving, one of them saves."""
    database, serving = MemoryDatabase(), ScriptedServing()
    begun, delivery = await started(database)
    handler = analyse_face(database, serving)
    await asyncio.gather(handler.handle(delivery), handler.handle(delivery))
    assert await told(database) == FOLLOW_UPS
    async with database.transaction() as transaction:
        steps = [event.status for event in await transaction.jobs.events(begun.id)]
    assert steps == [JobStatus.CREATED, JobStatus.PROCESSING, JobStatus.COMPLETED]


async def test_a_repeat_after_a_crash_goes_on() -> None:
    """A job that a dead process left processing is done by the next delivery."""
    database, serving = MemoryDatabase(), ScriptedServing()
    begun, delivery = await started(database)
    async with database.transaction() as transaction:
        await transaction.jobs.change(begun.id, JobStatus.PROCESSING)
    await analyse_face(database, serving).handle(delivery)
    assert (await job(database, begun.id)).status is JobStatus.COMPLETED


async def test_a_cancelled_job_is_left_alone() -> None:
    """Serving isn't asked, nothing is emitted."""
    database, serving = MemoryDatabase(), ScriptedServing()
    begun, delivery = await started(database)
    async with database.transaction() as transaction:
        await transaction.jobs.change(begun.id, JobStatus.CANCELLED)
    await analyse_face(database, serving).handle(delivery)
    assert serving.requests == []
    assert await emitted(database) == []


@pytest.mark.parametrize("verdict", [None, Rejected("no_face", "There is no face.")])
async def test_a_job_that_is_cancelled_meanwhile_stays_cancelled(verdict: Rejected | None) -> None:
    """The result, or the failure, of work that nobody wants any more is dropped."""
    database = MemoryDatabase()
    begun, delivery = await started(database)

    class CancellingServing(ScriptedServing):
        async def analyse(self, request: FaceRequest) -> FaceAnswer:
            async with database.transaction() as transaction:
                await transaction.jobs.change(begun.id, JobStatus.CANCELLED)
            return await super().analyse(request)

    await analyse_face(database, CancellingServing([verdict] if verdict else [])).handle(delivery)
    assert (await job(database, begun.id)).status is JobStatus.CANCELLED
    assert await analysis(database, begun.photo_id) is None
    assert await emitted(database) == []


async def test_a_job_that_is_gone_is_no_error() -> None:
    """An erasure may take the job while its event is under way."""
    database, serving = MemoryDatabase(), ScriptedServing()
    await analyse_face(database, serving).handle(delivered(to_record(upload_received(some_id(), some_id()))))
    assert serving.requests == []


@pytest.mark.parametrize(
    "verdict", [Rejected("no_face", "There is no face."), Missing("photo_not_found", "There is no photo.")]
)
async def test_a_verdict_ends_the_job_with_its_code(verdict: MienError) -> None:
    """What can't be retried fails at once: code and detail are serving's, JobFailed goes out, no dead letter."""
    database, serving = MemoryDatabase(), ScriptedServing([verdict])
    begun, delivery = await started(database)
    await Edge(database, analyse_face(database, serving)).process(delivery)
    ended = await job(database, begun.id)
    assert ended.status is JobStatus.FAILED
    assert ended.error is not None
    assert (ended.error.code, ended.error.detail) == (verdict.code, verdict.detail)
    [event] = await emitted(database)
    assert isinstance(event.data, JobFailed)
    assert event.data.code == verdict.code
    assert len(serving.requests) == 1
    async with database.transaction() as transaction:
        assert await transaction.dead_letters.count() == 0
        assert await transaction.inbox.has(NAME, str(from_record(delivery.headers, delivery.value).id))


class UndoneOnce(MemoryDatabase):
    """Undoes the first transaction that ends a job, as one does that was shared with another's fault."""

    job_id: str | None = None
    undone = False

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """See MemoryDatabase."""
        async with super().transaction() as transaction:
            yield transaction
            watched = await transaction.jobs.get(self.job_id) if self.job_id is not None else None
            if watched is not None and watched.status.ended and not self.undone:
                self.undone = True
                raise Unavailable("transaction_undone", "What shared its transaction made it fail.", 0.0)


async def test_a_result_whose_saving_was_undone_is_saved_again() -> None:
    """However long serving took: its answer is not thrown away and no attempt is spent for another's fault."""
    database, serving = UndoneOnce(), ScriptedServing()
    begun, delivery = await started(database)
    database.job_id = begun.id
    await analyse_face(database, serving).handle(delivery)
    assert database.undone
    assert (await job(database, begun.id)).status is JobStatus.COMPLETED
    assert len(serving.requests) == 1
    assert await told(database) == FOLLOW_UPS


@pytest.mark.usefixtures("clock")
async def test_serving_away_for_a_while_is_waited_for() -> None:
    """The same delivery is tried again until it is answered."""
    database, serving = MemoryDatabase(), ScriptedServing([AWAY, AWAY])
    begun, delivery = await started(database)
    await Edge(database, analyse_face(database, serving)).process(delivery)
    assert len(serving.requests) == 3
    assert (await job(database, begun.id)).status is JobStatus.COMPLETED


async def _with_deadline_in(database: MemoryDatabase, job_id: str, seconds: float) -> None:
    row = database.state.jobs[job_id]
    database.state.jobs[job_id] = replace(row, deadline_at=datetime.now(UTC) + timedelta(seconds=seconds))


async def test_an_answer_that_never_comes_fails_the_job_at_its_deadline() -> None:
    """A hanging call is cut off."""
    database = MemoryDatabase()
    begun, delivery = await started(database)
    await _with_deadline_in(database, begun.id, 0.2)

    class HangingServing(ScriptedServing):
        async def analyse(self, request: FaceRequest) -> FaceAnswer:
            await asyncio.Event().wait()
            return await super().analyse(request)

    await analyse_face(database, HangingServing()).handle(delivery)
    ended = await job(database, begun.id)
    assert ended.error is not None
    assert ended.error.code == "deadline_exceeded"


async def test_a_job_past_its_deadline_is_not_worked_on() -> None:
    """It fails without asking serving, since nobody waits for it any more."""
    database, serving = MemoryDatabase(), ScriptedServing()
    begun, delivery = await started(database)
    await _with_deadline_in(database, begun.id, -1)
    await analyse_face(database, serving).handle(delivery)
    ended = await job(database, begun.id)
    assert ended.error is not None
    assert ended.error.code == "deadline_exceeded"
    assert serving.requests == []
    [event] = await emitted(database)
    assert isinstance(event.data, JobFailed)


@pytest.mark.usefixtures("impatient")
async def test_a_job_that_is_put_off_shows_it_and_is_done_later() -> None:
    """Its status stays, its history has another step, and the next attempt completes it."""
    database, serving = MemoryDatabase(), ScriptedServing([AWAY])
    begun, delivery = await started(database)
    edge = Edge(database, analyse_face(database, serving))
    await edge.process(delivery)
    assert (await job(database, begun.id)).status is JobStatus.PROCESSING
    [(_, row)] = database.state.outbox.values()
    database.state.outbox.clear()
    assert [step.status for step in database.state.job_events[begun.id]] == [
        JobStatus.CREATED,
        JobStatus.PROCESSING,
        JobStatus.PROCESSING,
    ]
    await edge.process(delivered(row.record))
    assert (await job(database, begun.id)).status is JobStatus.COMPLETED
    assert await told(database) == FOLLOW_UPS


@pytest.mark.usefixtures("impatient")
async def test_a_job_whose_retries_are_used_up_fails_with_the_last_errors_code() -> None:
    """serving_unavailable for whoever waits, JobFailed for whoever listens, the message among the dead letters."""
    database, serving = MemoryDatabase(), ScriptedServing([AWAY] * 4)
    begun, delivery = await started(database)
    edge = Edge(database, analyse_face(database, serving))
    for _ in range(3):
        await edge.process(delivery)
        [(_, row)] = database.state.outbox.values()
        database.state.outbox.clear()
        delivery = delivered(row.record)
    await edge.process(delivery)
    ended = await job(database, begun.id)
    assert ended.error is not None
    assert (ended.status, ended.error.code) == (JobStatus.FAILED, "serving_unavailable")
    [event] = await emitted(database)
    assert isinstance(event.data, JobFailed)
    assert len(database.state.dead_letters) == 1


@pytest.mark.usefixtures("impatient")
async def test_a_job_that_was_cancelled_while_it_waited_is_left_alone() -> None:
    """The attempt that comes after the cancellation asks nobody."""
    database, serving = MemoryDatabase(), ScriptedServing([AWAY])
    begun, delivery = await started(database)
    edge = Edge(database, analyse_face(database, serving))
    await edge.process(delivery)
    async with database.transaction() as transaction:
        await transaction.jobs.change(begun.id, JobStatus.CANCELLED)
    [(_, row)] = database.state.outbox.values()
    await edge.process(delivered(row.record))
    assert len(serving.requests) == 1
    assert (await job(database, begun.id)).status is JobStatus.CANCELLED


@pytest.mark.usefixtures("impatient")
async def test_a_job_is_looked_at_again_by_its_deadline() -> None:
    """A retry comes no later than the deadline, so that the job ends when it was said to."""
    database, serving = MemoryDatabase(), ScriptedServing([AWAY])
    begun, delivery = await started(database)
    await _with_deadline_in(database, begun.id, 2.0)
    await Edge(database, analyse_face(database, serving)).process(delivery)
    [(available_at, row)] = database.state.outbox.values()
    assert 0 < (available_at - row.created_at).total_seconds() <= 2


async def test_a_photo_that_is_no_longer_kept_is_not_looked_at() -> None:
    """The job fails with photo_expired, and serving isn't asked."""
    database, serving = MemoryDatabase(), ScriptedServing()
    begun, delivery = await started(database)
    upload = database.state.uploads[begun.photo_id]
    database.state.uploads[begun.photo_id] = replace(upload, expires_at=datetime.now(UTC))
    await analyse_face(database, serving).handle(delivery)
    ended = await job(database, begun.id)
    assert ended.error is not None
    assert ended.error.code == "photo_expired"
    assert serving.requests == []


async def test_a_bug_fails_the_job_and_keeps_the_message() -> None:
    """internal_error for the client, the raw bytes in dead_letters for us, both or neither."""
    database, serving = MemoryDatabase(), ScriptedServing([ZeroDivisionError("oops")])
    begun, delivery = await started(database)
    await Edge(database, analyse_face(database, serving)).process(delivery)
    ended = await job(database, begun.id)
    assert ended.error is not None
    assert ended.error.code == "internal_error"
    assert "oops" not in ended.error.detail
    [letter] = database.state.dead_letters.values()
    assert (letter.value, letter.headers, letter.offset) == (delivery.value, delivery.headers, delivery.offset)
    assert (letter.code, letter.detail, letter.job_id) == ("internal_error", "ZeroDivisionError: oops", begun.id)


async def _begun_again(database: MemoryDatabase, delivery: Delivery) -> Delivery:
    """Have the delivery's job begin again, as a redrive does; the delivery by which it comes."""
    event = from_record(delivery.headers, delivery.value)
    async with database.transaction() as transaction:
        await transaction.jobs.reopen(str(event.data.job_id), 600)
        await transaction.inbox.forget(NAME, str(event.id))
        await transaction.outbox.remove([row.id for row in await transaction.outbox.due(100)])
    return replace(delivery, headers=redriven(delivery.headers, 1, NAME))


async def test_a_job_that_began_again_is_done_by_the_newer_order_only() -> None:
    """What still comes from the time before asks nobody, changes nothing, and doesn't swallow the newer order."""
    database, serving = MemoryDatabase(), ScriptedServing([ZeroDivisionError()])
    begun, old = await started(database)
    edge = Edge(database, analyse_face(database, serving))
    await edge.process(old)
    new = await _begun_again(database, old)
    await edge.process(old)
    assert (len(serving.requests), (await job(database, begun.id)).status) == (1, JobStatus.CREATED)
    await edge.process(new)
    assert (len(serving.requests), (await job(database, begun.id)).status) == (2, JobStatus.COMPLETED)


async def test_work_from_before_a_redrive_saves_nothing() -> None:
    """Neither its result nor its failure reaches the job that was begun again meanwhile; the newer order does."""
    for verdict in (None, Rejected("no_face", "There is no face."), ZeroDivisionError()):
        database = MemoryDatabase()
        begun, delivery = await started(database)
        orders: list[Delivery] = []

        class Overtaken(ScriptedServing):
            async def analyse(self, request: FaceRequest) -> FaceAnswer:
                if not orders:  # noqa: B023 - the class lives as long as this turn
                    orders.append(await _begun_again(database, delivery))  # noqa: B023 - likewise
                return await super().analyse(request)

        serving = Overtaken([verdict] if verdict else [])
        edge = Edge(database, analyse_face(database, serving))
        await edge.process(delivery)
        assert ((await job(database, begun.id)).status, database.state.inbox) == (JobStatus.CREATED, set())
        await edge.process(orders[0])
        assert (await job(database, begun.id)).status is JobStatus.COMPLETED
        assert await told(database) == FOLLOW_UPS


async def test_a_job_that_fails_again_says_so_with_another_id() -> None:
    """Whoever recognises repeats by their ids hears of both failures."""
    database, serving = MemoryDatabase(), ScriptedServing([Rejected("no_face", "There is none.")] * 2)
    _, delivery = await started(database)
    handler = analyse_face(database, serving)
    await handler.handle(delivery)
    [first] = await emitted(database)
    await handler.handle(await _begun_again(database, delivery))
    [second] = await emitted(database)
    assert (type(second.data), second.id != first.id) == (JobFailed, True)


async def test_another_fact_on_the_topic_is_malformed() -> None:
    """An event that doesn't belong there becomes a dead letter, not a crash."""
    database = MemoryDatabase()
    wrong = to_record(face_analysed(upload_received(some_id(), some_id()), REVISION))
    with pytest.raises(Rejected, match="malformed_event"):
        await analyse_face(database, ScriptedServing()).handle(delivered(wrong))
