"""What happens on TryOnRequested."""

import asyncio
from dataclasses import dataclass, field, replace
from uuid import uuid4

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Rejected, Unavailable
from mien_core.events import JobFailed, TryOnRendered, to_record, try_on_requested
from mien_core.model.keys import photo_key, tryon_key
from mien_core.model.platform import Job, JobKind, JobStatus
from mien_core.model.tryon import NewTryOnSession, SessionState, TryOnAnswer, TryOnRequest, TryOnSession
from mien_core.rules.tryon import LOOKS
from mien_streams.delivery import Delivery
from mien_streams.handlers.render_tryon import RenderTryOn
from mien_streams.job_handler import JobHandler
from tests.makers import new_job, new_upload
from tests.unit.streams.stand_ins import REVISION, delivered, emitted, job

DAY = 24 * 3600


@dataclass
class ScriptedEngine:
    """Meets TryOnEngine: raises the scripted errors one after the other, then answers."""

    script: list[BaseException] = field(default_factory=list)
    requests: list[TryOnRequest] = field(default_factory=list)

    async def render(self, request: TryOnRequest) -> TryOnAnswer:
        """See TryOnEngine."""
        self.requests.append(request)
        if self.script:
            raise self.script.pop(0)
        return TryOnAnswer(model_revision=REVISION, output_key=tryon_key(request.job_id), timings={"paint": 12.5})


async def begun(database: MemoryDatabase) -> tuple[Job, Delivery]:
    """A session's job, and its event as it comes from the topic."""
    async with database.transaction() as transaction:
        upload = await transaction.uploads.add(new_upload(tenant="public", purpose="tryon"))
        wanted = new_job(upload, kind=JobKind.RENDER_TRYON)
        created, _ = await transaction.jobs.create(wanted)
        await transaction.uploads.mark_received(upload.id, DAY)
        session = NewTryOnSession(wanted.id, "visitor", photo_key(upload.id), LOOKS["berry"], DAY)
        await transaction.tryon_sessions.add(session)
    return created, delivered(to_record(try_on_requested(upload.id, created.id)))


def handler(database: MemoryDatabase, engine: ScriptedEngine) -> JobHandler[TryOnAnswer]:
    return JobHandler(database, RenderTryOn(database, engine))


async def session(database: MemoryDatabase, session_id: str) -> TryOnSession:
    async with database.reading() as reading:
        found = await reading.tryon_sessions.get(session_id)
    assert found is not None
    return found


async def test_a_session_gets_its_picture() -> None:
    """The engine is asked by keys for the session's look; session, job and TryOnRendered say that it is there."""
    database, engine = MemoryDatabase(), ScriptedEngine()
    of, delivery = await begun(database)
    await handler(database, engine).handle(delivery)
    assert engine.requests == [
        TryOnRequest(
            upload_id=of.photo_id,
            photo_key=photo_key(of.photo_id),
            subject="public/visitor",
            job_id=of.id,
            presets=LOOKS["berry"],
        )
    ]
    assert (await session(database, of.id)).state == SessionState("completed", tryon_key(of.id), None)
    ended = await job(database, of.id)
    assert ended.status is JobStatus.COMPLETED
    assert ended.timings["render.paint"] == 12.5
    [event] = await emitted(database)
    assert isinstance(event.data, TryOnRendered)
    assert (str(event.data.job_id), event.data.model_revision) == (of.id, REVISION)


async def test_a_photo_without_a_face_fails_the_session() -> None:
    """The engine's code is the reason, its detail is for people, and JobFailed says so to others."""
    database = MemoryDatabase()
    of, delivery = await begun(database)
    await handler(database, ScriptedEngine([Rejected("no_face", "No face was found.")])).handle(delivery)
    failed = await session(database, of.id)
    assert failed.state == SessionState("failed", None, "no_face")
    assert failed.error is not None
    assert failed.error.detail == "No face was found."
    [event] = await emitted(database)
    assert isinstance(event.data, JobFailed)


async def test_an_engine_that_is_away_leaves_the_session_under_way() -> None:
    """Its turn comes again; until then it is processing."""
    database = MemoryDatabase()
    of, delivery = await begun(database)
    engine = ScriptedEngine([Unavailable("serving_unavailable", "It is away.")])
    under_way = handler(database, engine)
    try:
        await under_way.handle(delivery)
    except Unavailable:
        assert (await session(database, of.id)).state == SessionState("processing", None, None)
    await under_way.handle(delivery)
    assert len(engine.requests) == 2
    assert (await session(database, of.id)).state.status == "completed"


async def test_a_cancelled_session_gets_no_picture() -> None:
    """The engine isn't asked; a result that comes after a cancellation changes nothing."""
    database, engine = MemoryDatabase(), ScriptedEngine()
    of, delivery = await begun(database)

    class Cancelling(ScriptedEngine):
        async def render(self, request: TryOnRequest) -> TryOnAnswer:
            async with database.transaction() as transaction:
                await transaction.jobs.change(of.id, JobStatus.CANCELLED)
            return await super().render(request)

    await handler(database, Cancelling()).handle(delivery)
    await handler(database, engine).handle(delivery)
    assert engine.requests == []
    assert (await session(database, of.id)).state == SessionState("failed", None, "cancelled")
    assert await emitted(database) == []


async def test_a_session_that_is_over_is_not_rendered() -> None:
    """Neither where its photo has expired nor where the session alone has, as its last moment passes."""
    for photo_too in (True, False):
        database, engine = MemoryDatabase(), ScriptedEngine()
        of, delivery = await begun(database)
        saved, created_at = database.state.tryon_sessions[of.id]
        database.state.tryon_sessions[of.id] = (replace(saved, keep_seconds=0), created_at)
        if photo_too:
            upload = database.state.uploads[of.photo_id]
            database.state.uploads[of.photo_id] = replace(upload, expires_at=upload.created_at)
        await handler(database, engine).handle(delivery)
        assert engine.requests == []
        error = (await job(database, of.id)).error
        assert error is not None
        assert error.code == ("photo_expired" if photo_too else "session_expired")


async def test_an_event_twice_at_once_has_one_outcome() -> None:
    """Both may ask the engine, which leaves the same picture; one of them saves."""
    database, engine = MemoryDatabase(), ScriptedEngine()
    _, delivery = await begun(database)
    twice = handler(database, engine)
    await asyncio.gather(twice.handle(delivery), twice.handle(delivery))
    await twice.handle(delivery)
    assert len(await emitted(database)) == 1


async def test_an_erased_session_is_nobodys_work() -> None:
    """An event that outlived its job is passed over."""
    database, engine = MemoryDatabase(), ScriptedEngine()
    await handler(database, engine).handle(delivered(to_record(try_on_requested(str(uuid4()), str(uuid4())))))
    assert engine.requests == []
