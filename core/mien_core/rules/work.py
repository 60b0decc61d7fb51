"""Whether work on a job may begin."""

from datetime import datetime

from mien_core.model.platform import Job, JobError, Upload


def refusal(job: Job, upload: Upload, now: datetime) -> JobError | None:
    """Say why a job that has not ended must not be worked on any more; None if it may.

    Args:
        job: not ended.
        upload: the job's.
        now: by the clock that wrote the rows.
    """
    if now >= job.deadline_at:
        return deadline_exceeded()
    if now >= upload.expires_at:
        return JobError("photo_expired", "The photo is no longer kept. Upload it again.")
    return None


def deadline_exceeded() -> JobError:
    """What a job fails with that wasn't done in time."""
    return JobError("deadline_exceeded", "It could not be done in time. Upload the photo again later.")
