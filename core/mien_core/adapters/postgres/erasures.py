"""The erasures, erased_media, erasure_counts and erasure_certificates tables."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.errors import Unavailable
from mien_core.model.privacy import Certificate, Deleted, Erasure, Person

# Two at once: the second waits for the first's end, and is then in conflict with its row.
_BEGIN: Final = """
    INSERT INTO erasures (job_id, tenant, user_id, pseudonym)
    VALUES (%(job_id)s, %(tenant)s, %(user_id)s, %(pseudonym)s)
    ON CONFLICT DO NOTHING RETURNING *
"""
_KNOWN: Final = """
    SELECT * FROM erasures WHERE job_id = %(job_id)s OR (tenant = %(tenant)s AND user_id = %(user_id)s)
    ORDER BY job_id = %(job_id)s DESC LIMIT 1
"""
_ATTEMPTS: Final = 3
_COUNT: Final = """
    INSERT INTO erasure_counts (job_id, store, name, deleted) VALUES (%s, %s, %s, %s)
    ON CONFLICT (job_id, store, name) DO UPDATE SET deleted = erasure_counts.deleted + excluded.deleted
"""


class PostgresErasures:
    """Meets ports.privacy.Erasures."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def begin(self, job_id: str, person: Person) -> Erasure:
        """See ports.privacy.Erasures."""
        parameters = {
            "job_id": as_uuid(job_id),
            "tenant": person.tenant,
            "user_id": person.user_id,
            "pseudonym": person.pseudonym,
        }
        for _ in range(_ATTEMPTS):
            # the second finds none where the one that was in the way of the first has ended in between
            for statement in (_BEGIN, _KNOWN):
                row = await (await self._statements.execute(statement, parameters)).fetchone()
                if row is not None:
                    return _erasure(row)
        raise Unavailable("erasure_contended", "Erasures of this user begin and end in this moment. Try again.")

    async def get(self, job_id: str) -> Erasure | None:
        """See ports.privacy.Erasures."""
        cursor = await self._statements.execute("SELECT * FROM erasures WHERE job_id = %s", (as_uuid(job_id),))
        row = await cursor.fetchone()
        return _erasure(row) if row else None

    async def end(self, job_id: str) -> None:
        """See ports.privacy.Erasures."""
        await self._statements.write(
            "UPDATE erasures SET user_id = NULL, ended_at = now() WHERE job_id = %s AND user_id IS NOT NULL",
            (as_uuid(job_id),),
        )

    async def count(self, job_id: str, deleted: Deleted) -> None:
        """See ports.privacy.Erasures."""
        counts = [("postgres", table, rows) for table, rows in deleted.rows.items()]
        counts += [("s3", "objects", deleted.objects)]
        for store, name, number in counts:
            if number:
                await self._statements.write(_COUNT, (as_uuid(job_id), store, name, number))

    async def counts(self, job_id: str) -> Deleted:
        """See ports.privacy.Erasures."""
        cursor = await self._statements.execute(
            "SELECT store, name, deleted FROM erasure_counts WHERE job_id = %s ORDER BY store, name", (as_uuid(job_id),)
        )
        found = [row async for row in cursor]
        rows = {row["name"]: row["deleted"] for row in found if row["store"] == "postgres"}
        return Deleted(rows, sum(row["deleted"] for row in found if row["store"] == "s3"))

    async def certify(self, job_id: str, pseudonym: str, document: str) -> None:
        """See ports.privacy.Erasures."""
        await self._statements.write(
            """
            INSERT INTO erasure_certificates (job_id, pseudonym, document) VALUES (%s, %s, %s)
            ON CONFLICT (job_id) DO NOTHING
            """,
            (as_uuid(job_id), pseudonym, document),
        )

    async def certificate(self, job_id: str) -> Certificate | None:
        """See ports.privacy.Erasures."""
        cursor = await self._statements.execute(
            "SELECT pseudonym, document FROM erasure_certificates WHERE job_id = %s", (as_uuid(job_id),)
        )
        row = await cursor.fetchone()
        return Certificate(job_id, row["pseudonym"], row["document"]) if row else None

    async def watch(self, job_id: str, prefixes: Sequence[str], seconds: float) -> None:
        """See ports.privacy.Erasures."""
        await self._statements.write(
            """
            INSERT INTO erased_media (prefix, job_id, late_until)
            SELECT unnest(%s::text[]), %s, clock_timestamp() + make_interval(secs => %s)
            ON CONFLICT (prefix) DO UPDATE
            SET job_id = excluded.job_id, late_until = greatest(erased_media.late_until, excluded.late_until)
            """,
            (list(prefixes), as_uuid(job_id), seconds),
        )

    async def watched(self, job_id: str, limit: int) -> list[str]:
        """See ports.privacy.Erasures."""
        cursor = await self._statements.execute(
            "SELECT prefix FROM erased_media WHERE job_id = %s ORDER BY prefix LIMIT %s", (as_uuid(job_id), limit)
        )
        return [row["prefix"] async for row in cursor]

    async def unwatch(self, job_id: str, prefixes: Collection[str]) -> None:
        """See ports.privacy.Erasures."""
        await self._statements.write(
            "DELETE FROM erased_media WHERE job_id = %s AND prefix = ANY(%s)", (as_uuid(job_id), list(prefixes))
        )

    async def seconds_watched(self, job_id: str) -> float:
        """See ports.privacy.Erasures."""
        cursor = await self._statements.execute(
            """
            SELECT coalesce(extract(epoch FROM max(late_until) - clock_timestamp()), 0)::float8 AS seconds
            FROM erased_media WHERE job_id = %s
            """,
            (as_uuid(job_id),),
        )
        row = await cursor.fetchone()
        return max(0.0, row["seconds"]) if row else 0.0


def _erasure(row: dict[str, Any]) -> Erasure:
    return Erasure(
        job_id=str(row["job_id"]),
        tenant=row["tenant"],
        user_id=row["user_id"],
        pseudonym=row["pseudonym"],
        requested_at=row["requested_at"],
    )
