"""Where the platform may send what strangers ask it to send: never to its own network, nor to anybody's private one.

A URL alone doesn't tell where it leads: a name may have any address, and another one a moment later. So check_url looks
at the URL, and is_public has to be asked about the very address that is connected to.
"""

import re
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final

from mien_core.errors import Rejected

LONGEST_URL: Final = 2048
# Below are the ports of mail, shells and the like, which must not get to read what looks like their protocol.
FIRST_FREE_PORT: Final = 1024

_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_REST: Final = r"(?:[/?][A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
_PORT: Final = "(?::443|:1(?:02[4-9]|0[3-9][0-9]|[1-9][0-9]{2})|:[2-9][0-9]{3}|:[1-5][0-9]{4}|:6[0-4][0-9]{3})?"
# What is taken from strangers, as a regular expression that OpenAPI can show. The last label is no number: in an
# address of any notation it is one.
URL_PATTERN: Final = rf"^https://(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?{_PORT}{_REST}$"
# what development may name besides: http, addresses, names of one label, any port
_ANY_URL: Final = re.compile(
    rf"(?P<scheme>https?)://(?P<host>(?:{_LABEL}\.)*{_LABEL}|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{{1,5}}))?{_REST}"
)
_LONGEST_HOST: Final = 253
_HIGHEST_PORT: Final = 65535
_HTTPS_PORT: Final = 443
_NUMERIC_LABEL: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")

# https://www.iana.org/assignments/iana-ipv4-special-registry, and where clouds keep their credentials
_REFUSED_V4: Final = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared by a carrier's customers; Alibaba's metadata
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # Azure's platform
            "169.254.0.0/16",  # link-local; most clouds' metadata
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments; Oracle's metadata
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # relays to 6to4
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
# Only this part of IPv6 is given out as public. So loopback, mapped IPv4 (::ffff:0:0/96), NAT64 (64:ff9b::/96,
# 64:ff9b:1::/48), unique local, link-local and multicast addresses are none.
_PUBLIC_V6: Final = ip_network("2000::/3")
# https://www.iana.org/assignments/iana-ipv6-special-registry
_REFUSED_V6: Final = tuple(
    map(
        ip_network,
        (
            "2001::/23",  # protocol assignments; Teredo, which has an IPv4 address in it
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which has an IPv4 address in it
            "3fff::/20",  # documentation
        ),
    )
)


def is_public(address: str) -> bool:
    """Tell whether an IP address is one that anybody can reach; what is no address in its usual notation isn't."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _REFUSED_V4)
    return parsed.scope_id is None and parsed in _PUBLIC_V6 and not any(parsed in network for network in _REFUSED_V6)


def check_url(url: str, *, allow_private: bool) -> str:
    """Give the host of a URL that may be sent to, as far as the URL tells.

    Args:
        url: as a stranger wrote it.
        allow_private: for development: http, addresses, private ones among them, and any port.

    Raises:
        Rejected: webhook_address_refused, for a host that is an address; webhook_url_invalid, for anything else.
    """
    match = _ANY_URL.fullmatch(url) if len(url) <= LONGEST_URL else None
    port = int(match["port"] or _HTTPS_PORT) if match is not None else 0
    if match is None or len(match["host"]) > _LONGEST_HOST or not 0 < port <= _HIGHEST_PORT:
        raise _invalid("It must be an https URL with a host's name and no user, no password and no fragment.")
    host: str = match["host"]
    if allow_private:
        return host.strip("[]")
    if host.startswith("[") or _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        detail = "Webhooks go to hosts that have a name and a public address. Name the host instead of an address."
        raise Rejected("webhook_address_refused", detail)
    if match["scheme"] != "https":
        raise _invalid("Webhooks go over https only.")
    if port != _HTTPS_PORT and port < FIRST_FREE_PORT:
        raise _invalid(f"Webhooks go to the port {_HTTPS_PORT}, or to one from {FIRST_FREE_PORT} on.")
    if "." not in host:
        raise _invalid("Write the host's name whole, with its domain.")
    return host


def _invalid(what: str) -> Rejected:
    return Rejected("webhook_url_invalid", f"The webhook's URL can't be used. {what}")
