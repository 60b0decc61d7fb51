"""How a request waits for a job: it is woken by the commit that ends it, and looks by itself now and then."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mien_core.model.platform import Job
from mien_core.ports.database import Database
from mien_core.ports.signals import Channel

Result = TypeVar("Result")

# Signals may get lost (a broken connection), so the job is read at least this often.
POLL_SECONDS = 1.0


async def wait_for_end(
    database: Database, job: Job, seconds: float, result: Callable[[Job], Awaitable[Result]]
) -> tuple[Job, Result | None]:
    """Give the job and its result when it has ended, or the job as it is after so many seconds, and None.

    Args:
        database: where the job is.
        job: as it was last seen.
        seconds: how long to wait; 0 doesn't.
        result: reads what the job has come to. A signal says that the job has ended, so then it is asked while the job
            itself is read.
    """
    deadline = time.monotonic() + seconds
    if not job.status.ended and seconds > 0:
        async with database.subscribe(Channel.JOB_ENDS, job.id) as subscription:
            job = await _read(database, job)
            while not job.status.ended and (remaining := deadline - time.monotonic()) > 0:
                if await subscription.wait(min(POLL_SECONDS, remaining)):
                    job, found = await asyncio.gather(_read(database, job), result(job))
                    if job.status.ended:
                        return job, found
                else:
                    job = await _read(database, job)
    return job, await result(job) if job.status.ended else None


async def _read(database: Database, job: Job) -> Job:
    async with database.reading() as transaction:
        # a job that vanishes while someone waits was erased; its last known state is the best answer
        return await transaction.jobs.get(job.id) or job
