"""What every adapter keeps of try-on sessions and of photos whose time is over: one suite for Postgres and memory."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.model.expiry import ExpiredPhoto
from mien_core.model.keys import photo_key, tryon_key
from mien_core.model.platform import Job, JobError, JobKind, JobStatus, NewJob
from mien_core.model.tryon import NewTryOnSession, SessionState, TryOnSession
from mien_core.ports.database import Database
from mien_core.rules.expiry import SETTLED, UNFINISHED
from mien_core.rules.tryon import CANCELLED, LOOKS
from mien_core.settings import PostgresSettings
from tests.makers import new_analysis, new_dead_letter, new_job, new_upload

DAY = 24 * 3600
UNKNOWN = ["6f9619ff-8b86-d011-b42d-00cf4fc964ff", "not-an-id", ""]
NO_FACE = JobError("no_face", "There is no face.")


class BrokenOffError(Exception):
    """Raised by a test in the middle of a transaction."""


@pytest.fixture(params=["postgres", "postgres, sharing", "memory"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    if request.param == "memory":
        yield MemoryDatabase()
        return
    url = request.getfixturevalue("fresh_database")
    sharing = 16 if request.param == "postgres, sharing" else 1
    async with PostgresDatabase(PostgresSettings(url=SecretStr(url)), sharing) as postgres:
        yield postgres


def session_of(job: NewJob, keep_seconds: int = DAY) -> NewTryOnSession:
    assert job.upload_id is not None
    return NewTryOnSession(job.id, "visitor-1", photo_key(job.upload_id), LOOKS["berry"], keep_seconds)


async def begun(database: Database, keep_seconds: int = DAY, **fields: Any) -> Job:
    """A session's job, as it is when its photo has come."""
    async with database.transaction() as transaction:
        upload = await transaction.uploads.add(new_upload(purpose="tryon", **fields))
        wanted = new_job(upload, kind=JobKind.RENDER_TRYON)
        job, _ = await transaction.jobs.create(wanted)
        await transaction.uploads.mark_received(upload.id, keep_seconds)
        await transaction.tryon_sessions.add(session_of(wanted, keep_seconds))
    return job


async def session(database: Database, session_id: str) -> TryOnSession | None:
    async with database.reading() as reading:
        return await reading.tryon_sessions.get(session_id)


async def moved(database: Database, job: Job, status: JobStatus, error: JobError | None = None) -> TryOnSession:
    async with database.transaction() as transaction:
        changed = await transaction.jobs.change(job.id, status, error=error)
    found = await session(database, job.id)
    assert found is not None
    assert found.updated_at == changed.updated_at
    return found


async def test_a_session_comes_back_as_it_was_begun(database: Database) -> None:
    """Every field survives, it is whose its job is, and it lasts for the seconds that it was given."""
    job = await begun(database, user_id="anna")
    found = await session(database, job.id)
    assert found is not None
    assert (found.id, found.tenant, found.user_id, found.user_token) == (job.id, "acme", "anna", "visitor-1")
    assert (found.input_key, found.presets) == (photo_key(job.photo_id), LOOKS["berry"])
    assert (found.state, found.error) == (SessionState("created", None, None), None)
    assert (found.expires_at - found.created_at).total_seconds() == DAY


@pytest.mark.parametrize("session_id", UNKNOWN)
async def test_an_unknown_session_is_none(database: Database, session_id: str) -> None:
    """Also what is no id at all."""
    assert await session(database, session_id) is None


async def test_a_session_that_was_saved_before_is_what_it_is(database: Database) -> None:
    """Another attempt with the same id adds nothing and changes nothing."""
    job = await begun(database)
    before = await session(database, job.id)
    async with database.transaction() as transaction:
        again = NewTryOnSession(job.id, "another", "key", LOOKS["natural"], 10)
        await transaction.tryon_sessions.add(again)
    assert await session(database, job.id) == before


async def test_a_session_follows_its_job_to_its_picture(database: Database) -> None:
    """Processing and completed show when the job says so, and with the end the picture's place."""
    job = await begun(database)
    assert (await moved(database, job, JobStatus.PROCESSING)).state == SessionState("processing", None, None)
    completed = await moved(database, job, JobStatus.COMPLETED)
    assert completed.state == SessionState("completed", tryon_key(job.id), None)
    assert completed.error is None


async def test_a_failed_session_has_its_jobs_reason_until_it_begins_again(database: Database) -> None:
    """The code is the reason; a job that people have begin again takes its session along."""
    job = await begun(database)
    failed = await moved(database, job, JobStatus.FAILED, NO_FACE)
    assert (failed.state, failed.error) == (SessionState("failed", None, "no_face"), NO_FACE)
    async with database.transaction() as transaction:
        await transaction.jobs.reopen(job.id, 60)
    reopened = await session(database, job.id)
    assert reopened is not None
    assert (reopened.state, reopened.error) == (SessionState("created", None, None), None)


async def test_a_cancelled_job_shows_as_a_failed_session(database: Database) -> None:
    """The contract has no fifth word: its reason tells it apart."""
    cancelled = await moved(database, await begun(database), JobStatus.CANCELLED)
    assert (cancelled.state, cancelled.error) == (SessionState("failed", None, "cancelled"), CANCELLED)


async def test_a_move_that_was_undone_moved_nothing(database: Database) -> None:
    """Job and session are moved in one transaction, or not."""
    job = await begun(database)
    with pytest.raises(BrokenOffError):
        async with database.transaction() as transaction:
            await transaction.jobs.change(job.id, JobStatus.COMPLETED)
            raise BrokenOffError
    unmoved = await session(database, job.id)
    assert unmoved is not None
    assert unmoved.state.status == "created"


async def test_what_has_expired_is_not_found(database: Database) -> None:
    """From its last moment on, though nothing was deleted."""
    job = await begun(database, keep_seconds=0)
    assert await session(database, job.id) is None
    async with database.reading() as reading:
        assert await reading.jobs.get(job.id) is not None


async def due(database: Database, limit: int = 100) -> list[ExpiredPhoto]:
    async with database.reading() as reading:
        return await reading.expiry.due(limit)


async def removed(database: Database, *upload_ids: str) -> list[str]:
    async with database.transaction() as transaction:
        return await transaction.expiry.remove(upload_ids)


async def announced(database: Database, seconds: float, purpose: str = "glam") -> str:
    """A photo whose announcement ends in so many seconds; its id."""
    async with database.transaction() as transaction:
        upload = await transaction.uploads.add(new_upload(purpose=purpose, expires_in_seconds=round(seconds)))
    return upload.id


async def test_a_try_ons_photo_is_due_a_moment_after_it_expired(database: Database) -> None:
    """Whether its session ever began or not; those that have waited longest come first, with their jobs."""
    over = -SETTLED.total_seconds() - 60
    began = await begun(database, keep_seconds=round(over))
    never = await announced(database, over - 60, "tryon")
    await begun(database, keep_seconds=-60)
    await begun(database)
    expected = [ExpiredPhoto(never, "tryon", ()), ExpiredPhoto(began.photo_id, "tryon", (began.id,))]
    assert await due(database) == expected
    assert await due(database, limit=1) == expected[:1]


async def test_other_photos_are_due_if_nobody_began_with_them_for_a_day(database: Database) -> None:
    """Those that came stay for as long as they are kept; this sweep is not about them."""
    old = await announced(database, -UNFINISHED.total_seconds() - 60, "skin")
    await announced(database, -UNFINISHED.total_seconds() + 60)
    received = await announced(database, -10 * DAY)
    async with database.transaction() as transaction:
        await transaction.uploads.mark_received(received, -10 * DAY)
    assert await due(database) == [ExpiredPhoto(old, "skin", ())]


async def test_what_goes_takes_all_its_rows_along(database: Database) -> None:
    """Upload, job, steps, session, dead letter and analysis of the one; nothing of another."""
    job, other = await begun(database, keep_seconds=-DAY), await begun(database)
    async with database.transaction() as transaction:
        for one in (job, other):
            upload = await transaction.uploads.get(one.photo_id)
            assert upload is not None
            await transaction.analyses.save(new_analysis(upload, one.id))
        await transaction.dead_letters.add(new_dead_letter(job_id=job.id, offset=1))
        await transaction.dead_letters.add(new_dead_letter(job_id=other.id, offset=2))
        await transaction.dead_letters.add(new_dead_letter(offset=3))
    assert await removed(database, job.photo_id) == [job.photo_id]
    async with database.reading() as reading:
        assert await reading.uploads.get(job.photo_id) is None
        assert await reading.jobs.get(job.id) is None
        assert await reading.jobs.events(job.id) == []
        assert await reading.analyses.get(job.photo_id) is None
        assert [letter.offset for letter in await reading.dead_letters.select()] == [2, 3]
        assert await reading.jobs.get(other.id) is not None
        assert await reading.analyses.get(other.photo_id) is not None
    assert await session(database, other.id) is not None
    assert await due(database) == []


async def test_what_is_not_due_any_more_stays(database: Database) -> None:
    """A photo that somebody began with after it was read as due is not removed; nor is one that was never due."""
    late = await announced(database, -UNFINISHED.total_seconds() - 60)
    kept = (await begun(database)).photo_id
    assert [photo.upload_id for photo in await due(database)] == [late]
    async with database.transaction() as transaction:
        await transaction.uploads.mark_received(late, DAY)
    assert await removed(database, late, kept, str(uuid4())) == []
    async with database.reading() as reading:
        assert await reading.uploads.get(late) is not None
        assert await reading.uploads.get(kept) is not None
