"""What makes two requests the same one, and a body that is known before anybody has read it."""

import hashlib
import json
from collections import deque
from typing import Final

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

_FORM: Final = b"multipart/form-data"

# Clients choose how small the pieces are in which a body comes; these bound what each byte of it costs.
_PIECE_BYTES: Final = 64 * 1024


class BodyDigest:
    """The digest of a body that comes in pieces; however it is cut, it is the same.

    A form's boundary is left out of it: browsers draw a new one for every attempt, so that the same form would never
    be the same bytes. What lies between two boundaries is digested by itself, so that nothing can move across them.
    """

    def __init__(self, boundary: bytes = b"") -> None:
        self._boundary = boundary
        self._parts = hashlib.sha256()
        self._part = hashlib.sha256()
        self._pending = b""

    def update(self, piece: bytes) -> None:
        """Take the next piece in."""
        if not self._boundary:
            self._part.update(piece)
            return
        *ended, rest = (self._pending + piece).split(self._boundary)
        for part in ended:
            self._end_part(part)
        # the last bytes may be the beginning of a boundary
        settled = max(0, len(rest) - len(self._boundary) + 1)
        self._part.update(rest[:settled])
        self._pending = rest[settled:]

    def digest(self) -> bytes:
        """Give the digest of all pieces; none may follow."""
        self._end_part(self._pending)
        return self._parts.digest()

    def _end_part(self, rest: bytes) -> None:
        self._part.update(rest)
        self._parts.update(self._part.digest())
        self._part = hashlib.sha256()


class KnownBody:
    """A request's body: digested as it passes, and, where nobody has read it yet, read ahead and held for the app.

    What is held goes piece by piece as the app takes it, so there are never two copies of a photo in here.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        media_type, options = parse_options_header(Headers(scope=scope).get("content-type"))
        form = media_type == _FORM
        self._digest = BodyDigest(options.get(b"boundary", b"") if form else b"")
        self._described = [
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            _FORM.decode() if form else Headers(scope=scope).get("content-type", ""),
            Headers(scope=scope).get("if-match", ""),
            Headers(scope=scope).get("consent", ""),
        ]
        self._held: deque[bytearray] = deque()
        self._complete = False
        self._given = False
        self._disconnected: Message | None = None

    async def receive(self) -> Message:
        """Give the app its next message."""
        if self._held:
            body = bytes(self._held.popleft())
        elif self._complete and not self._given:
            body = b""
        elif self._disconnected is not None:
            return self._disconnected
        else:
            message = await self._next()
            self._given = self._complete
            return message
        self._given = self._complete and not self._held
        return {"type": "http.request", "body": body, "more_body": not self._given}

    async def request_digest(self) -> bytes | None:
        """Give what is the same for the same request alone: route, query, type, condition, consent and body.

        None if the client left before the body's end. To be asked once.
        """
        while not self._complete and self._disconnected is None:
            self._hold((await self._next()).get("body", b""))
        if not self._complete:
            return None
        described = json.dumps([*self._described, self._digest.digest().hex()])
        return hashlib.sha256(described.encode()).digest()

    def _hold(self, piece: bytes) -> None:
        if not self._held or len(self._held[-1]) + len(piece) > _PIECE_BYTES:
            self._held.append(bytearray())
        self._held[-1] += piece

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._digest.update(message.get("body", b""))
            self._complete = not message.get("more_body", False)
        else:
            self._disconnected = message
        return message
