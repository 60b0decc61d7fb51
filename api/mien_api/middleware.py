"""What happens around every request: its id, its span, its log lines, its metrics, its size limit, what limits it.

Plain ASGI: Starlette's BaseHTTPMiddleware costs a task and a queue per request.
"""

import functools
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien_api import problems
from mien_api.limits import Limiting
from mien_api.request_ids import choose_request_id
from mien_api.usage import UsageMeter
from mien_core.telemetry import log_context, start_span

logger = logging.getLogger("mien_api.requests")

REQUESTS = Counter("mien_http_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram("mien_http_request_seconds", "Time to the last byte of an answer.", ["method", "route"])

# No JSON body of this API comes near it; photos go to the object store, or to a path that says how much it takes.
MAX_BODY_BYTES = 64 * 1024

# What asks every few seconds would drown the log.
_QUIET_PATHS = frozenset({"/api/health", "/metrics"})


class RequestMiddleware:
    """Wraps the whole app; the only place that catches Exception.

    Args:
        app: what is wrapped.
        body_limits: bytes that a body may have, by path; MAX_BODY_BYTES elsewhere.
        limiting: knows what each answer says of limits.
        meter: counts the answers.
    """

    def __init__(self, app: ASGIApp, body_limits: Mapping[str, int], limiting: Limiting, meter: UsageMeter) -> None:
        self._app = app
        self._body_limits = body_limits
        self._limiting = limiting
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = choose_request_id(headers.get("x-request-id"))
        # a dictionary of this request's own: some servers hand the same one to all, and the caller is noted in it
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        limit = self._body_limits.get(scope["path"], MAX_BODY_BYTES)
        answers = _Answers(request_id, self._limiting, self._meter)
        exchange = _Exchange(self._app, scope, receive, send, answers=answers, body_limit=limit)
        with (
            log_context(request_id=request_id),
            start_span(
                f"{scope['method']} {scope['path']}", traceparent=headers.get("traceparent"), kind=SpanKind.SERVER
            ) as span,
        ):
            await exchange.run()
            span.update_name(f"{scope['method']} {exchange.route}")
            span.set_attribute("http.route", exchange.route)
            span.set_attribute("http.response.status_code", exchange.status)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What every answer says in its headers, and that it is counted."""

    request_id: str
    limiting: Limiting
    meter: UsageMeter

    def begin(self, message: Message, scope: Scope) -> None:
        self.meter.count(scope, message["status"])
        own = {"x-request-id": self.request_id, **self.limiting.headers(scope)}
        headers = message.get("headers", ())
        message["headers"] = [*headers, *((name.encode(), value.encode()) for name, value in own.items())]


@functools.lru_cache(maxsize=1024)
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """What a request is counted by; finding it by its labels takes longer than counting."""
    return REQUESTS.labels(method, route, str(status)), SECONDS.labels(method, route)


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, answers: _Answers, body_limit: int
    ) -> None:
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self._answers = answers
        self._body_limit = body_limit
        self._body_bytes = 0
        self._answered = False
        self.status = 500

    @property
    def route(self) -> str:
        """The route's template: the path itself would make a metric series of every id."""
        return getattr(self._scope.get("route"), "path", "unmatched")

    async def run(self) -> None:
        method, path = self._scope["method"], self._scope["path"]
        client = self._scope.get("client")
        quiet = path in _QUIET_PATHS
        if not quiet:
            logger.info("%s %s - Client: %s", method, path, client[0] if client else "unknown")
        started = time.perf_counter()
        try:
            if self._announces_too_much():
                await self._refuse()
            else:
                await self._app(self._scope, self._counted_receive, self._identified_send)
        except Exception:
            logger.exception("%s %s failed", method, path)
            if self._answered:
                raise
            await problems.internal_error(Request(self._scope))(self._scope, self._receive, self._identified_send)
        seconds = time.perf_counter() - started
        requests, times = _series(method, self.route, self.status)
        requests.inc()
        times.observe(seconds)
        if not quiet:
            fields = {"status": self.status, "seconds": round(seconds, 4), "route": self.route}
            logger.info("Completed %d in %.3fs", self.status, seconds, extra=fields)

    def _announces_too_much(self) -> bool:
        announced = Headers(scope=self._scope).get("content-length", "0")
        return announced.isdecimal() and int(announced) > self._body_limit

    def _too_large(self) -> str:
        photos = self._body_limit > MAX_BODY_BYTES
        advice = "Send a smaller photo." if photos else "Photos go to the URL that /upload-url gives."
        return f"A request's body may have {self._body_limit:,} bytes here. {advice}"

    async def _refuse(self) -> None:
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        answer = problems.problem(
            Request(self._scope), "request_too_large", status, self._too_large(), headers={"Connection": "close"}
        )
        await answer(self._scope, self._receive, self._identified_send)

    async def _counted_receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._body_bytes += len(message.get("body", b""))
            if self._body_bytes > self._body_limit:
                # FastAPI lets its own exception pass and calls any other, while it reads a body, a bad request
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._too_large())
        return message

    async def _identified_send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._answered = True
            self.status = message["status"]
            self._answers.begin(message, self._scope)
        await self._send(message)
