"""Answers what no endpoint can: a body that is too long, and a bug. The only place that catches Exception.

It stands inside of CORS, so that a page in a browser may read these answers, too.
"""

import logging
from collections.abc import Awaitable, Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien_api import problems

logger = logging.getLogger(__name__)

# No JSON body of this API comes near it; photos go to the object store, or to a path that says how much it takes.
MAX_BODY_BYTES = 64 * 1024


class GuardMiddleware:
    """Wraps the endpoints and all that belongs to them.

    Args:
        app: what is wrapped.
        body_limits: bytes that a body may have, by path; MAX_BODY_BYTES elsewhere.
    """

    def __init__(self, app: ASGIApp, body_limits: Mapping[str, int]) -> None:
        self._app = app
        self._body_limits = body_limits

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        limit = self._body_limits.get(scope["path"], MAX_BODY_BYTES)
        return _Exchange(self._app, scope, receive, send, body_limit=limit).run()


class _Exchange:
    """One request and its answer."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, body_limit: int) -> None:
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self._body_limit = body_limit
        self._body_bytes = 0
        self._answered = False

    async def run(self) -> None:
        try:
            if self._announces_too_much():
                await self._refuse()
            else:
                await self._app(self._scope, self._counted_receive, self._noted_send)
        except Exception:
            logger.exception("%s %s failed", self._scope["method"], self._scope["path"])
            if self._answered:
                raise
            await problems.internal_error(Request(self._scope))(self._scope, self._receive, self._send)

    def _announces_too_much(self) -> bool:
        announced = next((value for name, value in self._scope["headers"] if name == b"content-length"), b"0")
        return announced.isdigit() and int(announced) > self._body_limit

    def _too_large(self) -> str:
        photos = self._body_limit > MAX_BODY_BYTES
        advice = "Send a smaller photo." if photos else "Photos go to the URL that /upload-url gives."
        return f"A request's body may have {self._body_limit:,} bytes here. {advice}"

    async def _refuse(self) -> None:
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        answer = problems.problem(
            Request(self._scope), "request_too_large", status, self._too_large(), headers={"Connection": "close"}
        )
        await answer(self._scope, self._receive, self._send)

    async def _counted_receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._body_bytes += len(message.get("body", b""))
            if self._body_bytes > self._body_limit:
                # FastAPI lets its own exception pass and calls any other, while it reads a body, a bad request
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._too_large())
        return message

    async def _noted_send(self, message: Message) -> None:
        self._answered = self._answered or message["type"] == "http.response.start"
        await self._send(message)
