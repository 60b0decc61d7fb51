"""Whether work on a job may begin, and begin again."""

from datetime import datetime

from mien_core.errors import Conflict
from mien_core.model.platform import Job, JobError, Upload
from mien_core.rules.jobs import check_reopening


def refusal(job: Job, upload: Upload | None, now: datetime) -> JobError | None:
    """Say why a job that has not ended must not be worked on any more; None if it may.

    Args:
        job: not ended.
        upload: the job's; None if it has none.
        now: by the clock that wrote the rows.
    """
    if now >= job.deadline_at:
        return deadline_exceeded()
    if upload is not None and now >= upload.expires_at:
        return JobError("photo_expired", "The photo is no longer kept. Upload it again.")
    return None


def deadline_exceeded() -> JobError:
    """What a job fails with that wasn't done in time."""
    return JobError("deadline_exceeded", "It could not be done in time. Ask for it again later.")


def check_redrive(job: Job | None, upload: Upload | None, now: datetime) -> None:
    """Refuse to have a job begin again that could not be done any more.

    Args:
        job: None if it is gone.
        upload: the job's, None if it has none, or if that is gone.
        now: by the clock that wrote the rows.

    Raises:
        Conflict: job_erased, job_already_ended or photo_expired.
    """
    if job is None or (upload is None and job.upload_id is not None):
        raise Conflict("job_erased", "The job and its photo are gone. Drop the letter.")
    check_reopening(job)
    if upload is not None and now >= upload.expires_at:
        raise Conflict("photo_expired", "The photo is no longer kept, so there is nothing to work on. Drop the letter.")
