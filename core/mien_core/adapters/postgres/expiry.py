"""Uploads whose time is over."""

from collections.abc import Sequence
from typing import Final

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.model.expiry import ExpiredPhoto
from mien_core.model.holds import WITH_UPLOAD
from mien_core.rules.expiry import SETTLED, UNFINISHED

# rules.expiry.is_due in SQL; the contract suite holds both to the same
_DUE: Final = """(
    (purpose = 'tryon' AND expires_at <= now() - %(settled)s)
    OR (purpose <> 'tryon' AND state = 'expected' AND expires_at <= now() - %(unfinished)s)
) AND NOT are_held(tenant, user_id, %(classes)s::text[])"""
_SELECT: Final = f"""
    SELECT id, purpose, ARRAY(SELECT jobs.id::text FROM jobs WHERE jobs.upload_id = uploads.id) AS job_ids
    FROM uploads WHERE {_DUE} ORDER BY expires_at LIMIT %(limit)s
"""  # noqa: S608 - a constant of this module
_REMOVE: Final = f"DELETE FROM uploads WHERE id = ANY(%(ids)s) AND {_DUE} RETURNING id"  # noqa: S608 - likewise
_PARAMETERS: Final = {"settled": SETTLED, "unfinished": UNFINISHED, "classes": sorted(WITH_UPLOAD)}


class PostgresExpiry:
    """Meets ports.expiry.Expiry."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def due(self, limit: int) -> list[ExpiredPhoto]:
        """See ports.expiry.Expiry."""
        cursor = await self._statements.execute(_SELECT, {**_PARAMETERS, "limit": limit})
        return [ExpiredPhoto(str(row["id"]), row["purpose"], tuple(row["job_ids"])) async for row in cursor]

    async def remove(self, upload_ids: Sequence[str]) -> list[str]:
        """See ports.expiry.Expiry. Jobs, sessions and all else reference their upload, and go with it."""
        ids = [as_uuid(upload_id) for upload_id in upload_ids]
        cursor = await self._statements.execute(_REMOVE, {**_PARAMETERS, "ids": ids})
        return [str(row["id"]) async for row in cursor]
