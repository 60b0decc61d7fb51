"""Who a client is, behind proxies and behind lies."""

from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Scope

from mien_api.addresses import UNKNOWN, client_address

PROXY = "10.0.0.9"


def scope(*forwarded: str, peer: str | None = PROXY) -> Scope:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return {"type": "http", "headers": headers, "client": (peer, 4711) if peer is not None else None}


def test_the_header_is_not_believed_unless_proxies_are_trusted() -> None:
    """By default a client is whoever holds the connection, whatever it says of itself."""
    assert client_address(scope("203.0.113.7"), 0) == PROXY


def test_the_outermost_trusted_proxy_tells_the_client() -> None:
    """It is read from the right: as many as are trusted, in one header or several."""
    assert client_address(scope("203.0.113.7"), 1) == "203.0.113.7"
    assert client_address(scope("198.51.100.1, 203.0.113.7"), 1) == "203.0.113.7"
    assert client_address(scope("198.51.100.1, 203.0.113.7, 10.0.0.8"), 2) == "203.0.113.7"
    assert client_address(scope("198.51.100.1", "203.0.113.7,10.0.0.8"), 2) == "203.0.113.7"


@given(st.lists(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"))))
def test_what_a_client_writes_itself_changes_nothing(lies: list[str]) -> None:
    """Whatever stands left of what one's own proxies wrote, in whatever form, the client is the same."""
    assert client_address(scope(*lies, "203.0.113.7, 10.0.0.8"), 2) == "203.0.113.7"


def test_a_shorter_way_than_announced_is_as_far_as_is_known() -> None:
    """With fewer addresses than trusted proxies it is the leftmost; without any it is the peer."""
    assert client_address(scope("203.0.113.7"), 3) == "203.0.113.7"
    assert client_address(scope(), 3) == PROXY


def test_ports_and_forms_make_no_other_client() -> None:
    """An address is the same with a port, in brackets, and as IPv4 within IPv6."""
    for written in ("203.0.113.7", "203.0.113.7:8080", "::ffff:203.0.113.7", "[::ffff:203.0.113.7]:443"):
        assert client_address(scope(written), 1) == "203.0.113.7"


def test_one_client_has_a_whole_ipv6_network() -> None:
    """Another address of the same /64 is the same client; another /64 is another one."""
    first, second = (client_address(scope(peer=peer), 0) for peer in ("2001:db8::1", "2001:db8::ffff:1"))
    assert first == second == "2001:db8::/64"
    assert client_address(scope("[2001:db8:0:1::1]:443"), 1) == "2001:db8:0:1::/64"


def test_what_is_no_address_is_the_peer() -> None:
    """Rubbish where an address should be makes no client of its own; neither does a connection without addresses."""
    assert client_address(scope("unknown"), 1) == PROXY
    assert client_address(scope(peer=None), 0) == UNKNOWN
    assert client_address(scope(peer="/run/socket"), 0) == UNKNOWN
