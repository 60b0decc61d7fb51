"""The api_keys and audit_log tables."""

from typing import Any

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.errors import Missing
from mien_core.model.audit import AuditRow
from mien_core.model.platform import ApiKey, NewApiKey


class PostgresApiKeys:
    """Meets ports.credentials.ApiKeys."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, key: NewApiKey) -> ApiKey:
        """See ports.credentials.ApiKeys."""
        cursor = await self._statements.execute(
            "INSERT INTO api_keys (id, tenant, owner, scopes, secret_hash) VALUES (%s, %s, %s, %s, %s) RETURNING *",
            (key.id, key.tenant, key.owner, sorted(key.scopes), key.secret_hash),
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - INSERT … RETURNING has one row; tells mypy so
        return _api_key(row)

    async def by_hash(self, secret_hash: str) -> ApiKey | None:
        """See ports.credentials.ApiKeys."""
        cursor = await self._statements.execute("SELECT * FROM api_keys WHERE secret_hash = %s", (secret_hash,))
        row = await cursor.fetchone()
        return _api_key(row) if row else None

    async def of_tenant(self, tenant: str | None) -> list[ApiKey]:
        """See ports.credentials.ApiKeys."""
        cursor = await self._statements.execute(
            "SELECT * FROM api_keys WHERE %(tenant)s::text IS NULL OR tenant = %(tenant)s ORDER BY created_at, id",
            {"tenant": tenant},
        )
        return [_api_key(row) async for row in cursor]

    async def revoke(self, key_id: str) -> ApiKey:
        """See ports.credentials.ApiKeys."""
        cursor = await self._statements.execute(
            "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = %s RETURNING *",
            (as_uuid(key_id),),
        )
        row = await cursor.fetchone()
        if row is None:
            raise Missing("api_key_not_found", "There is no such API key. List them to see their ids.")
        return _api_key(row)


class PostgresAuditLog:
    """Meets ports.audit.AuditLog."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, actor: str, action: str, subject: str) -> None:
        """See ports.audit.AuditLog."""
        await self._statements.write(
            "INSERT INTO audit_log (actor, action, subject) VALUES (%s, %s, %s)", (actor, action, subject)
        )

    async def chain(self) -> None:
        """See ports.audit.AuditLog. Rows that are noted later in the same transaction are bound at once, too."""
        await self._statements.write("SET CONSTRAINTS audit_chained IMMEDIATE")

    async def newest(self, action: str, subject: str) -> AuditRow | None:
        """See ports.audit.AuditLog."""
        cursor = await self._statements.execute(
            """
            SELECT * FROM audit_log WHERE subject = %s AND action = %s AND position IS NOT NULL
            ORDER BY position DESC LIMIT 1
            """,
            (subject, action),
        )
        row = await cursor.fetchone()
        return _audit_row(row) if row else None

    async def rows(self, after: int, limit: int) -> list[AuditRow]:
        """See ports.audit.AuditLog."""
        cursor = await self._statements.execute(
            "SELECT * FROM audit_log WHERE position > %s ORDER BY position LIMIT %s", (after, limit)
        )
        return [_audit_row(row) async for row in cursor]

    async def unchained(self) -> int:
        """See ports.audit.AuditLog."""
        cursor = await self._statements.execute("SELECT count(*) AS rows FROM audit_log WHERE position IS NULL")
        row = await cursor.fetchone()
        return int(row["rows"]) if row else 0


def _audit_row(row: dict[str, Any]) -> AuditRow:
    names = ("position", "at", "actor", "action", "subject", "previous", "hash")
    return AuditRow(**{name: row[name] for name in names})


def _api_key(row: dict[str, Any]) -> ApiKey:
    return ApiKey(**{**row, "id": str(row["id"]), "scopes": frozenset(row["scopes"])})
