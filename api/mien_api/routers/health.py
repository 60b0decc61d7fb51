"""Whether the service and what it depends on are well, and its metrics."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, Literal

import prometheus_client
from fastapi import APIRouter, Response
from pydantic import BaseModel

from mien_api.routers.dependencies import UsesHandlers
from mien_core.errors import Unavailable
from mien_core.ports.database import Database

router = APIRouter(tags=["Platform"])

CHECK_SECONDS = 3.0

# An event that waited this long means that nobody publishes: the relay or Kafka is away.
STALLED_SECONDS = 30.0


class Health(BaseModel):
    """ok, or degraded if one of the dependencies is not; each has its own word."""

    status: Literal["ok", "degraded"]
    dependencies: dict[str, Literal["ok", "unavailable", "stalled"]]


_DEGRADED: Final[dict[int | str, dict[str, Any]]] = {
    503: {
        "model": Health,
        "description": "Work can't be taken, or wouldn't be done.",
        "content": {
            "application/json": {
                "example": {
                    "status": "degraded",
                    "dependencies": {"postgres": "ok", "object_store": "unavailable", "pipeline": "ok"},
                }
            }
        },
    }
}


@router.get("/api/health", responses=_DEGRADED)
async def health(response: Response, handlers: UsesHandlers) -> Health:
    """Tell whether work can be taken and will be done: 200 if so, else 503."""
    names = ("postgres", "object_store", "pipeline")
    checks = (handlers.database.check(), handlers.object_store.check(), _check_pipeline(handlers.database))
    states = await asyncio.gather(*(_state(check) for check in checks))
    dependencies = dict(zip(names, states, strict=True))
    well = all(state == "ok" for state in states)
    if not well:
        response.status_code = 503
        response.headers["Retry-After"] = "5"
    return Health(status="ok" if well else "degraded", dependencies=dependencies)


@router.get("/metrics", response_class=Response, include_in_schema=False)
def metrics() -> Response:
    """Prometheus metrics of this process."""
    return Response(prometheus_client.generate_latest(), media_type=prometheus_client.CONTENT_TYPE_LATEST)


class _StalledError(Exception):
    """Events wait to be published and nobody comes."""


async def _check_pipeline(database: Database) -> None:
    async with database.reading() as transaction:
        if await transaction.outbox.oldest_due_seconds() > STALLED_SECONDS:
            raise _StalledError


async def _state(check: Awaitable[None]) -> Literal["ok", "unavailable", "stalled"]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check
    except (Unavailable, TimeoutError):
        return "unavailable"
    except _StalledError:
        return "stalled"
    return "ok"
