"""A stand-in for the relay and the agents: what would begin work ends it, at once and well."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from mien_core.events import from_record
from mien_core.model.cycle import DiaryMetrics, NewSkinScan
from mien_core.model.insights import Words
from mien_core.model.platform import Job, JobKind, JobStatus
from mien_core.ports.database import Database, Transaction
from tests.makers import new_analysis, new_recommendation

PAUSE_SECONDS: Final = 0.01
METRICS: Final = DiaryMetrics(radiance=62.0, moisture=55.5, texture=None, pores=0.0, dark_circles=100.0)


async def _analyse_face(transaction: Transaction, job: Job) -> None:
    upload = await transaction.uploads.get(job.photo_id)
    if upload is None:
        return
    await transaction.analyses.save(new_analysis(upload, job.id))
    if upload.purpose == "glam":
        await transaction.recommendations.save(new_recommendation(upload, job.id))
    day = await transaction.photo_days.of_upload(upload.id)
    if day is not None and job.user_id is not None:
        await transaction.skin_scans.add(NewSkinScan(job.id, job.tenant, job.user_id, day, METRICS, None))


async def _write_insight(transaction: Transaction, job: Job) -> None:
    await transaction.insights.write(job.id, Words("You slept well.", "summary", None))


async def _recommend_looks(transaction: Transaction, job: Job) -> None:
    upload = await transaction.uploads.get(job.photo_id)
    if upload is not None:
        await transaction.recommendations.save(new_recommendation(upload, job.id))


async def _erase_user(transaction: Transaction, job: Job) -> None:
    # nothing of theirs goes, since other requests are about it
    await transaction.erasures.end(job.id)


async def _picture_alone(_transaction: Transaction, _job: Job) -> None:
    """What comes of it is in the object store, where nobody fetches it."""


# How each kind of job comes to its result; the job's own end is the same for all.
RESULTS: Final[Mapping[JobKind, Callable[[Transaction, Job], Awaitable[None]]]] = {
    JobKind.ANALYSE_FACE: _analyse_face,
    JobKind.ERASE_USER: _erase_user,
    JobKind.WRITE_INSIGHT: _write_insight,
    JobKind.RENDER_POSTER: _picture_alone,
    JobKind.RENDER_TRYON: _picture_alone,
    JobKind.RECOMMEND_LOOKS: _recommend_looks,
}


class Workers:
    """Does the work that is asked for, except while it is told to pause."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._at_work = asyncio.Lock()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            async with self._at_work:
                await self._turn()
            await asyncio.sleep(PAUSE_SECONDS)

    async def pause(self) -> None:
        """Leave what is asked for undone, until go_on."""
        await self._at_work.acquire()

    def go_on(self) -> None:
        """End a pause."""
        self._at_work.release()

    async def _turn(self) -> None:
        async with self._database.transaction() as transaction:
            rows = await transaction.outbox.due(100)
            for row in rows:
                event = from_record(row.record.headers, row.record.value)
                job = await transaction.jobs.lock(str(event.data.job_id))
                if job is not None and not job.status.ended:
                    await RESULTS[job.kind](transaction, job)
                    await transaction.jobs.change(job.id, JobStatus.COMPLETED)
            await transaction.outbox.remove([row.id for row in rows])
