"""API keys in memory."""

from dataclasses import asdict, replace

from mien_core.adapters.memory.state import State, utc_now
from mien_core.errors import Missing
from mien_core.model.platform import ApiKey, NewApiKey


class MemoryApiKeys:
    """Meets ports.credentials.ApiKeys."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, key: NewApiKey) -> ApiKey:
        """See ports.credentials.ApiKeys."""
        added = ApiKey(**asdict(key), created_at=utc_now(), revoked_at=None)
        self._state.api_keys[key.id] = added
        return added

    async def by_hash(self, secret_hash: str) -> ApiKey | None:
        """See ports.credentials.ApiKeys."""
        return next((key for key in self._state.api_keys.values() if key.secret_hash == secret_hash), None)

    async def of_tenant(self, tenant: str | None) -> list[ApiKey]:
        """See ports.credentials.ApiKeys."""
        return [key for key in self._state.api_keys.values() if tenant in {None, key.tenant}]

    async def revoke(self, key_id: str) -> ApiKey:
        """See ports.credentials.ApiKeys."""
        key = self._state.api_keys.get(key_id)
        if key is None:
            raise Missing("api_key_not_found", "There is no such API key. List them to see their ids.")
        revoked = replace(key, revoked_at=key.revoked_at or utc_now())
        self._state.api_keys[key_id] = revoked
        return revoked
