"""On PosterRequested: have the poster made, or say why there is none; what it cost is then given back."""

from collections.abc import Mapping

from mien_core import telemetry
from mien_core.errors import Missing, Rejected
from mien_core.events import PosterRequested, poster_rendered, to_record
from mien_core.model.keys import poster_key
from mien_core.model.posters import Poster
from mien_core.model.serving import PosterAnswer, PosterRequest
from mien_core.ports.database import Database, Transaction
from mien_streams.job_agent import Assignment, JobAgent
from mien_streams.posters import PosterEngine

NAME = "render-poster"


class RenderPoster(JobAgent[PosterAnswer]):
    """One PNG and one PosterRendered. The line in the user's history is there since the job is."""

    name = NAME
    takes = PosterRequested
    hop = "serving"

    def __init__(self, database: Database, engine: PosterEngine) -> None:
        self._database = database
        self._engine = engine

    async def work(self, assignment: Assignment) -> PosterAnswer:
        """See JobAgent."""
        return await self._engine.render(_request(await self._ordered(assignment.job.id)))

    async def save(self, transaction: Transaction, assignment: Assignment, result: PosterAnswer) -> None:
        """See JobAgent."""
        rendered = poster_rendered(assignment.event, result.engine, telemetry.current_traceparent())
        await transaction.outbox.add(to_record(rendered))

    def steps(self, result: PosterAnswer) -> Mapping[str, float]:
        """See JobAgent: serving's own."""
        return result.timings

    async def _ordered(self, job_id: str) -> Poster:
        """Read what was ordered.

        Raises:
            Missing: poster_not_found, where it was erased meanwhile.
            Rejected: photo_expired.
        """
        async with self._database.reading() as reading:
            poster = await reading.posters.of_job(job_id)
            if poster is None:
                raise Missing("poster_not_found", "There is no such poster any more.")
            if poster.design.upload_id is not None:
                photo = await reading.uploads.get(poster.design.upload_id)
                if photo is None or await reading.now() >= photo.expires_at:
                    raise Rejected("photo_expired", "The photo is no longer kept. Upload it again.")
        return poster


def _request(poster: Poster) -> PosterRequest:
    design = poster.design
    return PosterRequest(
        job_id=poster.job_id,
        poster_key=poster_key(poster.job_id),
        upload_id=design.upload_id,
        title=design.title,
        prompt=design.prompt,
        genre=design.genre,
        style=design.style,
        aspect=design.aspect,
    )
