"""How work on an upload begins, whoever notices first that its bytes are there: the API or the store's notification."""

from uuid import uuid4

from mien_core.events import to_record, upload_received
from mien_core.faults import Point, reached
from mien_core.model.platform import Job, JobKind, NewJob, Upload
from mien_core.ports.database import Transaction
from mien_core.rules.retries import LONGEST_DELAYS_SECONDS

# After this an analysis that couldn't be done ends failed, so that nobody waits for ever. All retries fit twice: once
# for themselves, once for what they wait behind.
DEADLINE_SECONDS = 2 * round(LONGEST_DELAYS_SECONDS)
# How long a photo that came may be worked on: as long as its events may lie on a topic.
PHOTO_SECONDS = 7 * 24 * 3600


async def start_analysis(transaction: Transaction, upload: Upload, traceparent: str | None = None) -> Job:
    """Mark the upload received and give it its one analysis job, with UploadReceived in the outbox if it is new.

    All in the caller's transaction: either the work is going to be done or nothing happened.
    """
    new_job = NewJob(
        id=str(uuid4()),
        tenant=upload.tenant,
        user_id=upload.user_id,
        kind=JobKind.ANALYSE_FACE,
        upload_id=upload.id,
        deadline_seconds=DEADLINE_SECONDS,
    )
    job, created = await transaction.jobs.create(new_job)
    if created:
        reached(Point.JOB_CREATED)
        await transaction.uploads.mark_received(upload.id, PHOTO_SECONDS)
        await transaction.outbox.add(to_record(upload_received(upload.id, job.id, traceparent)))
        reached(Point.JOB_QUEUED)
    return job
