"""What every operation has, whichever router it is written in."""

from collections.abc import AsyncIterator

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts

from mien_api import operations
from mien_api.app import ROUTERS
from mien_api.operations import Operation
from mien_core.rules.load import Limits
from tests.unit.api.conftest import Platform

JOB = "/jobs/6f9619ff-8b86-d011-b42d-00cf4fc964ff"


@pytest.mark.parametrize("root_path", ["", "/mien", "/mien/"])
async def test_operations_are_found_under_a_root(platform: Platform, root_path: str) -> None:
    """Behind a proxy that puts a prefix before all paths the operations are the same, and unknown paths unknown."""
    headers = {"Authorization": await platform.secret()}
    async with LifespanManager(platform.app()) as manager:
        transport = httpx.ASGITransport(manager.app, root_path=root_path.rstrip("/"))
        async with httpx.AsyncClient(transport=transport, base_url="http://mien.test", headers=headers) as client:
            for path, status, code in (
                (JOB, 404, "job_not_found"),
                ("/journal/user/anna?limit=0", 422, "invalid_request"),
                ("/journals", 404, "route_not_found"),
                ("/journal", 405, "method_not_allowed"),
            ):
                answer = await client.get(root_path.rstrip("/") + path)
                assert (answer.status_code, answer.json()["code"]) == (status, code), path


async def test_who_is_sent_away_is_not_read(platform: Platform) -> None:
    """Where too much waits, nothing of a body is taken, neither to see who calls nor for an Idempotency-Key."""
    # no setting allows it; with it, each request is one too many
    platform.limits = Limits.model_construct(requests=0)
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"{}")
        yield b"{}"

    for headers in ({}, {"Idempotency-Key": "a"}):
        async with platform.client("mien_unknown") as client:
            answer = await client.post(
                "/analyze", content=body(), headers={"Content-Type": "application/json", **headers}
            )
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    assert not read


def test_no_operation_is_lost_or_changed(platform: Platform) -> None:
    """The app has each operation of each router, once and in their order, with all that it was declared with."""
    declared = [route for router in ROUTERS for route in iter_route_contexts(router.routes)]
    installed = [route for route in platform.app().routes if isinstance(route, Operation)]
    assert len(installed) == len(declared)
    for ours, theirs in zip(installed, declared, strict=True):
        for name in ("path", "endpoint", "methods", "tags", "status_code", "response_model", "responses", "summary"):
            assert getattr(ours, name) == getattr(theirs, name), (ours.path, name)


def test_routers_within_routers_are_installed_with_their_prefix() -> None:
    """A router may be made of others; their paths and tags are put together."""
    inner, outer, app = APIRouter(tags=["Inner"]), APIRouter(tags=["Outer"]), FastAPI()

    async def endpoint() -> None:
        """Answer."""

    inner.add_api_route("/thing", endpoint)
    outer.include_router(inner, prefix="/within")
    operations.install(app, [outer])
    (installed,) = [route for route in app.routes if isinstance(route, Operation)]
    assert (installed.path, sorted(map(str, installed.tags))) == ("/within/thing", ["Inner", "Outer"])
