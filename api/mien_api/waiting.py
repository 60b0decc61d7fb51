"""How a request waits for a job: it is woken by the commit that ends it, and looks by itself now and then."""

import time

from mien_core.model.platform import Job
from mien_core.ports import Channel, Database

# Signals may get lost (a broken connection), so the job is read at least this often.
POLL_SECONDS = 1.0


async def wait_for_end(database: Database, job: Job, seconds: float) -> Job:
    """Give the job back when it has ended, or as it is after so many seconds."""
    if job.status.ended or seconds <= 0:
        return job
    deadline = time.monotonic() + seconds
    async with database.subscribe(Channel.JOB_ENDS, job.id) as subscription:
        while True:
            async with database.reading() as transaction:
                # a job that vanishes while someone waits was erased; its last known state is the best answer
                job = await transaction.jobs.get(job.id) or job
            remaining = deadline - time.monotonic()
            if job.status.ended or remaining <= 0:
                return job
            await subscription.wait(min(POLL_SECONDS, remaining))
