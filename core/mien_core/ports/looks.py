"""What saved looks need of the database; database.Transaction has it."""

from typing import Protocol

from mien_core.model.looks import Look, LookPosition, NewLook


class Looks(Protocol):
    """The looks table."""

    async def add(self, look: NewLook) -> Look:
        """Save a look; its user appears on first sight. An id that was saved before is the look that it is."""

    async def of_user(self, tenant: str, user_id: str, *, after: LookPosition | None, limit: int) -> list[Look]:
        """A user's looks, newest first, beginning after a position."""
