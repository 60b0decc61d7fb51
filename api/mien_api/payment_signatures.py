"""Stripe's scheme for signed events, as its documentation of webhook signatures has it.

`Stripe-Signature: t=1492774577,v1=5257a8…,v1=…`: v1 is the HMAC-SHA256, in hex, of the time as it stands there, a
point, and the body's raw bytes. There are several while a secret is being exchanged; other schemes are passed over.
"""

import hashlib
import hmac
import re
from typing import Final

from mien_core.errors import Rejected

_TIME: Final = re.compile(r"[0-9]{1,12}")
_SCHEME: Final = "v1"


def check_signature(header: str, body: bytes, secret: str, *, now: float, tolerance_seconds: float) -> None:
    """Refuse a body that wasn't signed with the secret, or not lately.

    Args:
        header: the value of Stripe-Signature.
        body: as it came, byte for byte.
        secret: the endpoint's.
        now: seconds since 1970.
        tolerance_seconds: how far the signature's time may be from now.

    Raises:
        Rejected: signature_invalid, signature_too_old.
    """
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not _TIME.fullmatch(times[0]):
        raise _invalid()
    expected = hmac.digest(secret.encode(), f"{times[0]}.".encode() + body, hashlib.sha256).hex()
    given = [value for name, _, value in parts if name == _SCHEME]
    # all of them, each in constant time: how long it takes tells nobody which was nearly right
    if not any([hmac.compare_digest(expected.encode(), value.encode()) for value in given]):  # noqa: C419 - see above
        raise _invalid()
    # only now: whoever can't sign learns nothing of this clock
    if abs(now - int(times[0])) > tolerance_seconds:
        detail = "The event was signed too long ago, or by a clock that is wrong. Send it anew, with a new signature."
        raise Rejected("signature_too_old", detail)


def _invalid() -> Rejected:
    return Rejected("signature_invalid", "The body is not signed with this endpoint's secret. Check the secret.")
