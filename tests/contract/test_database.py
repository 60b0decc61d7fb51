"""What every adapter of the Database port promises: the same suite runs against Postgres and memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from typing import Any
from uuid import uuid4

import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.errors import Conflict, Missing
from mien_core.model.dead_letters import DeadLetter, Selection
from mien_core.model.platform import (
    JobError,
    JobKind,
    JobStatus,
    NewApiKey,
    NewSkinAnalysis,
    Upload,
    UploadState,
)
from mien_core.model.serving import PhotoFacts
from mien_core.ports.database import Database
from mien_core.ports.signals import Channel, Signalled
from mien_core.settings import PostgresSettings
from tests.makers import new_analysis, new_dead_letter, new_job, new_upload, record

DEADLINE_SECONDS = 60.0


class BrokenOffError(Exception):
    """Raised by a test in the middle of a transaction."""


@pytest.fixture(params=["postgres", "postgres, sharing", "memory"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    if request.param == "memory":
        yield MemoryDatabase()
        return
    url = request.getfixturevalue("fresh_database")
    sharing = 16 if request.param == "postgres, sharing" else 1
    async with PostgresDatabase(PostgresSettings(url=url), sharing) as postgres:
        yield postgres


async def _uploaded(database: Database) -> Upload:
    async with database.transaction() as transaction:
        return await transaction.uploads.add(new_upload())


async def _job(database: Database) -> tuple[Upload, str]:
    upload = await _uploaded(database)
    async with database.transaction() as transaction:
        job, _ = await transaction.jobs.create(new_job(upload))
    return upload, job.id


async def test_a_transaction_that_raises_saves_nothing(database: Database) -> None:
    """All of a unit of work is saved, or nothing: rows, jobs, records and inbox alike."""
    upload = await _uploaded(database)
    job = new_job(upload)
    with pytest.raises(BrokenOffError):
        async with database.transaction() as transaction:
            await transaction.uploads.mark_received(upload.id, 3600)
            await transaction.jobs.create(job)
            await transaction.outbox.add(record())
            await transaction.inbox.add("handler", "event")
            raise BrokenOffError
    async with database.transaction() as transaction:
        unchanged = await transaction.uploads.get(upload.id)
        assert unchanged is not None
        assert unchanged.state is UploadState.EXPECTED
        assert await transaction.jobs.get(job.id) is None
        assert await transaction.outbox.due(10) == []
        assert not await transaction.inbox.has("handler", "event")


async def test_what_is_written_without_a_unit_of_work_is_saved_at_once(database: Database) -> None:
    """Each call lasts as it returns, whatever fails after it; and others see it while the block goes on."""
    upload = new_upload()
    with pytest.raises(BrokenOffError):
        async with database.writing() as writing:
            await writing.uploads.add(upload)
            async with database.reading() as reading:
                assert await reading.uploads.get(upload.id) is not None
            raise BrokenOffError
    async with database.reading() as reading:
        assert await reading.uploads.get(upload.id) is not None


async def test_what_has_no_result_is_written_all_the_same(database: Database) -> None:
    """A call that waits for the next one's message is saved when the block ends without one."""
    async with database.writing() as writing:
        await writing.users.note("acme", "anna")
    async with database.writing():
        pass
    async with database.reading() as reading:
        assert await reading.users.get("acme", "anna") is not None


async def test_signals_follow_what_is_written(database: Database) -> None:
    """Who waits for records is woken by one that needed no unit of work."""
    async with database.subscribe(Channel.OUTBOX) as subscription:
        async with database.writing() as writing:
            await writing.outbox.add(record())
        assert await subscription.wait(DEADLINE_SECONDS)


async def test_reading_sees_what_is_committed_and_changes_nothing(database: Database) -> None:
    """A reading finds every committed row; a write in it isn't saved, whether it raises or not."""
    upload = await _uploaded(database)
    async with database.reading() as reading:
        assert await reading.uploads.get(upload.id) == upload
    with contextlib.suppress(Exception):
        async with database.reading() as reading:
            await reading.uploads.mark_received(upload.id, 3600)
    async with database.reading() as reading:
        assert await reading.uploads.get(upload.id) == upload


async def test_an_upload_comes_back_as_it_was_announced(database: Database) -> None:
    """An upload's fields survive, its state begins as expected, and it expires when it was said to."""
    announced = new_upload(
        user_id="anna", purpose="skin", consent="given", expires_in_seconds=60, pixel_digest="cd" * 32
    )
    async with database.transaction() as transaction:
        added = await transaction.uploads.add(announced)
    async with database.transaction() as transaction:
        read = await transaction.uploads.get(announced.id)
    assert read == added
    assert (read.tenant, read.user_id, read.purpose, read.consent) == ("acme", "anna", "skin", "given")
    assert read.pixel_digest == "cd" * 32
    assert read.state is UploadState.EXPECTED
    assert (read.expires_at - read.created_at).total_seconds() == 60


async def test_an_upload_that_was_announced_before_is_the_same_one(database: Database) -> None:
    """Another attempt with the same id gets the upload as it is, received or not, and only more time."""
    first = new_upload(expires_in_seconds=60)
    async with database.transaction() as transaction:
        added = await transaction.uploads.add(first)
        again = await transaction.uploads.add(replace(first, expires_in_seconds=30))
        assert again == added
        longer = await transaction.uploads.add(replace(first, expires_in_seconds=90))
        assert (longer.expires_at - added.created_at).total_seconds() >= 90
        assert replace(longer, expires_at=added.expires_at) == added
    async with database.transaction() as transaction:
        await transaction.uploads.mark_received(first.id, 3600)
        received = await transaction.uploads.get(first.id)
        assert await transaction.uploads.add(first) == received


async def test_a_second_upload_of_a_user_is_no_conflict(database: Database) -> None:
    """A user appears on first sight and is simply known from then on."""
    for _ in range(2):
        async with database.transaction() as transaction:
            await transaction.uploads.add(new_upload(user_id="anna"))


async def test_a_user_is_noted_once(database: Database) -> None:
    """A user has a row from the first note on, which a second one leaves as it is; within the tenant only."""
    for _ in range(2):
        async with database.transaction() as transaction:
            await transaction.users.note("acme", "anna")
            first = await transaction.users.get("acme", "anna")
    async with database.transaction() as transaction:
        await transaction.uploads.add(new_upload(user_id="anna"))
        await transaction.uploads.add(new_upload(user_id="bea"))
        anna, bea = await transaction.users.get("acme", "anna"), await transaction.users.get("acme", "bea")
        assert await transaction.users.get("other", "anna") is None
    assert anna == first
    assert anna is not None
    assert (anna.tenant, anna.id, anna.email) == ("acme", "anna", None)
    assert bea is not None


async def test_received_is_marked_once_and_stays(database: Database) -> None:
    """An upload that came is kept for as long as was said; a second time changes nothing."""
    upload = await _uploaded(database)
    for seconds in (3600, 60):
        async with database.transaction() as transaction:
            await transaction.uploads.mark_received(upload.id, seconds)
            read = await transaction.uploads.get(upload.id)
            assert read is not None
            assert read.state is UploadState.RECEIVED
            assert 3500 < (read.expires_at - upload.created_at).total_seconds() < 3700


@pytest.mark.parametrize("unknown", ["6f9619ff-8b86-d011-b42d-00cf4fc964ff", "not-an-id", ""])
async def test_what_does_not_exist_is_none(database: Database, unknown: str) -> None:
    """An unknown id finds nothing, also one that can't be an id at all."""
    async with database.transaction() as transaction:
        assert await transaction.uploads.get(unknown) is None
        assert await transaction.jobs.get(unknown) is None
        assert await transaction.jobs.lock(unknown) is None
        assert await transaction.jobs.of_upload(JobKind.ANALYSE_FACE, unknown) is None
        assert await transaction.jobs.events(unknown) == []
        assert await transaction.analyses.get(unknown) is None
        with pytest.raises(Missing, match="job_not_found"):
            await transaction.jobs.change(unknown, JobStatus.PROCESSING)
        with pytest.raises(Missing, match="api_key_not_found"):
            await transaction.api_keys.revoke(unknown)


async def test_an_upload_has_one_job_of_a_kind(database: Database) -> None:
    """The second who creates the same work gets the first's job and is told so."""
    upload = await _uploaded(database)
    async with database.transaction() as transaction:
        first, created = await transaction.jobs.create(new_job(upload))
    async with database.transaction() as transaction:
        second, created_again = await transaction.jobs.create(new_job(upload))
        assert await transaction.jobs.of_upload(JobKind.ANALYSE_FACE, upload.id) == first
        assert len(await transaction.jobs.events(first.id)) == 1
    assert created
    assert not created_again
    assert second == first


async def test_a_job_without_a_photo_is_created_once_by_its_id(database: Database) -> None:
    """What is about no photo may exist many times of a kind, each id once; it has no upload, and says so if asked."""
    upload = await _uploaded(database)
    wanted, other = new_job(upload, upload_id=None), new_job(upload, upload_id=None)
    async with database.transaction() as transaction:
        first, created = await transaction.jobs.create(wanted)
        again, created_again = await transaction.jobs.create(wanted)
        _, created_other = await transaction.jobs.create(other)
        assert await transaction.jobs.get(wanted.id) == first
        assert len(await transaction.jobs.events(wanted.id)) == 1
    assert (created, created_again, created_other) == (True, False, True)
    assert again == first
    assert first.upload_id is None
    with pytest.raises(TypeError, match=wanted.id):
        _ = first.photo_id


async def test_open_jobs_are_counted_by_kind(database: Database) -> None:
    """Created and processing ones count, ended ones don't."""
    async with database.reading() as reading:
        before = (await reading.jobs.open_by_kind()).get(JobKind.ANALYSE_FACE, 0)
    jobs = [(await _job(database))[1] for _ in range(4)]
    steps = (JobStatus.PROCESSING, JobStatus.COMPLETED, JobStatus.CANCELLED)
    for job_id, status in zip(jobs, steps, strict=False):
        async with database.transaction() as transaction:
            await transaction.jobs.change(job_id, status)
    async with database.reading() as reading:
        assert (await reading.jobs.open_by_kind())[JobKind.ANALYSE_FACE] == before + 2


async def test_twenty_at_once_create_one_job(database: Database) -> None:
    """Also when they come at the same moment, exactly one of them creates the job."""
    upload = await _uploaded(database)

    async def create() -> tuple[str, bool]:
        async with database.transaction() as transaction:
            job, created = await transaction.jobs.create(new_job(upload))
            return job.id, created

    results = await asyncio.gather(*(create() for _ in range(20)))
    assert len({job_id for job_id, _ in results}) == 1
    assert sum(created for _, created in results) == 1


async def test_a_job_keeps_every_step_in_order(database: Database) -> None:
    """Steps are numbered from 1 without gaps; timings add up, in the order in which they came."""
    _, job_id = await _job(database)
    async with database.transaction() as transaction:
        await transaction.jobs.change(job_id, JobStatus.PROCESSING, timings={"outbox": 2.0, "kafka": 3.0})
    async with database.transaction() as transaction:
        await transaction.jobs.change(job_id, JobStatus.COMPLETED, timings={"commit": 1.0})
    async with database.transaction() as transaction:
        job = await transaction.jobs.get(job_id)
        steps = await transaction.jobs.events(job_id)
        later = await transaction.jobs.events(job_id, after_seq=2)
    assert job is not None
    assert job.status is JobStatus.COMPLETED
    assert list(job.timings.items()) == [("outbox", 2.0), ("kafka", 3.0), ("commit", 1.0)]
    assert [(step.seq, step.status) for step in steps] == [
        (1, JobStatus.CREATED),
        (2, JobStatus.PROCESSING),
        (3, JobStatus.COMPLETED),
    ]
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    assert later == steps[2:]


async def test_a_history_is_a_job_and_all_its_steps(database: Database) -> None:
    """As get and events say it, for any number of jobs at once; what doesn't exist is left out."""
    ids = [(await _job(database))[1] for _ in range(3)]
    async with database.transaction() as transaction:
        await transaction.jobs.change(ids[1], JobStatus.PROCESSING, timings={"kafka": 3.0})
        await transaction.jobs.change(ids[2], JobStatus.FAILED, error=JobError("no_face", "There is no face."))
    async with database.reading() as reading:
        found = await reading.jobs.histories([*ids, str(uuid4()), "not an id"])
        assert sorted(history.job.id for history in found) == sorted(ids)
        for history in found:
            assert history.job == await reading.jobs.get(history.job.id)
            assert list(history.steps) == await reading.jobs.events(history.job.id)
        assert await reading.jobs.histories([]) == []


async def test_a_history_is_of_one_moment(database: Database) -> None:
    """While a job moves on, it is never shown with the steps of another moment."""
    _, job_id = await _job(database)

    async def move() -> None:
        for count in range(2, 42):
            async with database.transaction() as transaction:
                await transaction.jobs.change(job_id, JobStatus.PROCESSING, timings={"steps": count})
            await asyncio.sleep(0)

    moving = asyncio.create_task(move())
    while not moving.done():
        async with database.reading() as reading:
            (history,) = await reading.jobs.histories([job_id])
        assert history.job.timings.get("steps", 1) == len(history.steps)
        await asyncio.sleep(0)
    await moving


async def test_jobs_that_moved_are_told_from_those_that_did_not(database: Database) -> None:
    """A job is told of when its last step is another than the one that is known, also when it is gone."""
    resting, moving = (await _job(database))[1], (await _job(database))[1]
    gone = str(uuid4())
    async with database.transaction() as transaction:
        await transaction.jobs.change(moving, JobStatus.PROCESSING)
    async with database.reading() as reading:
        assert set(await reading.jobs.moved({resting: 1, moving: 1, gone: 2})) == {moving, gone}
        assert await reading.jobs.moved({resting: 1, moving: 2}) == []
        assert await reading.jobs.moved({}) == []


@pytest.mark.parametrize("end", [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED])
async def test_the_end_of_a_job_never_changes(database: Database, end: JobStatus) -> None:
    """Whoever comes after the end gets a conflict, and the job stays as it ended."""
    _, job_id = await _job(database)
    error = JobError("no_face", "There is no face.") if end is JobStatus.FAILED else None
    async with database.transaction() as transaction:
        await transaction.jobs.change(job_id, end, error=error)
    with pytest.raises(Conflict, match="job_already_ended"):
        async with database.transaction() as transaction:
            await transaction.jobs.change(job_id, JobStatus.PROCESSING)
    async with database.transaction() as transaction:
        job = await transaction.jobs.get(job_id)
        assert job is not None
        assert (job.status, job.error) == (end, error)
        assert len(await transaction.jobs.events(job_id)) == 2


async def test_twenty_who_change_a_job_at_once_take_turns(database: Database) -> None:
    """Concurrent changes of one job queue up: no step is lost and no number is given twice."""
    _, job_id = await _job(database)

    async def change() -> None:
        async with database.transaction() as transaction:
            await transaction.jobs.lock(job_id)
            await transaction.jobs.change(job_id, JobStatus.PROCESSING)

    await asyncio.gather(*(change() for _ in range(20)))
    async with database.transaction() as transaction:
        steps = await transaction.jobs.events(job_id)
    assert [step.seq for step in steps] == list(range(1, 22))


async def test_an_analysis_comes_back_whole_and_can_be_replaced(database: Database) -> None:
    """Every number of a report survives; a second analysis of the upload takes the first's place."""
    upload, job_id = await _job(database)
    analysis = new_analysis(upload, job_id)
    async with database.transaction() as transaction:
        await transaction.analyses.save(analysis)
    async with database.transaction() as transaction:
        read = await transaction.analyses.get(upload.id)
        assert read is not None
        assert (read.report, read.skin, read.photo) == (analysis.report, analysis.skin, analysis.photo)
        assert (read.etag, read.annotated_key) == (analysis.etag, analysis.annotated_key)
        assert read.mask_keys == analysis.mask_keys
        await transaction.analyses.save(new_analysis(upload, job_id, model_revision="face@sha256:fedcba987654"))
        replaced = await transaction.analyses.get(upload.id)
    assert replaced is not None
    assert replaced.model_revision == "face@sha256:fedcba987654"


async def _analysed(database: Database, digest: str, **fields: object) -> str:
    """Save an analysis of a new upload with these pixels; the upload's id."""
    upload, job_id = await _job(database)
    photo = PhotoFacts(width=640, height=480, pixel_digest=digest)
    async with database.transaction() as transaction:
        await transaction.analyses.save(new_analysis(upload, job_id, photo=photo, **fields))
    return upload.id


async def test_an_analysis_from_before_skin_was_measured_stays_readable(database: Database) -> None:
    """Without skin, etag and masks it is what it was, and nobody takes it for an answer of today."""
    upload_id = await _analysed(database, "aa" * 32, skin=None, etag=None, mask_keys={})
    async with database.reading() as reading:
        read = await reading.analyses.get(upload_id)
        assert await reading.analyses.newest_of_pixels("acme", "aa" * 32, besides="") is None
    assert read is not None
    assert (read.skin, read.etag, read.mask_keys) == (None, None, {})


async def test_the_same_pixels_are_found_newest_first_and_within_the_tenant(database: Database) -> None:
    """Whoever asks for pixels gets the tenant's newest analysis of exactly these, and not the upload's own."""
    digest = "aa" * 32
    older = await _analysed(database, digest)
    newer = await _analysed(database, digest)
    await _analysed(database, "bb" * 32)
    await _analysed(database, digest, tenant="other")

    async def found(tenant: str, pixels: str, besides: str = "") -> str | None:
        async with database.reading() as reading:
            analysis = await reading.analyses.newest_of_pixels(tenant, pixels, besides)
        return analysis.upload_id if analysis else None

    assert await found("acme", digest) == newer
    assert await found("acme", digest, besides=newer) == older
    assert await found("acme", "cc" * 32) is None
    assert await found("nobody", digest) is None


async def test_a_users_skin_history_is_kept_in_order(database: Database) -> None:
    """A line comes back as it was saved, a repeat replaces it, and nobody else's is among them."""

    def line(user_id: str = "anna", tenant: str = "acme", **fields: object) -> NewSkinAnalysis:
        values: dict[str, object] = {
            "id": str(uuid4()),
            "skin_type": "oily",
            "conditions": ("acne", "redness"),
            "skin_score": 71,
            "recommended_chapter": 3,
        }
        return NewSkinAnalysis(tenant=tenant, user_id=user_id, **(values | fields))  # type: ignore[arg-type]  # a test's own values

    first, second = line(), line(skin_type=None, conditions=())
    for each in (first, second, line(user_id="bea"), line(tenant="other")):
        async with database.transaction() as transaction:
            await transaction.skin_analyses.save(each)
    async with database.transaction() as transaction:
        history = await transaction.skin_analyses.of_user("acme", "anna")
        await transaction.skin_analyses.save(replace(second, skin_score=12))
        again = await transaction.skin_analyses.of_user("acme", "anna")
    assert [one.id for one in history] == [first.id, second.id]
    assert (history[0].skin_type, history[0].conditions) == ("oily", ("acne", "redness"))
    assert (history[1].skin_type, history[1].conditions) == (None, ())
    assert [one.skin_score for one in again] == [71, 12]


async def test_the_outbox_gives_rows_in_the_order_of_writing(database: Database) -> None:
    """Rows come oldest first, at most as many as asked for, byte for byte, until they are removed."""
    async with database.transaction() as transaction:
        for number in range(5):
            await transaction.outbox.add(record(str(number).encode()))
    async with database.transaction() as transaction:
        rows = await transaction.outbox.due(3)
        assert [row.record.value for row in rows] == [b"0", b"1", b"2"]
        assert rows[0].record == record(b"0")
        await transaction.outbox.remove([row.id for row in rows])
        assert [row.record.value for row in await transaction.outbox.due(10)] == [b"3", b"4"]


async def test_a_delayed_record_waits(database: Database) -> None:
    """A record with a delay isn't due before it, and doesn't count as overdue."""
    async with database.transaction() as transaction:
        await transaction.outbox.add(record(), delay_seconds=3600)
    async with database.transaction() as transaction:
        assert await transaction.outbox.due(10) == []
        assert await transaction.outbox.due_count() == 0
        assert await transaction.outbox.oldest_due_seconds() == 0.0
        await transaction.outbox.add(record())
    async with database.transaction() as transaction:
        assert len(await transaction.outbox.due(10)) == await transaction.outbox.due_count() == 1
        assert await transaction.outbox.oldest_due_seconds() > 0.0


async def test_the_inbox_takes_an_event_once_per_handler(database: Database) -> None:
    """The second claim of an event by the same handler is refused, unless it was forgotten; another has its own."""
    async with database.transaction() as transaction:
        assert await transaction.inbox.add("one", "event")
        assert await transaction.inbox.add("two", "event")
    async with database.transaction() as transaction:
        assert not await transaction.inbox.add("one", "event")
        assert await transaction.inbox.has("one", "event")
        assert not await transaction.inbox.has("one", "other")
        await transaction.inbox.forget("one", "event")
        await transaction.inbox.forget("one", "other")
    async with database.transaction() as transaction:
        assert await transaction.inbox.has("two", "event")
        assert await transaction.inbox.add("one", "event")


async def test_of_two_at_once_the_inbox_lets_one_through(database: Database) -> None:
    """Twenty transactions that claim one event at the same moment: exactly one wins."""

    async def claim() -> bool:
        async with database.transaction() as transaction:
            return await transaction.inbox.add("handler", "event")

    assert sum(await asyncio.gather(*(claim() for _ in range(20)))) == 1


async def test_a_dead_letter_is_kept_once(database: Database) -> None:
    """The same message that dies again, after a redelivery, is still one letter."""
    letter = new_dead_letter()
    for _ in range(2):
        async with database.transaction() as transaction:
            await transaction.dead_letters.add(letter)
    async with database.transaction() as transaction:
        assert await transaction.dead_letters.count() == 1


async def test_a_dead_letter_comes_back_to_the_byte(database: Database) -> None:
    """Whatever its bytes are: the key, the value, the headers, and all that is known of it."""
    _, job_id = await _job(database)
    letter = new_dead_letter(key=b"\xfe", value=b"\xff\x00", headers=(("a", b"\xfe"), ("a", b"")), job_id=job_id)
    async with database.transaction() as transaction:
        await transaction.dead_letters.add(letter)
    async with database.transaction() as transaction:
        [read] = await transaction.dead_letters.select()
        assert read == DeadLetter(**asdict(letter), id=read.id, created_at=read.created_at)
        assert abs((await transaction.now() - read.created_at).total_seconds()) < 60
        assert await transaction.dead_letters.lock(read.id) == read


async def test_dead_letters_are_selected_by_every_criterion(database: Database) -> None:
    """Oldest first, at most as many as asked for; criteria add up, and what can't be an id finds nothing."""
    _, job_id = await _job(database)
    async with database.transaction() as transaction:
        await transaction.dead_letters.add(new_dead_letter(offset=1, handler="one", job_id=job_id))
        await transaction.dead_letters.add(new_dead_letter(offset=2, handler="one", code="internal_error"))
        await transaction.dead_letters.add(new_dead_letter(offset=3, handler="two", topic="other"))

    async def offsets(limit: int | None = None, **criteria: Any) -> list[int]:
        async with database.reading() as reading:
            selection = Selection(**criteria)
            found = await reading.dead_letters.select(selection, limit)
            assert await reading.dead_letters.ids(selection, limit) == [letter.id for letter in found]
            assert limit is not None or await reading.dead_letters.count(selection) == len(found)
        return [letter.offset for letter in found]

    assert await offsets() == [1, 2, 3]
    assert await offsets(limit=2) == [1, 2]
    assert await offsets(handler="one") == [1, 2]
    assert await offsets(handler="one", code="internal_error") == [2]
    assert await offsets(topic="other") == [3]
    assert await offsets(job_id=job_id) == [1]
    assert await offsets(job_id="not-an-id") == []
    assert await offsets(older_than_seconds=0.0) == [1, 2, 3]
    assert await offsets(older_than_seconds=3600.0) == []
    assert await offsets(ids=()) == []
    async with database.reading() as reading:
        newest = (await reading.dead_letters.ids())[-1]
    assert await offsets(ids=(newest, newest + 1)) == [3]


async def test_a_dead_letter_is_taken_once(database: Database) -> None:
    """Of twenty who lock and remove it at the same moment exactly one gets it."""
    async with database.transaction() as transaction:
        await transaction.dead_letters.add(new_dead_letter())
        [letter_id] = await transaction.dead_letters.ids()

    async def take() -> bool:
        async with database.transaction() as transaction:
            taken = await transaction.dead_letters.lock(letter_id)
            await transaction.dead_letters.remove(letter_id)
            return taken is not None

    assert sum(await asyncio.gather(*(take() for _ in range(20)))) == 1


async def test_backlogs_tell_how_many_and_since_when(database: Database) -> None:
    """By handler; who has none is not among them."""
    async with database.transaction() as transaction:
        assert await transaction.dead_letters.backlogs() == {}
        for offset in range(3):
            await transaction.dead_letters.add(new_dead_letter(handler="one", offset=offset))
        await transaction.dead_letters.add(new_dead_letter(handler="two"))
    async with database.transaction() as transaction:
        backlogs = await transaction.dead_letters.backlogs()
    assert {handler: backlog.count for handler, backlog in backlogs.items()} == {"one": 3, "two": 1}
    assert all(0 <= backlog.oldest_seconds < 60 for backlog in backlogs.values())


async def test_a_failed_job_can_begin_again(database: Database) -> None:
    """As created, without its error and timings, with another deadline; its history goes on and it is counted."""
    _, job_id = await _job(database)
    error = JobError("internal_error", "It failed.")
    async with database.transaction() as transaction:
        failed = await transaction.jobs.change(job_id, JobStatus.FAILED, error=error, timings={"work": 1.0})
    async with database.transaction() as transaction:
        reopened = await transaction.jobs.reopen(job_id, 3600)
        assert await transaction.jobs.get(job_id) == reopened
        assert (reopened.status, reopened.error, reopened.timings) == (JobStatus.CREATED, None, {})
        assert (failed.redrives, reopened.redrives) == (0, 1)
        assert 3500 < (reopened.deadline_at - reopened.updated_at).total_seconds() < 3700
        await transaction.jobs.change(job_id, JobStatus.COMPLETED)
        steps = [step.status for step in await transaction.jobs.events(job_id)]
    assert steps == [JobStatus.CREATED, JobStatus.FAILED, JobStatus.CREATED, JobStatus.COMPLETED]


@pytest.mark.parametrize("end", [JobStatus.COMPLETED, JobStatus.CANCELLED])
async def test_no_other_end_can_be_taken_back(database: Database, end: JobStatus) -> None:
    """What has its result, or what nobody wants any more, is a conflict; what is gone is missing."""
    _, job_id = await _job(database)
    async with database.transaction() as transaction:
        await transaction.jobs.change(job_id, end)
    async with database.transaction() as transaction:
        with pytest.raises(Conflict, match="job_already_ended"):
            await transaction.jobs.reopen(job_id, 60)
        with pytest.raises(Missing, match="job_not_found"):
            await transaction.jobs.reopen(str(uuid4()), 60)


async def test_api_keys_are_found_by_hash_and_revoked_once(database: Database) -> None:
    """A key is found by its secret's hash, listed by tenant, and stays revoked from the first time on."""
    key = NewApiKey(str(uuid4()), "acme", "frontend", frozenset({"glam"}), "hash-1")
    other = NewApiKey(str(uuid4()), "other", "frontend", frozenset(), "hash-2")
    async with database.transaction() as transaction:
        await transaction.api_keys.add(key)
        await transaction.api_keys.add(other)
    async with database.transaction() as transaction:
        found = await transaction.api_keys.by_hash("hash-1")
        assert found is not None
        assert (found.id, found.scopes, found.revoked_at) == (key.id, frozenset({"glam"}), None)
        assert await transaction.api_keys.by_hash("hash-3") is None
        assert [each.id for each in await transaction.api_keys.of_tenant("acme")] == [key.id]
        assert {each.id for each in await transaction.api_keys.of_tenant(None)} == {key.id, other.id}
        revoked = await transaction.api_keys.revoke(key.id)
    async with database.transaction() as transaction:
        again = await transaction.api_keys.revoke(key.id)
        await transaction.audit_log.add("console", "api_key.revoked", key.id)
    assert revoked.revoked_at is not None
    assert again.revoked_at == revoked.revoked_at


async def _listens(database: Database) -> None:
    """Return once a signal was heard: a fresh connection wakes everybody once, however late it comes."""
    _, job_id = await _job(database)
    async with database.subscribe(Channel.JOB_ENDS, job_id) as subscription:
        async with database.transaction() as transaction:
            await transaction.jobs.change(job_id, JobStatus.COMPLETED)
        assert await subscription.wait(DEADLINE_SECONDS)


async def test_the_end_of_a_job_wakes_its_waiter(database: Database) -> None:
    """Who subscribed to a job hears of its end after the commit, not of its other steps, and not of another job's."""
    _, job_id = await _job(database)
    _, other_id = await _job(database)
    await _listens(database)
    async with (
        database.subscribe(Channel.JOB_ENDS, job_id) as mine,
        database.subscribe(Channel.JOB_ENDS, other_id) as other,
    ):
        async with database.transaction() as transaction:
            await transaction.jobs.change(job_id, JobStatus.PROCESSING)
        assert not await mine.wait(0.05)
        async with database.transaction() as transaction:
            await transaction.jobs.change(job_id, JobStatus.COMPLETED)
        assert await mine.wait(DEADLINE_SECONDS)
        assert not await other.wait(0.05)


async def test_one_subscription_hears_of_every_jobs_end(database: Database) -> None:
    """Each end is heard of, by the job's id, as often as somebody listens; what else happens isn't."""
    jobs = [(await _job(database))[1] for _ in range(5)]
    async with (
        database.subscribe_all(Channel.JOB_ENDS) as first,
        database.subscribe_all(Channel.JOB_ENDS) as second,
    ):
        for ear in (first, second):
            while (await ear.wait(0.05)).missed:  # a fresh connection may have missed something
                pass
        async with database.transaction() as transaction:
            await transaction.jobs.change(jobs[0], JobStatus.PROCESSING)
            await transaction.outbox.add(record())
        assert await first.wait(0.05) == Signalled()
        for job_id in jobs:
            async with database.transaction() as transaction:
                await transaction.jobs.change(job_id, JobStatus.COMPLETED)
        for ear in (first, second):
            heard: set[str] = set()
            while heard != set(jobs):
                signalled = await ear.wait(5)
                assert signalled.topics, "none got lost"
                heard |= signalled.topics
            assert await ear.wait(0.05) == Signalled()


async def test_a_signal_between_two_waits_is_not_lost(database: Database) -> None:
    """Subscribe, then work, then wait: what happened in between wakes at once."""
    await _listens(database)
    async with database.subscribe(Channel.OUTBOX) as subscription:
        async with database.transaction() as transaction:
            await transaction.outbox.add(record())
        assert await subscription.wait(DEADLINE_SECONDS)


async def test_a_transaction_that_raises_wakes_nobody(database: Database) -> None:
    """Signals belong to the commit."""
    await _listens(database)
    async with database.subscribe(Channel.OUTBOX) as subscription:
        with pytest.raises(BrokenOffError):
            async with database.transaction() as transaction:
                await transaction.outbox.add(record())
                raise BrokenOffError
        assert not await subscription.wait(0.2)


async def test_one_leads_at_a_time(database: Database) -> None:
    """While one holds a leadership nobody else gets it; another name is free; afterwards it is free again."""
    async with database.leadership("relay") as leader:
        assert leader is not None
        await leader.confirm()
        async with database.leadership("relay") as second, database.leadership("sweeper") as sweeper:
            assert second is None
            assert sweeper is not None
    async with database.leadership("relay") as successor:
        assert successor is not None


async def test_it_can_be_checked(database: Database) -> None:
    """A database that is there answers its check, and its clock goes forward."""
    await database.check()
    async with database.transaction() as transaction:
        first = await transaction.now()
        assert await transaction.now() >= first
