"""The photo_days table."""

from datetime import date

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid


class PostgresPhotoDays:
    """Meets ports.cycle.PhotoDays."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, upload_id: str, day: date) -> None:
        """See ports.cycle.PhotoDays."""
        await self._statements.write(
            "INSERT INTO photo_days (upload_id, date) VALUES (%s, %s) ON CONFLICT (upload_id) DO NOTHING",
            (as_uuid(upload_id), day),
        )

    async def of_upload(self, upload_id: str) -> date | None:
        """See ports.cycle.PhotoDays."""
        cursor = await self._statements.execute(
            "SELECT date FROM photo_days WHERE upload_id = %s", (as_uuid(upload_id),)
        )
        row = await cursor.fetchone()
        day: date | None = row["date"] if row else None
        return day
