"""The Resolver port in memory: names have the addresses that they were given."""

from collections.abc import Mapping, Sequence

from mien_core.errors import Unavailable


class MemoryResolver:
    """Meets ports.webhooks.Resolver. A name without addresses is one that doesn't exist."""

    def __init__(self, addresses: Mapping[str, Sequence[str]] | None = None) -> None:
        self.names: dict[str, Sequence[str]] = dict(addresses or {})

    async def addresses(self, host: str) -> Sequence[str]:
        """See ports.webhooks.Resolver."""
        found = self.names.get(host)
        if not found:
            raise Unavailable("host_unresolved", f"The host {host} has no address now.")
        return found
