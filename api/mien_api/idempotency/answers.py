"""Answers to be given again: kept so that nobody can read them but who asked for them.

An answer may hold a presigned URL, a secret that is shown once, or what a face looks like. It is sealed with a key that
is made of the caller and the Idempotency-Key. The platform keeps neither the one nor the other, only the hash by which
a row is found.
"""

import hmac
import json
import os
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from mien_core.model.platform import Caller

REPLAYED_HEADER: Final = "Idempotency-Replayed"

# What describes an answer, or says what to do next. All else belongs to one exchange: ids, timings, limits, cookies.
_KEPT_HEADERS: Final = frozenset(
    {
        "cache-control",
        "content-disposition",
        "content-language",
        "content-location",
        "content-type",
        "etag",
        "last-modified",
        "link",
        "location",
        "preference-applied",
        "retry-after",
    }
)
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, with those of its headers that are kept."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @classmethod
    def of(cls, status: int, headers: Headers, body: bytes) -> Self:
        """Take what is kept of an answer."""
        return cls(status, tuple((name, value) for name, value in headers.items() if name in _KEPT_HEADERS), body)

    def encoded(self) -> bytes:
        """Write it as bytes."""
        return json.dumps([self.status, self.headers]).encode() + b"\n" + self.body

    @classmethod
    def decoded(cls, encoded: bytes) -> Self:
        """Read what encoded wrote."""
        head, _, body = encoded.partition(b"\n")
        status, headers = json.loads(head)
        return cls(status, tuple((name, value) for name, value in headers), body)

    def replayed(self, age_seconds: float) -> Response:
        """Make the answer again, and say so; Age tells how much of what expires is over."""
        response = Response(self.body, self.status)
        headers = MutableHeaders(raw=response.raw_headers)
        for name, value in self.headers:
            headers.append(name, value)
        headers[REPLAYED_HEADER] = "true"
        headers["Age"] = str(int(age_seconds))
        return response


class Seal:
    """Finds and seals what one caller does under one Idempotency-Key.

    Callers with other scopes are other callers: what one may ask for the other may not even see again.

    Args:
        caller: who asks.
        address: where an anonymous caller asks from, so that strangers who use the same simple keys don't meet; None
            for everybody else.
        idempotency_key: as it was sent.
    """

    def __init__(self, caller: Caller, address: str | None, idempotency_key: str) -> None:
        whose = [caller.tenant, caller.user_id, sorted(caller.scopes), address, idempotency_key]
        material = json.dumps(whose).encode()
        self.key = hmac.digest(material, b"find", "sha256")
        self._cipher = AESGCM(hmac.digest(material, b"seal", "sha256"))

    def close(self, answer: Answer) -> bytes:
        """Make an answer unreadable."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, answer.encoded(), self.key)

    def open(self, closed: bytes) -> Answer:
        """Read what close made."""
        return Answer.decoded(self._cipher.decrypt(closed[:_NONCE_BYTES], closed[_NONCE_BYTES:], self.key))
