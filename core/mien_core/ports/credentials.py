"""API keys."""

from typing import Protocol

from mien_core.model.platform import ApiKey, NewApiKey


class ApiKeys(Protocol):
    """The api_keys table."""

    async def add(self, key: NewApiKey) -> ApiKey:
        """Save a key."""

    async def by_hash(self, secret_hash: str) -> ApiKey | None:
        """Find a key by its secret's hash, revoked ones included."""

    async def of_tenant(self, tenant: str | None) -> list[ApiKey]:
        """The keys of a tenant, or of all, oldest first."""

    async def revoke(self, key_id: str) -> ApiKey:
        """Revoke a key; a second time changes nothing.

        Raises:
            Missing: api_key_not_found.
        """
