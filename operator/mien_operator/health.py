"""What the kubelet and Prometheus ask: /healthz and /metrics."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from mien_operator import metrics
from mien_operator.pulse import Pulse

# Three probes and a half. A cluster that is away so long doesn't come back by a restart, which costs nothing then.
SILENT_SECONDS: Final = 210.0


def application(pulse: Pulse, leads: Callable[[], bool], silent_seconds: float = SILENT_SECONDS) -> web.Application:
    """Give the routes.

    Args:
        pulse: when the cluster was last heard of.
        leads: whether this process is the one that works.
        silent_seconds: from when on the process counts as stuck.
    """

    async def healthz(_: web.Request) -> web.Response:
        seconds = pulse.seconds
        stuck = seconds > silent_seconds
        return web.json_response(
            {
                "status": "stuck" if stuck else "ok",
                "leading": leads(),
                "secondsSinceLastEvent": round(seconds, 3),
            },
            status=503 if stuck else 200,
        )

    async def scraped(_: web.Request) -> web.Response:
        metrics.LEADING.set(leads())
        metrics.LAST_EVENT_SECONDS.set(pulse.seconds)
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    routes = web.Application()
    routes.add_routes([web.get("/healthz", healthz), web.get("/metrics", scraped)])
    return routes


@contextlib.asynccontextmanager
async def served(routes: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Serve for as long as the block lasts; its value is the port, which port 0 leaves to the machine."""
    runner = web.AppRunner(routes, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
