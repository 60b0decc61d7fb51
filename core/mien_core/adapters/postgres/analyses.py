"""The analyses table."""

from dataclasses import fields
from typing import Any

from psycopg import AsyncConnection

from mien_core.adapters.postgres.translation import as_uuid
from mien_core.model.face import FaceReport
from mien_core.model.platform import Analysis, NewAnalysis
from mien_core.model.serving import PhotoFacts

NEW_FIELDS = tuple(field.name for field in fields(NewAnalysis))


class PostgresAnalyses:
    """Meets ports.Analyses."""

    def __init__(self, connection: AsyncConnection[dict[str, Any]]) -> None:
        self._connection = connection

    async def save(self, analysis: NewAnalysis) -> Analysis:
        """See ports.Analyses."""
        cursor = await self._connection.execute(
            """
            INSERT INTO analyses (upload_id, job_id, tenant, user_id, model_revision, report, photo, annotated_key)
            VALUES (%s, %s, %s, %s, %s, %s::json, %s::json, %s)
            ON CONFLICT (upload_id) DO UPDATE
            SET job_id = excluded.job_id, model_revision = excluded.model_revision, report = excluded.report,
                photo = excluded.photo, annotated_key = excluded.annotated_key, created_at = excluded.created_at
            RETURNING created_at
            """,
            (
                analysis.upload_id,
                analysis.job_id,
                analysis.tenant,
                analysis.user_id,
                analysis.model_revision,
                analysis.report.model_dump_json(),
                analysis.photo.model_dump_json(),
                analysis.annotated_key,
            ),
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - INSERT … RETURNING has one row; tells mypy so
        return Analysis(**{name: getattr(analysis, name) for name in NEW_FIELDS}, created_at=row["created_at"])

    async def get(self, upload_id: str) -> Analysis | None:
        """See ports.Analyses."""
        # as text: pydantic reads JSON itself, and faster than from what another parser made of it
        cursor = await self._connection.execute(
            """
            SELECT job_id, tenant, user_id, model_revision, report::text, photo::text, annotated_key, created_at
            FROM analyses WHERE upload_id = %s
            """,
            (as_uuid(upload_id),),
        )
        row = await cursor.fetchone()
        if row is None:
            return None
        return Analysis(
            upload_id=upload_id,
            job_id=str(row["job_id"]),
            tenant=row["tenant"],
            user_id=row["user_id"],
            model_revision=row["model_revision"],
            report=FaceReport.model_validate_json(row["report"]),
            photo=PhotoFacts.model_validate_json(row["photo"]),
            annotated_key=row["annotated_key"],
            created_at=row["created_at"],
        )
