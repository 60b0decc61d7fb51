"""`python -m mien_api keys`: makes, lists and revokes API keys, each noted in the audit log."""

from mien_api.credentials import new_api_key
from mien_core.model.platform import ApiKey
from mien_core.ports.database import Database

# who did it, in the audit log: whoever has a console has the database, too
ACTOR = "console"


async def create(database: Database, tenant: str, owner: str, scopes: frozenset[str]) -> tuple[ApiKey, str]:
    """Make a key; the second value is its secret.

    Raises:
        Rejected: unknown_scope.
    """
    new_key, secret = new_api_key(tenant, owner, scopes)
    async with database.transaction() as transaction:
        key = await transaction.api_keys.add(new_key)
        await transaction.audit_log.add(ACTOR, "api_key.created", key.id)
    return key, secret


async def list_keys(database: Database, tenant: str | None) -> list[ApiKey]:
    """Give the keys of a tenant, or of all."""
    async with database.reading() as transaction:
        return await transaction.api_keys.of_tenant(tenant)


async def revoke(database: Database, key_id: str) -> ApiKey:
    """Make a key useless from now on.

    Raises:
        Missing: api_key_not_found.
    """
    async with database.transaction() as transaction:
        key = await transaction.api_keys.revoke(key_id)
        await transaction.audit_log.add(ACTOR, "api_key.revoked", key.id)
    return key
