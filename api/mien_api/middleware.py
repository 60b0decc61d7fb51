"""What happens around every request: its id, its span, its log lines, its metrics, what limits it.

Plain ASGI: Starlette's BaseHTTPMiddleware costs a task and a queue per request.
"""

import functools
import logging
import time
from dataclasses import dataclass

from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien_api.limits import Limiting
from mien_api.request_ids import choose_request_id
from mien_api.usage import UsageMeter
from mien_core.telemetry import log_context, log_now, start_span

logger = logging.getLogger("mien_api.requests")

REQUESTS = Counter("mien_http_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram("mien_http_request_seconds", "Time to the last byte of an answer.", ["method", "route"])

# What asks every few seconds would drown the log.
_QUIET_PATHS = frozenset({"/api/health", "/metrics"})


class RequestMiddleware:
    """Wraps the whole app.

    Args:
        app: what is wrapped.
        limiting: knows what each answer says of limits.
        meter: counts the answers.
    """

    def __init__(self, app: ASGIApp, limiting: Limiting, meter: UsageMeter) -> None:
        self._app = app
        self._limiting = limiting
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = dict(scope["headers"])
        request_id = choose_request_id(_text(sent.get(b"x-request-id")))
        # a dictionary of this request's own: some servers hand the same one to all, and the caller is noted in it
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        answers = _Answers(request_id, self._limiting, self._meter)
        exchange = _Exchange(self._app, scope, receive, send, answers=answers)
        with (
            log_context(request_id=request_id),
            start_span(
                f"{scope['method']} {scope['path']}",
                traceparent=_text(sent.get(b"traceparent")),
                kind=SpanKind.SERVER,
            ) as span,
        ):
            await exchange.run()
            if span.is_recording():
                span.update_name(f"{scope['method']} {exchange.route}")
                span.set_attribute("http.route", exchange.route)
                span.set_attribute("http.response.status_code", exchange.status)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


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

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, answers: _Answers) -> None:
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self._answers = answers
        self.status = 500

    @property
    def route(self) -> str:
        """The route's template: the path itself would make a metric series of every id."""
        return getattr(self._scope.get("route"), "path", "unmatched")

    async def run(self) -> None:
        method, path = self._scope["method"], self._scope["path"]
        request_id, client = self._answers.request_id, self._answers.limiting.address(self._scope)
        quiet = path in _QUIET_PATHS
        if not quiet:
            fields = {"method": method, "path": path, "client": client}
            log_now(logger, f"[{request_id}] {method} {path} - Client: {client}", fields)
        started = time.perf_counter()
        await self._app(self._scope, self._receive, self._identified_send)
        seconds = time.perf_counter() - started
        requests, times = _series(method, self.route, self.status)
        requests.inc()
        times.observe(seconds)
        if not quiet:
            measured = {"status": self.status, "seconds": round(seconds, 4), "route": self.route}
            log_now(logger, f"[{request_id}] Completed {self.status} in {seconds:.3f}s", measured)

    async def _identified_send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._answers.begin(message, self._scope)
        await self._send(message)
