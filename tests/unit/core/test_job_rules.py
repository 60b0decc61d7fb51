"""When work is tried again, and when it isn't begun any more."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Conflict
from mien_core.intake import DEADLINE_SECONDS
from mien_core.model.platform import Job, JobError, JobHistory, JobStatus, Upload
from mien_core.rules.jobs import as_of
from mien_core.rules.retries import ATTEMPTS, LONGEST_DELAYS_SECONDS, delay_after
from mien_core.rules.work import check_redrive, refusal
from tests.makers import new_job, new_upload


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5.0), (2, 60.0), (3, 600.0)])
def test_delays_grow_and_are_spread(attempt: int, seconds: float) -> None:
    """Each is its step at least and a fifth longer at most."""
    assert delay_after(attempt, 0.0) == seconds
    assert delay_after(attempt, 0.999) == pytest.approx(seconds * 1.2, rel=0.001)


def test_after_the_last_attempt_there_is_none() -> None:
    """Whatever a header says of the number."""
    assert delay_after(ATTEMPTS, 0.5) is None
    assert delay_after(ATTEMPTS + 5, 0.5) is None


def test_all_retries_fit_into_the_time_that_intake_gives() -> None:
    """A job doesn't run out of time while it is still being tried, also if serving hangs 30 s each time."""
    assert LONGEST_DELAYS_SECONDS + ATTEMPTS * 35 < DEADLINE_SECONDS


@pytest.fixture
async def rows() -> tuple[Job, Upload]:
    """A job due in 600 s and its upload, which is kept for 900 s."""
    async with MemoryDatabase().transaction() as transaction:
        upload = await transaction.uploads.add(new_upload())
        job, _ = await transaction.jobs.create(new_job(upload))
    return job, upload


async def test_work_may_begin_until_the_deadline(rows: tuple[Job, Upload]) -> None:
    """A moment before it may, at the deadline it may not."""
    job, upload = rows
    assert refusal(job, upload, job.deadline_at - timedelta(microseconds=1)) is None
    refused = refusal(job, upload, job.deadline_at)
    assert refused is not None
    assert refused.code == "deadline_exceeded"


async def test_work_may_begin_as_long_as_the_photo_is_kept(rows: tuple[Job, Upload]) -> None:
    """Afterwards there is nothing left to look at."""
    job, upload = rows
    upload = replace(upload, expires_at=job.deadline_at - timedelta(seconds=1))
    assert refusal(job, upload, upload.expires_at - timedelta(microseconds=1)) is None
    refused = refusal(job, upload, upload.expires_at)
    assert refused is not None
    assert refused.code == "photo_expired"


async def test_a_job_that_failed_may_begin_again_as_long_as_its_photo_is_kept(rows: tuple[Job, Upload]) -> None:
    """Also after its deadline, which it gets anew; not once the photo is expired or erased."""
    job, upload = rows
    failed = replace(job, status=JobStatus.FAILED, deadline_at=job.created_at)
    check_redrive(failed, upload, upload.expires_at - timedelta(microseconds=1))
    with pytest.raises(Conflict, match="photo_expired"):
        check_redrive(failed, upload, upload.expires_at)
    for gone in [(None, upload), (failed, None)]:
        with pytest.raises(Conflict, match="job_erased"):
            check_redrive(*gone, job.created_at)


@pytest.mark.parametrize("end", [JobStatus.COMPLETED, JobStatus.CANCELLED])
async def test_a_job_that_has_its_result_or_is_unwanted_may_not(rows: tuple[Job, Upload], end: JobStatus) -> None:
    """Nobody's result is made twice, nobody's cancellation taken back."""
    job, upload = rows
    with pytest.raises(Conflict, match="job_already_ended"):
        check_redrive(replace(job, status=end), upload, job.created_at)


async def test_a_job_of_an_earlier_moment_has_its_steps_up_to_then() -> None:
    """Its status is that moment's; error and timings came with the end, and only there they are shown."""
    async with MemoryDatabase().transaction() as transaction:
        upload = await transaction.uploads.add(new_upload())
        job, _ = await transaction.jobs.create(new_job(upload))
        await transaction.jobs.change(job.id, JobStatus.PROCESSING)
        error = JobError("no_face", "There is no face.")
        await transaction.jobs.change(job.id, JobStatus.FAILED, error=error, timings={"work": 2.0})
        (history,) = await transaction.jobs.histories([job.id])
    assert as_of(history, 1) == JobHistory(job, history.steps[:1])
    second = as_of(history, 2)
    assert (second.job.status, second.job.updated_at) == (JobStatus.PROCESSING, history.steps[1].at)
    assert (second.job.error, second.job.timings, second.steps) == (None, {}, history.steps[:2])
    assert as_of(history, 3) == history
