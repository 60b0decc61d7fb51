"""Cross-origin requests: Starlette's rules, which what no page of a browser sent needn't wait for."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import Message, Receive, Scope, Send

_ORIGIN = b"origin"
_VARY = b"vary"


class Cors(CORSMiddleware):
    """Who names no origin is answered alike, but for the header that tells caches that others are not."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See CORSMiddleware."""
        if scope["type"] != "http" or any(name == _ORIGIN for name, _ in scope["headers"]):
            await super().__call__(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _varying_by_origin(message.get("headers", ()))
            await send(message)

        await self.app(scope, receive, send_on)


def _varying_by_origin(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    vary = [value for name, value in headers if name == _VARY]
    others = [pair for pair in headers if pair[0] != _VARY] if vary else headers
    return [*others, (_VARY, b", ".join([*vary, b"Origin"]))]
