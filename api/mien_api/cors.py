"""Cross-origin requests: Starlette's rules, for which what no page of a browser sent needn't wait."""

from collections.abc import Awaitable, Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ORIGIN = b"origin"
_VARY = b"vary"


class Cors:
    """CORSMiddleware for whoever names an origin; others get the header that tells caches that answers differ.

    Args:
        app: what is wrapped.
        origins: the pages that may call; they may use all methods and headers.
        exposed_headers: what they may read besides the body.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str], exposed_headers: Sequence[str]) -> None:
        self._app = app
        self._of_pages = CORSMiddleware(
            app, allow_origins=origins, allow_methods=["*"], allow_headers=["*"], expose_headers=exposed_headers
        )

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request."""
        if scope["type"] != "http" or any(name == _ORIGIN for name, _ in scope["headers"]):
            return self._of_pages(scope, receive, send)

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _varying_by_origin(message.get("headers", ()))
            await send(message)

        return self._app(scope, receive, send_on)


def _varying_by_origin(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    vary = [value for name, value in headers if name == _VARY]
    others = [pair for pair in headers if pair[0] != _VARY] if vary else headers
    return [*others, (_VARY, b", ".join([*vary, b"Origin"]))]
