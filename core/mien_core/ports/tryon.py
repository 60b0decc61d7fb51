"""What try-on sessions need of the database; database.Transaction has it."""

from typing import Protocol

from mien_core.model.tryon import NewTryOnSession, TryOnSession


class TryOnSessions(Protocol):
    """The tryon_sessions table.

    A session's state follows its job's: whatever moves the one, moves the other in the same transaction.
    """

    async def add(self, session: NewTryOnSession) -> None:
        """Save a session of a job that is there; an id that was saved before is the session that it is."""

    async def get(self, session_id: str) -> TryOnSession | None:
        """Read one; None from the moment on when it expires, whether its row is still there or not."""
