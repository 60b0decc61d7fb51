"""The users table."""

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.uploads import note_user
from mien_core.model.platform import User


class PostgresUsers:
    """Meets ports.uploads.Users."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def note(self, tenant: str, user_id: str) -> None:
        """See ports.uploads.Users."""
        await note_user(self._statements, tenant, user_id)

    async def get(self, tenant: str, user_id: str) -> User | None:
        """See ports.uploads.Users."""
        cursor = await self._statements.execute(
            "SELECT tenant, id, email, created_at FROM users WHERE tenant = %s AND id = %s", (tenant, user_id)
        )
        row = await cursor.fetchone()
        return User(**row) if row else None
