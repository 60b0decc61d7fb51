"""The user_poster_history table."""

from datetime import UTC, datetime
from typing import Any, Final

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.model.platform import JobStatus
from mien_core.model.posters import Design, NewPoster, Poster, PosterPosition

# A clock may stand still or go back, and the timestamp is half of a line's name.
_ADD = """
    INSERT INTO user_poster_history
           (tenant, user_id, timestamp, job_id, title, prompt, genre, style, aspect, upload_id, fingerprint)
    SELECT %(tenant)s, %(user_id)s, greatest(clock_timestamp(), max(timestamp) + interval '1 microsecond'), %(job_id)s,
           %(title)s, %(prompt)s, %(genre)s, %(style)s, %(aspect)s, %(upload_id)s, %(fingerprint)s
    FROM user_poster_history WHERE tenant = %(tenant)s AND user_id = %(user_id)s
"""
_POSTERS = "SELECT poster.*, jobs.status FROM user_poster_history AS poster JOIN jobs ON jobs.id = poster.job_id"
_OF_JOB = f"{_POSTERS} WHERE poster.job_id = %s"
_ALIKE = f"""
    {_POSTERS}
    WHERE poster.tenant = %s AND poster.user_id = %s AND poster.fingerprint = %s
    AND poster.timestamp > clock_timestamp() - make_interval(secs => %s) AND jobs.status NOT IN ('failed', 'cancelled')
    ORDER BY poster.timestamp DESC LIMIT 1
"""
_LIST = f"""
    {_POSTERS}
    WHERE poster.tenant = %(tenant)s AND poster.user_id = %(user_id)s AND poster.timestamp < %(after)s
    ORDER BY poster.timestamp DESC LIMIT %(limit)s
"""
_NEWEST: Final = PosterPosition(datetime.max.replace(tzinfo=UTC))


class PostgresPosters:
    """Meets ports.posters.Posters."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, poster: NewPoster) -> Poster:
        """See ports.posters.Posters."""
        design = poster.design
        await self._statements.write(
            _ADD,
            {
                "tenant": poster.tenant,
                "user_id": poster.user_id,
                "job_id": as_uuid(poster.job_id),
                "title": design.title,
                "prompt": design.prompt,
                "genre": design.genre,
                "style": design.style,
                "aspect": design.aspect,
                "upload_id": None if design.upload_id is None else as_uuid(design.upload_id),
                "fingerprint": poster.fingerprint,
            },
        )
        added = await self.of_job(poster.job_id)
        assert added is not None  # noqa: S101 - it is there: else the statement before would have failed
        return added

    async def of_job(self, job_id: str) -> Poster | None:
        """See ports.posters.Posters."""
        return await self._one(_OF_JOB, as_uuid(job_id))

    async def alike(self, tenant: str, user_id: str, fingerprint: bytes, seconds: float) -> Poster | None:
        """See ports.posters.Posters."""
        return await self._one(_ALIKE, tenant, user_id, fingerprint, seconds)

    async def of_user(self, tenant: str, user_id: str, *, after: PosterPosition | None, limit: int) -> list[Poster]:
        """See ports.posters.Posters."""
        position = after or _NEWEST
        parameters = {"tenant": tenant, "user_id": user_id, "after": position.timestamp, "limit": limit}
        cursor = await self._statements.execute(_LIST, parameters)
        return [_poster(row) for row in await cursor.fetchall()]

    async def _one(self, statement: str, *parameters: object) -> Poster | None:
        row = await (await self._statements.execute(statement, parameters)).fetchone()
        return _poster(row) if row else None


def _poster(row: dict[str, Any]) -> Poster:
    return Poster(
        job_id=str(row["job_id"]),
        tenant=row["tenant"],
        user_id=row["user_id"],
        design=Design(
            title=row["title"],
            prompt=row["prompt"],
            genre=row["genre"],
            style=row["style"],
            aspect=row["aspect"],
            upload_id=None if row["upload_id"] is None else str(row["upload_id"]),
        ),
        fingerprint=bytes(row["fingerprint"]),
        timestamp=row["timestamp"],
        status=JobStatus(row["status"]),
    )
