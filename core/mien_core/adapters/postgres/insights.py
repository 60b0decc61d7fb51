"""The insights table."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.adapters.postgres.uploads import note_user
from mien_core.model.insights import Insight, InsightPosition, NewInsight, Span, Words

_ASK = """
    INSERT INTO insights (id, tenant, user_id, first_day, last_day)
    VALUES (%s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING
"""
_WRITE = """
    UPDATE insights SET text = %s, engine = %s, model = %s, written_at = clock_timestamp()
    WHERE id = %s AND written_at IS NULL
"""
_LIST = """
    SELECT * FROM insights
    WHERE tenant = %(tenant)s AND user_id = %(user_id)s
    AND (written_at, id) < (%(after_created_at)s, %(after_id)s)
    ORDER BY written_at DESC, id DESC LIMIT %(limit)s
"""
# with a condition that lets everything written pass the list is one statement, which the server plans once
_NEWEST: Final = InsightPosition(datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


class PostgresInsights:
    """Meets ports.insights.Insights."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def ask(self, insight: NewInsight) -> None:
        """See ports.insights.Insights."""
        await note_user(self._statements, insight.tenant, insight.user_id)
        span = insight.span
        await self._statements.write(_ASK, (insight.id, insight.tenant, insight.user_id, span.first, span.last))

    async def asked(self, insight_id: str) -> NewInsight | None:
        """See ports.insights.Insights."""
        row = await self._row(insight_id)
        return NewInsight(**_asked(row)) if row else None

    async def write(self, insight_id: str, words: Words) -> None:
        """See ports.insights.Insights."""
        await self._statements.write(_WRITE, (words.text, words.engine, words.model, as_uuid(insight_id)))

    async def get(self, insight_id: str) -> Insight | None:
        """See ports.insights.Insights."""
        row = await self._row(insight_id)
        return _insight(row) if row and row["written_at"] else None

    async def of_user(self, tenant: str, user_id: str, *, after: InsightPosition | None, limit: int) -> list[Insight]:
        """See ports.insights.Insights."""
        position = after or _NEWEST
        parameters = {
            "tenant": tenant,
            "user_id": user_id,
            "after_created_at": position.created_at,
            "after_id": position.id,
            "limit": limit,
        }
        return [_insight(row) for row in await (await self._statements.execute(_LIST, parameters)).fetchall()]

    async def _row(self, insight_id: str) -> dict[str, Any] | None:
        cursor = await self._statements.execute("SELECT * FROM insights WHERE id = %s", (as_uuid(insight_id),))
        return await cursor.fetchone()


def _asked(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "tenant": row["tenant"],
        "user_id": row["user_id"],
        "span": Span(row["first_day"], row["last_day"]),
    }


def _insight(row: dict[str, Any]) -> Insight:
    words = Words(row["text"], row["engine"], row["model"])
    return Insight(**_asked(row), words=words, created_at=row["written_at"])
