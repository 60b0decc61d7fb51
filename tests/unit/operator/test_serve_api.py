"""Serve's REST API as the operator uses it, against a server that speaks as Ray's does."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr, ValidationError

from mien_core.errors import Rejected, Unavailable
from mien_core.model.comparisons import Comparison, ComparisonWindow, windows_to_json
from mien_core.rules.serve_config import Revision, RevisionOptions, ServeOptions, render, revision_name
from mien_operator.controller import Resource
from mien_operator.rollouts.controller import Elders
from mien_operator.rollouts.serve_api import RouterApi, ServeApi
from mien_operator.rollouts.serve_state import Application, parse
from mien_operator.rollouts.spec import ModelRolloutSpec
from mien_operator.rollouts.status import Phase
from mien_operator.rollouts.wiring import RolloutSettings, built
from tests.rollout_world import BEGIN, MISMATCH, SimulatedServe, World, spec

DIGEST = "sha256:" + "a" * 64
OWN = RevisionOptions(
    gpus_per_replica=1.0,
    min_replicas=2,
    max_replicas=5,
    target_ongoing_requests=4.0,
    upscale_delay_seconds=1.0,
    downscale_delay_seconds=2.0,
    max_ongoing_requests=3,
    max_queued_requests=9,
)
TOKEN = SecretStr("sesame")


@dataclass
class Ray:
    """Ray's dashboard and Serve's router in one."""

    serve: SimulatedServe = field(default_factory=SimulatedServe)
    status: int = 200
    text: str = ""
    windows: bytes = b""
    url: str = ""

    async def get(self, request: web.Request) -> web.Response:
        if request.headers.get("authorization") != "Bearer sesame":
            return web.Response(status=401, text="no token")
        if self.status != 200:
            return web.Response(status=self.status, text=self.text)
        return web.json_response(self.serve.details())

    async def put(self, request: web.Request) -> web.Response:
        if self.status != 200:
            return web.Response(status=self.status, text=self.text)
        self.serve.put(await request.json())
        return web.Response()

    async def compared(self, _request: web.Request) -> web.Response:
        return web.Response(status=self.status, body=self.windows)


@pytest.fixture
async def ray() -> AsyncIterator[Ray]:
    """A server for one test."""
    ray = Ray()
    application = web.Application()
    application.router.add_get("/api/serve/applications/", ray.get)
    application.router.add_put("/api/serve/applications/", ray.put)
    application.router.add_get("/internal/comparisons", ray.compared)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ray.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield ray
    await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections for one test."""
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_controller_leads_to_a_healthy_rollout(ray: Ray) -> None:
    """Made from settings alone it reads, decides and puts, until the first revision answers."""
    world = World(spec("a"), serve=ray.serve)
    settings = RolloutSettings(serve_url=ray.url, serve_token=TOKEN, router_url=ray.url)

    async def rollouts() -> list[Resource[ModelRolloutSpec]]:
        return [world.resource]

    async with AsyncExitStack() as stack:
        controller = await built(settings, rollouts, stack)
        for _ in range(12):
            resource = world.resource
            plan = controller.reconcile(resource, await controller.observe(resource), world.now)
            for action in plan.actions:
                await controller.perform(resource, action)
            world.status = dict(plan.status)
            ray.serve.pass_time(1)
        assert world.said.phase is Phase.HEALTHY
        puts = ray.serve.puts
        deleted = replace(world.resource, deleting=True)
        assert controller.reconcile(deleted, await controller.observe(deleted), world.now).released
        assert ray.serve.puts == puts


@pytest.mark.parametrize("status", [401, 500, 503])
async def test_a_serve_that_is_away_is_tried_again(ray: Ray, http: aiohttp.ClientSession, status: int) -> None:
    """Whatever is wrong with reaching it passes, so it is Unavailable and says what it heard."""
    ray.status, ray.text = status, "out of order"
    serve = ServeApi(http, ray.url, TOKEN)
    for call in (serve.state(), serve.put({"applications": []})):
        with pytest.raises(Unavailable, match="serve_unavailable") as error:
            await call
        assert "out of order" in error.value.detail


async def test_nobody_listening_is_unavailable(http: aiohttp.ClientSession) -> None:
    """A head that isn't there yet is no bug."""
    with pytest.raises(Unavailable, match="serve_unavailable"):
        await ServeApi(http, "http://127.0.0.1:9", None).state()


async def test_a_configuration_that_serve_refuses_is_not_tried_again(ray: Ray, http: aiohttp.ClientSession) -> None:
    """Its reason is told."""
    ray.status, ray.text = 400, "validation error for ServeDeploySchema"
    with pytest.raises(Rejected, match="serve_configuration_refused") as error:
        await ServeApi(http, ray.url, TOKEN).put({})
    assert "ServeDeploySchema" in error.value.detail


async def test_a_router_that_doesn_t_say_is_told_from_one_that_compared_nothing(
    ray: Ray, http: aiohttp.ClientSession
) -> None:
    """Windows are read; a router that is away, or says nonsense, raises."""
    window = ComparisonWindow(Comparison("uid-1", 2, "a", "b"), datetime.now(UTC))
    ray.windows = windows_to_json((window,), datetime.now(UTC))
    assert await RouterApi(http, ray.url, TOKEN).windows() == (window,)
    ray.windows = b"nonsense"
    with pytest.raises(Unavailable, match="comparisons_unavailable"):
        await RouterApi(http, ray.url).windows()
    ray.status = 503
    with pytest.raises(Unavailable, match="503"):
        await RouterApi(http, ray.url).windows()
    with pytest.raises(Unavailable, match="comparisons_unavailable"):
        await RouterApi(http, "http://127.0.0.1:9").windows()


@pytest.mark.parametrize("options", [OWN, replace(OWN, min_replicas=5), replace(OWN, gpus_per_replica=0.5)])
def test_what_was_put_is_read_as_it_was_meant(options: RevisionOptions) -> None:
    """A revision that Serve runs is known again, with what it runs on, and the configuration counts as running."""
    revision = Revision(revision_name(DIGEST), "s3://models/a.zip", DIGEST, options)
    configuration = render([revision], {revision.name: 1.0}, ServeOptions())
    serve = SimulatedServe()
    serve.put(configuration)
    state = serve.state
    again = render(list(state.revisions.values()), state.weights, ServeOptions())
    assert again == configuration
    assert state.runs(configuration)
    assert not state.runs(render([revision], {revision.name: 1.0}, ServeOptions(router_replicas=2)))
    assert not state.router_settled
    serve.pass_time(10)
    assert serve.state.router_settled


def test_a_replica_that_takes_a_new_configuration_is_not_gone() -> None:
    """It isn't counted with those that run, and it isn't one that starts either."""
    replicas = [{"state": state} for state in ("RUNNING", "UPDATING", "STARTING", "STOPPING")]
    entry = {"status": "DEPLOYING", "deployments": {"Router": {"replicas": replicas}}}
    router = parse({"applications": {"router": entry}}).applications["router"]
    assert (router.replicas, router.updating) == (1, 1)


def test_what_is_being_deleted_runs_no_more() -> None:
    """An application on its way out is neither a revision nor part of what runs."""
    state = parse({"applications": {"face-x": {"status": "DELETING", "deployed_app_config": None, "deployments": {}}}})
    assert state.revisions == {}
    assert state.runs({"applications": []})


@pytest.mark.parametrize(
    ("message", "code", "complaint"),
    [
        (
            MISMATCH,
            "artifact_digest_mismatch",
            "The artifact at s3://models/x.zip has another digest. Roll out what was built.",
        ),
        ("Traceback:\n  ...\nValueError: out of luck\n", "", "ValueError: out of luck"),
        ("", "", "Serve says DEPLOY_FAILED, and no more."),
    ],
)
def test_a_complaint_is_serving_s_own_where_it_has_one(message: str, code: str, complaint: str) -> None:
    """Of a long trace people read the line that says what to do."""
    application = Application("face-x", "DEPLOY_FAILED", message)
    assert (application.complaint_code, application.complaint) == (code, complaint)


@pytest.mark.parametrize(
    ("status", "message", "replicas", "broken"),
    [
        ("DEPLOY_FAILED", "", 0, True),
        ("UNHEALTHY", "", 1, True),
        ("DEPLOYING", MISMATCH, 0, True),
        ("DEPLOYING", MISMATCH.replace("Rejected", "Unavailable"), 0, False),
        ("DEPLOYING", MISMATCH, 1, False),
        ("RUNNING", MISMATCH, 1, False),
    ],
)
def test_what_can_t_succeed_isn_t_waited_for(status: str, message: str, replicas: int, broken: bool) -> None:  # noqa: FBT001 - a table
    """Serve tries a replica three times; an artifact that is the wrong one is so the first time."""
    assert Application("face-x", status, message, {}, replicas).broken is broken


async def test_the_oldest_rollout_of_a_model_counts() -> None:
    """All others are refused in its name; one that is being deleted counts no more; all are read now and then."""
    read = 0
    clock = 0.0
    base = World(spec("a")).resource
    known = [
        replace(base, name=name, uid=name, created_at=BEGIN + timedelta(seconds=age), deleting=deleting)
        for name, age, deleting in (("gone", 0, True), ("young", 9, False), ("old", 5, False), ("twin", 5, False))
    ]

    async def rollouts() -> list[Resource[Any]]:
        nonlocal read
        read += 1
        return known

    elders = Elders(rollouts, lambda: clock)
    said = {one.name: await elders.elder_of(one) for one in known}
    assert said == {"gone": "mien/old", "young": "mien/old", "old": "", "twin": "mien/old"}
    assert read == 1
    newcomer = replace(base, name="new", uid="new", created_at=BEGIN + timedelta(seconds=20))
    known.append(newcomer)
    assert await elders.elder_of(newcomer) == "mien/old"
    assert read == 2
    known[:] = [newcomer]
    clock += 60
    assert await elders.elder_of(newcomer) == ""
    assert read == 3


@pytest.mark.parametrize("changed", [{"serve_url": "head:8265"}, {"http_port": 0}, {"threads_per_replica": 0}])
def test_settings_that_can_t_be_meant_are_refused(changed: dict[str, Any]) -> None:
    """At the start, and not at the first rollout."""
    with pytest.raises(ValidationError):
        RolloutSettings.model_validate({"serve_url": "http://head:8265", "router_url": "http://head:8090", **changed})
