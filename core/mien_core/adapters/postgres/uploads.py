"""The uploads and users tables."""

from typing import Any, Final

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.model.platform import NewUpload, Upload, UploadState


class PostgresUploads:
    """Meets ports.uploads.Uploads."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, upload: NewUpload) -> Upload:
        """See ports.uploads.Uploads."""
        if upload.user_id is not None:
            await note_user(self._statements, upload.tenant, upload.user_id)
        cursor = await self._statements.execute(
            """
            INSERT INTO uploads (id, tenant, user_id, purpose, content_type, content_length, consent, pixel_digest,
                                 expires_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, now() + make_interval(secs => %s))
            ON CONFLICT (id) DO UPDATE SET expires_at = greatest(uploads.expires_at, excluded.expires_at)
            RETURNING *
            """,
            (
                upload.id,
                upload.tenant,
                upload.user_id,
                upload.purpose,
                upload.content_type,
                upload.content_length,
                upload.consent,
                upload.pixel_digest,
                upload.expires_in_seconds,
            ),
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - INSERT … RETURNING has one row; tells mypy so
        return _upload(row)

    async def get(self, upload_id: str) -> Upload | None:
        """See ports.uploads.Uploads."""
        cursor = await self._statements.execute("SELECT * FROM uploads WHERE id = %s", (as_uuid(upload_id),))
        row = await cursor.fetchone()
        return _upload(row) if row else None

    async def mark_received(self, upload_id: str, keep_seconds: int) -> None:
        """See ports.uploads.Uploads."""
        await self._statements.write(
            """
            UPDATE uploads SET state = 'received', expires_at = now() + make_interval(secs => %s)
            WHERE id = %s AND state <> 'received'
            """,
            (keep_seconds, as_uuid(upload_id)),
        )


# At the beginning of a statement that adds a user's thing: the user has a row from now on.
NOTING_USER: Final = """
    WITH noted AS (INSERT INTO users (tenant, id) VALUES (%(tenant)s, %(user_id)s) ON CONFLICT DO NOTHING)
"""


async def note_user(statements: Statements, tenant: str, user_id: str) -> None:
    """Have a row for the user from now on."""
    await statements.write("INSERT INTO users (tenant, id) VALUES (%s, %s) ON CONFLICT DO NOTHING", (tenant, user_id))


def _upload(row: dict[str, Any]) -> Upload:
    return Upload(**{**row, "id": str(row["id"]), "state": UploadState(row["state"])})
