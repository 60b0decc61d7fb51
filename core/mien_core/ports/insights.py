"""What insights need of the database; database.Transaction has it."""

from typing import Protocol

from mien_core.model.insights import Insight, InsightPosition, NewInsight, Words


class Insights(Protocol):
    """The insights table. What is asked for and not written yet is in no list."""

    async def ask(self, insight: NewInsight) -> None:
        """Save what is asked for; its user appears on first sight. An id that is there stays what it is."""

    async def asked(self, insight_id: str) -> NewInsight | None:
        """Read what was asked for, be it written or not."""

    async def write(self, insight_id: str, words: Words) -> None:
        """Save the words of what was asked for; those that are there stay. What isn't there any more is left alone."""

    async def get(self, insight_id: str) -> Insight | None:
        """Read one that is written."""

    async def of_user(self, tenant: str, user_id: str, *, after: InsightPosition | None, limit: int) -> list[Insight]:
        """A user's insights, newest first, beginning after a position."""
