"""What the sweep needs of the database; database.Transaction has it."""

from collections.abc import Sequence
from typing import Protocol

from mien_core.model.expiry import ExpiredPhoto


class Expiry(Protocol):
    """The photos whose time is over, by rules.expiry and the database's clock, without those that a hold keeps."""

    async def due(self, limit: int) -> list[ExpiredPhoto]:
        """Read photos whose time is over, those that have waited longest first."""

    async def remove(self, upload_ids: Sequence[str]) -> list[str]:
        """Delete the uploads, and with them all rows that belong to them; give the ids of those that are gone by it.

        Those whose time is not over (any more) stay, as one whose bytes were looked for at the last moment.
        """
