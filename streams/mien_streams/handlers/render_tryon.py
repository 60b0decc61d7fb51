"""On TryOnRequested: have the session's look put on its photo, or say why there is no picture."""

from collections.abc import Mapping

from mien_core import telemetry
from mien_core.errors import Missing
from mien_core.events import TryOnRequested, to_record, try_on_rendered
from mien_core.model.keys import photo_key
from mien_core.model.tryon import TryOnAnswer, TryOnRequest
from mien_core.ports.database import Database, Transaction
from mien_streams.job_agent import Assignment, JobAgent
from mien_streams.tryon_engine import TryOnEngine


class RenderTryOn(JobAgent[TryOnAnswer]):
    """One picture and one TryOnRendered. The session itself follows the job wherever that is moved."""

    name = "render-tryon"
    takes = TryOnRequested
    hop = "render"

    def __init__(self, database: Database, engine: TryOnEngine) -> None:
        self._database = database
        self._engine = engine

    async def work(self, assignment: Assignment) -> TryOnAnswer:
        """See JobAgent."""
        photo = assignment.photo
        async with self._database.reading() as reading:
            session = await reading.tryon_sessions.get(assignment.job.id)
        if session is None:
            raise Missing("session_expired", "The session is over. Begin another one with the photo.")
        request = TryOnRequest(
            upload_id=photo.id,
            photo_key=photo_key(photo.id),
            # whoever sends two photos under one token sees one model revision
            subject=f"{photo.tenant}/{session.user_token}",
            job_id=assignment.job.id,
            presets=session.presets,
        )
        return await self._engine.render(request)

    async def save(self, transaction: Transaction, assignment: Assignment, result: TryOnAnswer) -> None:
        """See JobAgent."""
        rendered = try_on_rendered(assignment.event, result.model_revision, telemetry.current_traceparent())
        await transaction.outbox.add(to_record(rendered))

    def steps(self, result: TryOnAnswer) -> Mapping[str, float]:
        """See JobAgent: the engine's own."""
        return result.timings
