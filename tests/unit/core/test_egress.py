"""Where strangers may have something sent: to no private address, however it is written."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_core.errors import Rejected
from mien_core.rules.egress import URL_PATTERN, check_url, is_public

PRIVATE_V4 = [
    ip_network(network)
    for network in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ]
]
PRIVATE_V6 = [
    ip_network(network)
    for network in [
        "::/8",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/32",
        "2001:db8::/32",
        "2002::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ]
]
METADATA = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"]


def addresses_in(network: IPv4Network | IPv6Network) -> st.SearchStrategy[IPv4Address | IPv6Address]:
    first, last = int(network.network_address), int(network.broadcast_address)
    kind = IPv4Address if network.version == 4 else IPv6Address
    return st.integers(first, last).map(kind)


@given(st.sampled_from([*PRIVATE_V4, *PRIVATE_V6]).flatmap(addresses_in))
def test_no_address_of_a_private_network_is_public(address: IPv4Address | IPv6Address) -> None:
    """Private, loopback, link-local, shared, multicast, reserved, translated: none of them, edges included."""
    assert not is_public(str(address))


@pytest.mark.parametrize("network", [*PRIVATE_V4, *PRIVATE_V6], ids=str)
def test_the_edges_of_private_networks_are_private(network: IPv4Network | IPv6Network) -> None:
    """The first and the last address of each."""
    assert not is_public(str(network.network_address))
    assert not is_public(str(network.broadcast_address))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_within_an_ipv6_one_opens_nothing(address: IPv4Address) -> None:
    """Mapped, translated by NAT64, or in 6to4: none is taken, whatever the address in it is."""
    number = int(address)
    assert not is_public(str(IPv6Address(0xFFFF << 32 | number)))
    assert not is_public(str(IPv6Address(0x64FF9B << 96 | number)))
    assert not is_public(str(IPv6Address(0x2002 << 112 | number << 80)))


@given(st.ip_addresses())
def test_what_python_knows_as_private_is_not_public(address: IPv4Address | IPv6Address) -> None:
    """The standard library's list, kept by others, is part of this one."""
    if not address.is_global or address.is_multicast:
        assert not is_public(str(address))


@pytest.mark.parametrize("address", METADATA)
def test_where_clouds_keep_credentials_is_not_public(address: str) -> None:
    """The metadata services, one of which has an address that looks like anybody's."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "11.0.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"]
)
def test_what_everybody_can_reach_is_public(address: str) -> None:
    """Addresses beside the private networks, too."""
    assert is_public(address)


@pytest.mark.parametrize(
    "text", ["", "example.com", "127.1", "2130706433", "0x7f.0.0.1", "::1%lo", "2606:4700::1%eth0"]
)
def test_what_is_no_address_is_not_public(text: str) -> None:
    """Names, other notations, and addresses that hold in one network only."""
    assert not is_public(text)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "https://shop.example/",
        "https://shop.example:443/a/b?c=d&e=%20",
        "https://a-b.c1.example:8443?x",
        "https://xn--bcher-kva.example/mien",
        "https://1.example/",
    ],
)
def test_https_to_a_hosts_name_is_taken(url: str) -> None:
    """With a path, a query, and a port above the system's."""
    assert check_url(url, allow_private=False) == url.split("/")[2].split("?", maxsplit=1)[0].split(":", maxsplit=1)[0]


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/",
        "HTTPS://shop.example/",
        "ftp://shop.example/",
        "//shop.example/",
        "shop.example",
        "",
        "https://",
        "https:///path",
        "https://user@shop.example/",
        "https://user:word@shop.example/",
        "https://shop.example@127.0.0.1/",
        "https://shop.example#@127.0.0.1/",
        "https://shop.example\\@127.0.0.1/",
        "https://shop.example/#fragment",
        "https://shop.example:25/",
        "https://shop.example:80/",
        "https://shop.example:0/",
        "https://shop.example:99999/",
        "https://shop.example:/",
        "https://localhost/",
        "https://postgres:5432/",
        "https://shop..example/",
        "https://-shop.example/",
        "https://shop.example./",
        "https://bücher.example/",
        "https://shop.example/\n",
        "https://shop.example/ x",
        "https://sho\tp.example/",
        f"https://{'a' * 64}.example/",
        f"https://{'a.' * 127}example/",
        "https://shop.example/" + "a" * 2048,
    ],
)
def test_other_urls_are_not(url: str) -> None:
    """No other scheme, user, fragment, system's port, half a name, or what two parsers may read in two ways."""
    with pytest.raises(Rejected) as raised:
        check_url(url, allow_private=False)
    assert raised.value.code == "webhook_url_invalid"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.1.2.3", "93.184.216.34", "127.1", "2130706433", "0x7f000001", "0177.0.0.0x1", "[::1]"]
)
def test_an_address_in_any_notation_is_refused(host: str) -> None:
    """Certificates are for names; and what looks like a number is one to some resolvers."""
    with pytest.raises(Rejected) as raised:
        check_url(f"https://{host}/", allow_private=False)
    assert raised.value.code == "webhook_address_refused"


@pytest.mark.parametrize("url", ["http://127.0.0.1:3000/hook", "http://localhost:80/", "https://[::1]:8443/"])
def test_development_may_name_its_own_machine(url: str) -> None:
    """Over http, at any port."""
    assert check_url(url, allow_private=True) in {"127.0.0.1", "localhost", "::1"}


@given(st.from_regex(URL_PATTERN, fullmatch=True).filter(lambda url: "\n" not in url))
def test_what_the_contract_shows_is_taken(url: str) -> None:
    """Every URL of the pattern in the OpenAPI passes, but for hosts and URLs that are too long."""
    host = url.split("/")[2].split("?", maxsplit=1)[0].split(":", maxsplit=1)[0]
    if len(url) <= 2048 and len(host) <= 253:
        assert check_url(url, allow_private=False) == host


def test_an_address_given_as_text_is_read_as_python_reads_it() -> None:
    """So what is checked is what a socket is given."""
    assert str(ip_address("2606:4700:0::1111")) == "2606:4700::1111"
    assert is_public("2606:4700:0::1111")
