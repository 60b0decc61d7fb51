"""What limits and usage cost a request: a bare handler behind a caller's credential, with both and without them.

In one process and without a network, so that nothing else hides the cost; leases and batches go to a real Postgres.
The two apps take turns, since a machine isn't equally fast all the time; the ratios are those of turns side by side.
"""

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from statistics import median
from typing import Any, Final
from uuid import uuid4

from fastapi import Depends, FastAPI, Request
from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Scope

from bench.figures import percentile, report
from mien_api.guard import GuardMiddleware
from mien_api.limits import Limiting, RateLimits
from mien_api.middleware import RequestMiddleware
from mien_api.usage import UsageMeter
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.adapters.postgres.quotas import PostgresQuotas
from mien_core.model.platform import Caller
from mien_core.settings import PostgresSettings

PATH: Final = "/bare"
CLIENTS: Final = 16
# so many that none is refused, and so few that a lease is for as many requests as usual
CALLERS: Final = 40
# short turns and many of them: what else the machine does then falls on both
REQUESTS: Final = 160
TURNS: Final = 80
# No limit of the project's. A handler that does nothing takes less than a third of a millisecond; a real one waits for
# statements besides.
P50_LIMIT_RATIO: Final = 1.5


class Unlimited(Limiting):
    """Limits nobody and says nothing."""

    async def admit(self, request: Request, caller: Caller) -> None:
        """Admit everybody."""

    def headers(self, scope: Scope) -> dict[str, str]:
        """Say nothing."""
        del scope
        return {}


class Uncounted(UsageMeter):
    """Counts nothing."""

    def count(self, scope: Scope, status: int) -> None:
        """Forget it."""


def run(environment: Mapping[str, str]) -> None:
    """Print the figures, with the Postgres of the platform that this environment describes."""
    asyncio.run(_run(PostgresSettings(url=SecretStr(environment["MIEN_POSTGRES__URL"]))))


async def _run(settings: PostgresSettings) -> None:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(PostgresDatabase(settings))
        # every run has windows of its own
        limiting = Limiting(RateLimits(), open_quotas=lambda: PostgresQuotas(settings))
        meter = UsageMeter()
        await stack.enter_async_context(limiting.running())
        await stack.enter_async_context(meter.writing(database))
        callers = [Caller(f"bench-{uuid4()}", str(number)) for number in range(CALLERS)]
        both, neither = _app(limiting, meter, callers), _app(Unlimited(), Uncounted(), callers)
        # the first turn of each warms up, and begins the callers' windows
        turns = [(await _turn(both), await _turn(neither)) for _ in range(1 + TURNS)][1:]
    report(
        "limits_and_usage_p50_ratio",
        median(percentile(one.ms, 50) / percentile(other.ms, 50) for one, other in turns),
        "ratio",
        P50_LIMIT_RATIO,
        rps_ratio=round(median(one.rps / other.rps for one, other in turns), 3),
        cpu_ratio=round(median(one.cpu_ms / other.cpu_ms for one, other in turns), 3),
        **_details("with", [one for one, _ in turns]),
        **_details("without", [other for _, other in turns]),
    )


@dataclass(frozen=True)
class Turn:
    """Milliseconds of each request, requests in a second, and what one request takes of the processor."""

    ms: list[float]
    rps: float
    cpu_ms: float


def _details(name: str, turns: Sequence[Turn]) -> dict[str, float]:
    return {
        f"p50_ms_{name}": round(median(percentile(turn.ms, 50) for turn in turns), 3),
        f"p99_ms_{name}": round(median(percentile(turn.ms, 99) for turn in turns), 3),
        f"rps_{name}": round(median(turn.rps for turn in turns)),
        f"cpu_ms_{name}": round(median(turn.cpu_ms for turn in turns), 3),
    }


def _app(limiting: Limiting, meter: UsageMeter, callers: Sequence[Caller]) -> ASGIApp:
    numbers = itertools.cycle(callers)

    async def known(request: Request) -> None:
        request.state.caller = next(numbers)
        await limiting.admit(request, request.state.caller)

    async def bare() -> dict[str, str]:
        return {"status": "ok"}

    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False})
    app.add_api_route(PATH, bare, dependencies=[Depends(known)])
    app.add_middleware(GuardMiddleware, body_limits={})
    app.add_middleware(RequestMiddleware, limiting=limiting, meter=meter)
    return app


async def _turn(app: ASGIApp) -> Turn:
    milliseconds: list[float] = []

    async def client() -> None:
        for _ in range(REQUESTS // CLIENTS):
            started = time.perf_counter()
            status = await _call(app)
            milliseconds.append((time.perf_counter() - started) * 1000)
            if status != HTTPStatus.OK:
                raise RuntimeError(f"a request was answered {status}")

    started, cpu_started = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client())
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    return Turn(milliseconds, REQUESTS / seconds, cpu_seconds * 1000 / REQUESTS)


async def _call(app: ASGIApp) -> int:
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
        # where a server would write to its socket
        await asyncio.sleep(0)

    headers = [(b"host", b"bench"), (b"authorization", b"Bearer bench")]
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("192.0.2.7", 4711),
        "server": ("bench", 80),
        "state": {},
    }
    await app(scope, receive, send)
    return statuses[0]
