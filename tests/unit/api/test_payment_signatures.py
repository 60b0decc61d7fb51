"""Stripe's signatures: what is taken, and that everything else is not."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_api.payment_signatures import check_signature
from mien_core.errors import Rejected

SECRET = "whsec_of-the-signatures-tests"  # noqa: S105 - a test's own
OTHER_SECRET = "whsec_of-somebody-else"  # noqa: S105 - likewise
BODY = b'{"id": "evt_1", "amount": 499}'
NOW = 1_700_000_000


def signature(body: bytes = BODY, secret: str = SECRET, at: int | str = NOW) -> str:
    """As the scheme's documentation describes it, in other words than the code's."""
    signed = hmac.new(secret.encode(), digestmod=hashlib.sha256)
    signed.update(str(at).encode())
    signed.update(b".")
    signed.update(body)
    return signed.hexdigest()


def check(header: str, body: bytes = BODY, now: float = NOW) -> None:
    check_signature(header, body, SECRET, now=now, tolerance_seconds=300.0)


GOOD = f"t={NOW},v1={signature()}"


@pytest.mark.parametrize(
    "header",
    [
        GOOD,
        f"v1={signature()},t={NOW}",
        f"t={NOW}, v1={signature()}",
        # while a secret is being exchanged
        f"t={NOW},v1={signature(secret=OTHER_SECRET)},v1={signature()}",
        f"t={NOW},v1={signature()},v0={'0' * 64},v2=x",
    ],
)
def test_what_was_signed_with_the_secret_is_taken(header: str) -> None:
    """Whatever the order of its parts, and whatever else is among them."""
    check(header)


def test_a_known_signature_is_right() -> None:
    """As OpenSSL computes it: printf '1.{}' | openssl dgst -sha256 -hmac secret."""
    header = "t=1,v1=1122767b193110cfec322b6f199b599edbf608ed087f2d27afb0b97d99523908"
    check_signature(header, b"{}", "secret", now=1, tolerance_seconds=300.0)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "x",
        f"v1={signature()}",
        f"t={NOW}",
        f"t={NOW},v1=",
        f"t={NOW},v0={signature()}",
        f"t={NOW},v1={signature().upper()}",
        f"t={NOW},v1={signature()[:-1]}",
        f"t={NOW},v1={signature()}0",
        f"t={NOW},v1={signature(secret=OTHER_SECRET)}",
        f"t={NOW},v1={signature(body=BODY + b' ')}",
        # the time is signed, too
        f"t={NOW + 1},v1={signature()}",
        f"t={NOW},t={NOW},v1={signature()}",
        f"t=+{NOW},v1={signature(at=f'+{NOW}')}",
        f"t={NOW}.0,v1={signature(at=f'{NOW}.0')}",
        "t=\u0661,v1=" + signature(at="\u0661"),
        f"t=,v1={signature(at='')}",
        f"t={NOW},v1=\u00e9",
    ],
)
def test_everything_else_is_refused(header: str) -> None:
    """Other secrets, other bodies, other times, and what is no signature at all."""
    with pytest.raises(Rejected, match="signature_invalid"):
        check(header)


@pytest.mark.parametrize(("seconds", "fresh"), [(0, True), (299, True), (301, False), (-299, True), (-301, False)])
def test_an_old_signature_counts_no_more(seconds: int, *, fresh: bool) -> None:
    """Five minutes long, so that nobody who saw an event can send it again for ever; a clock may be ahead as far."""
    if fresh:
        check(GOOD, now=NOW + seconds)
        return
    with pytest.raises(Rejected, match="signature_too_old"):
        check(GOOD, now=NOW + seconds)


@given(st.binary(max_size=200), st.integers(0, 10**12 - 1))
def test_any_body_can_be_signed(body: bytes, at: int) -> None:
    """Byte for byte: it need be neither JSON nor text."""
    check_signature(f"t={at},v1={signature(body, at=at)}", body, SECRET, now=at, tolerance_seconds=300.0)
    with pytest.raises(Rejected):
        check_signature(f"t={at},v1={signature(body, at=at)}", body + b"\n", SECRET, now=at, tolerance_seconds=300.0)


@given(st.text(max_size=100))
def test_nothing_but_rejected_comes_out_of_garbage(header: str) -> None:
    """Whatever stands in the header."""
    with pytest.raises(Rejected, match="signature_invalid"):
        check(header)
