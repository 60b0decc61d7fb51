"""The analyses table."""

from dataclasses import fields
from typing import Any

from psycopg.types.json import Json

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.model.face import FaceReport
from mien_core.model.platform import Analysis, NewAnalysis
from mien_core.model.serving import PhotoFacts
from mien_core.model.skin import SkinReport

NEW_FIELDS = tuple(field.name for field in fields(NewAnalysis))

# reports as text: pydantic reads JSON itself, and faster than from what another parser made of it
_COLUMNS = """
    upload_id, job_id, tenant, user_id, model_revision, etag, report::text, skin::text, photo::text, annotated_key,
    mask_keys, created_at
"""
_GET = f"SELECT {_COLUMNS} FROM analyses WHERE upload_id = %s"  # noqa: S608 - a constant of this module
# the first expression is the index's, to the letter
_NEWEST_OF_PIXELS = f"""
    SELECT {_COLUMNS} FROM analyses
    WHERE tenant = %s AND photo->>'pixel_digest' = %s AND upload_id IS DISTINCT FROM %s AND etag IS NOT NULL
    ORDER BY created_at DESC LIMIT 1
"""  # noqa: S608 - likewise


class PostgresAnalyses:
    """Meets ports.analyses.Analyses."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def save(self, analysis: NewAnalysis) -> Analysis:
        """See ports.analyses.Analyses."""
        cursor = await self._statements.execute(
            """
            INSERT INTO analyses (upload_id, job_id, tenant, user_id, model_revision, etag, report, skin, photo,
                                  annotated_key, mask_keys)
            VALUES (%s, %s, %s, %s, %s, %s, %s::json, %s::json, %s::json, %s, %s)
            ON CONFLICT (upload_id) DO UPDATE
            SET job_id = excluded.job_id, model_revision = excluded.model_revision, etag = excluded.etag,
                report = excluded.report, skin = excluded.skin, photo = excluded.photo,
                annotated_key = excluded.annotated_key, mask_keys = excluded.mask_keys,
                created_at = excluded.created_at
            RETURNING created_at
            """,
            (
                analysis.upload_id,
                analysis.job_id,
                analysis.tenant,
                analysis.user_id,
                analysis.model_revision,
                analysis.etag,
                analysis.report.model_dump_json(),
                analysis.skin.model_dump_json() if analysis.skin else None,
                analysis.photo.model_dump_json(),
                analysis.annotated_key,
                Json(dict(analysis.mask_keys)),
            ),
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - INSERT … RETURNING has one row; tells mypy so
        return Analysis(**{name: getattr(analysis, name) for name in NEW_FIELDS}, created_at=row["created_at"])

    async def get(self, upload_id: str) -> Analysis | None:
        """See ports.analyses.Analyses."""
        return await self._one(_GET, as_uuid(upload_id))

    async def newest_of_pixels(self, tenant: str, pixel_digest: str, besides: str) -> Analysis | None:
        """See ports.analyses.Analyses."""
        return await self._one(_NEWEST_OF_PIXELS, tenant, pixel_digest, as_uuid(besides))

    async def _one(self, statement: Any, *parameters: object) -> Analysis | None:
        row = await (await self._statements.execute(statement, parameters)).fetchone()
        return _analysis(row) if row else None


def _analysis(row: dict[str, Any]) -> Analysis:
    read = {
        "upload_id": str(row["upload_id"]),
        "job_id": str(row["job_id"]),
        "report": FaceReport.model_validate_json(row["report"]),
        "skin": SkinReport.model_validate_json(row["skin"]) if row["skin"] else None,
        "photo": PhotoFacts.model_validate_json(row["photo"]),
    }
    return Analysis(**{**row, **read})
