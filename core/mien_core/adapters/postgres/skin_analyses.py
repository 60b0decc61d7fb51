"""The skin_analyses table."""

from typing import Any

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.uploads import note_user
from mien_core.model.platform import NewSkinAnalysis, SkinAnalysis


class PostgresSkinAnalyses:
    """Meets ports.analyses.SkinAnalyses."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def save(self, analysis: NewSkinAnalysis) -> SkinAnalysis:
        """See ports.analyses.SkinAnalyses."""
        await note_user(self._statements, analysis.tenant, analysis.user_id)
        cursor = await self._statements.execute(
            """
            INSERT INTO skin_analyses (id, tenant, user_id, skin_type, conditions, skin_score, recommended_chapter)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (id) DO UPDATE
            SET skin_type = excluded.skin_type, conditions = excluded.conditions, skin_score = excluded.skin_score,
                recommended_chapter = excluded.recommended_chapter, created_at = excluded.created_at
            RETURNING *
            """,
            (
                analysis.id,
                analysis.tenant,
                analysis.user_id,
                analysis.skin_type,
                list(analysis.conditions),
                analysis.skin_score,
                analysis.recommended_chapter,
            ),
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - INSERT … RETURNING has one row; tells mypy so
        return _skin_analysis(row)

    async def of_user(self, tenant: str, user_id: str) -> list[SkinAnalysis]:
        """See ports.analyses.SkinAnalyses."""
        cursor = await self._statements.execute(
            "SELECT * FROM skin_analyses WHERE tenant = %s AND user_id = %s ORDER BY created_at, id", (tenant, user_id)
        )
        return [_skin_analysis(row) async for row in cursor]


def _skin_analysis(row: dict[str, Any]) -> SkinAnalysis:
    return SkinAnalysis(**{**row, "id": str(row["id"]), "conditions": tuple(row["conditions"])})
