"""The insights table in memory."""

from datetime import UTC, datetime

from mien_core.adapters.memory.state import State, note_user
from mien_core.model.insights import Insight, InsightPosition, NewInsight, Words, position_of


class MemoryInsights:
    """Meets ports.insights.Insights."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def ask(self, insight: NewInsight) -> None:
        """See ports.insights.Insights."""
        note_user(self._state, insight.tenant, insight.user_id)
        self._state.asked_insights.setdefault(insight.id, insight)

    async def asked(self, insight_id: str) -> NewInsight | None:
        """See ports.insights.Insights."""
        return self._state.asked_insights.get(insight_id)

    async def write(self, insight_id: str, words: Words) -> None:
        """See ports.insights.Insights."""
        asked = self._state.asked_insights.get(insight_id)
        if asked is None:
            return
        written = Insight(
            id=asked.id,
            tenant=asked.tenant,
            user_id=asked.user_id,
            span=asked.span,
            words=words,
            created_at=datetime.now(UTC),
        )
        self._state.insights.setdefault(insight_id, written)

    async def get(self, insight_id: str) -> Insight | None:
        """See ports.insights.Insights."""
        return self._state.insights.get(insight_id)

    async def of_user(self, tenant: str, user_id: str, *, after: InsightPosition | None, limit: int) -> list[Insight]:
        """See ports.insights.Insights."""
        mine = [one for one in self._state.insights.values() if (one.tenant, one.user_id) == (tenant, user_id)]
        wanted = [one for one in mine if after is None or position_of(one) < after]
        return sorted(wanted, key=position_of, reverse=True)[:limit]
