"""The analyses table."""

from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Json

from mien_core.adapters.postgres.translation import as_uuid
from mien_core.model.face import FaceReport
from mien_core.model.platform import Analysis, NewAnalysis
from mien_core.model.serving import PhotoFacts


class PostgresAnalyses:
    """Meets ports.Analyses."""

    def __init__(self, connection: AsyncConnection[dict[str, Any]]) -> None:
        self._connection = connection

    async def save(self, analysis: NewAnalysis) -> Analysis:
        """See ports.Analyses."""
        cursor = await self._connection.execute(
            """
            INSERT INTO analyses (upload_id, job_id, tenant, user_id, model_revision, report, photo, annotated_key)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (upload_id) DO UPDATE
            SET job_id = excluded.job_id, model_revision = excluded.model_revision, report = excluded.report,
                photo = excluded.photo, annotated_key = excluded.annotated_key, created_at = excluded.created_at
            RETURNING *
            """,
            (
                analysis.upload_id,
                analysis.job_id,
                analysis.tenant,
                analysis.user_id,
                analysis.model_revision,
                Json(analysis.report.model_dump(mode="json")),
                Json(analysis.photo.model_dump(mode="json")),
                analysis.annotated_key,
            ),
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - INSERT … RETURNING has one row; tells mypy so
        return _analysis(row)

    async def get(self, upload_id: str) -> Analysis | None:
        """See ports.Analyses."""
        cursor = await self._connection.execute("SELECT * FROM analyses WHERE upload_id = %s", (as_uuid(upload_id),))
        row = await cursor.fetchone()
        return _analysis(row) if row else None


def _analysis(row: dict[str, Any]) -> Analysis:
    return Analysis(
        upload_id=str(row["upload_id"]),
        job_id=str(row["job_id"]),
        tenant=row["tenant"],
        user_id=row["user_id"],
        model_revision=row["model_revision"],
        report=FaceReport.model_validate(row["report"]),
        photo=PhotoFacts.model_validate(row["photo"]),
        annotated_key=row["annotated_key"],
        created_at=row["created_at"],
    )
