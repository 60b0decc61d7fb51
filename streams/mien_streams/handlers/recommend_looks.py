"""On LooksRequested: recommend looks for an analysed photo, with an engine that takes its time."""

from uuid import uuid4

from mien_core import telemetry
from mien_core.errors import Missing
from mien_core.events import LooksRequested, looks_requested, to_record
from mien_core.intake import DEADLINE_SECONDS
from mien_core.model.platform import JobKind, NewJob, Upload
from mien_core.model.recommendations import Recommendation
from mien_core.ports.database import Database, Transaction
from mien_streams.job_agent import Assignment, JobAgent
from mien_streams.looks import Recommending, save_looks


class RecommendLooks(JobAgent[Recommendation]):
    """One row in recommendations and one LooksRecommended. The analysis stays what it is, whatever comes of this."""

    name = "recommend-looks"
    takes = LooksRequested
    hop = "recommend"

    def __init__(self, database: Database, recommending: Recommending) -> None:
        self._database = database
        self._recommending = recommending

    async def work(self, assignment: Assignment) -> Recommendation:
        """See JobAgent.

        Raises:
            Missing: analysis_not_found, if it was erased meanwhile.
        """
        async with self._database.reading() as reading:
            analysis = await reading.analyses.get(assignment.photo.id)
        if analysis is None:
            raise Missing("analysis_not_found", "The photo's analysis is gone. Upload the photo again.")
        return await self._recommending.recommend(analysis.report.tone, analysis.skin)

    async def save(self, transaction: Transaction, assignment: Assignment, result: Recommendation) -> None:
        """See JobAgent."""
        await save_looks(transaction, assignment.job, assignment.photo, result, assignment.event)


async def request_looks(transaction: Transaction, photo: Upload) -> None:
    """Have the agent recommend looks for a photo whose analysis is saved in the same transaction."""
    new_job = NewJob(
        id=str(uuid4()),
        tenant=photo.tenant,
        user_id=photo.user_id,
        kind=JobKind.RECOMMEND_LOOKS,
        upload_id=photo.id,
        deadline_seconds=DEADLINE_SECONDS,
    )
    job, created = await transaction.jobs.create(new_job)
    if created:
        event = looks_requested(photo.id, job.id, telemetry.current_traceparent())
        await transaction.outbox.add(to_record(event))
