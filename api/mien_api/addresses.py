"""Which client a request comes from, where proxies stand between."""

import functools
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers
from starlette.types import Scope

UNKNOWN = "unknown"
# A household or a phone has a network of this size and takes any address in it.
_IPV6_CLIENT_BITS = 64


def client_address(scope: Scope, trusted_proxies: int) -> str:
    """Give the client's address: what the outermost of the trusted proxies saw.

    Each proxy appends whom it was called by to X-Forwarded-For, so it is read from the right; whatever stands further
    left was written by the client itself, or by others whom nobody knows. Of an IPv6 address it is the network that
    one client has.

    Args:
        scope: the request's.
        trusted_proxies: how many proxies of one's own every request comes through; with 0 the header isn't looked at.
    """
    peer = scope.get("client")
    seen = [peer[0] if peer else ""]
    if trusted_proxies:
        forwarded = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")
        seen = [part.strip() for part in forwarded if part.strip()] + seen
    # with fewer than there should be, the leftmost is as far as is known
    return _client_of(seen[max(0, len(seen) - 1 - trusted_proxies)]) or _client_of(seen[-1]) or UNKNOWN


@functools.lru_cache(maxsize=4096)
def _client_of(text: str) -> str | None:
    """The address without a port, as whose it is; None if it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(IPv6Network((int(address), _IPV6_CLIENT_BITS), strict=False))
        address = address.ipv4_mapped
    return str(address)
