"""The operator's way to runs of retention: a real api over HTTP, and the executor of the role retention behind it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp.test_utils
import pytest
import uvicorn
from aiohttp import web
from pydantic import SecretStr

from mien_api import keys
from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.errors import Conflict, Missing, Rejected, Unavailable
from mien_core.model.keys import photo_key
from mien_core.ports.database import Database
from mien_local.ports import HOST, unused_port
from mien_operator.controller import Resource
from mien_operator.internal_api import InternalApi
from mien_operator.plan import Plan
from mien_operator.retention.controller import RetentionController
from mien_operator.retention.reconcile import Action
from mien_operator.retention.report import APPROVE
from mien_operator.retention.runs import RetentionApi
from mien_operator.retention.spec import RetentionPolicySpec
from mien_streams.retention_runs import RetentionRuns
from tests.makers import new_upload
from tests.operations.world import make_app

UID = "0b0f9f0c-8b86-4011-b42d-00cf4fc964ff"
START_SECONDS = 60.0


@dataclass
class Bench:
    """A platform whose api runs, and the operator's controller."""

    database: MemoryDatabase
    store: MemoryObjectStore
    url: str
    api: InternalApi

    @property
    def controller(self) -> RetentionController:
        return RetentionController(RetentionApi(self.api))

    async def photos(self, count: int) -> None:
        """So many uploads with their photos."""
        for _ in range(count):
            async with self.database.transaction() as transaction:
                upload = await transaction.uploads.add(new_upload())
            await self.store.put(photo_key(upload.id), b"photo", "image/jpeg")

    async def worked_off(self) -> None:
        """Do what the role retention does."""
        runs = RetentionRuns(self.database, self.store)
        while await runs.advance() is not None:
            pass

    async def looked(self, resource: Resource[RetentionPolicySpec]) -> Plan[Action]:
        """Do what the operator does at one look."""
        observed = await self.controller.observe(resource)
        plan = self.controller.reconcile(resource, observed, datetime.now(UTC))
        for action in plan.actions:
            await self.controller.perform(resource, action)
        return plan


@asynccontextmanager
async def serving(database: Database, store: MemoryObjectStore) -> AsyncIterator[str]:
    """The api on a port of its own; its address."""
    port = unused_port()
    app = make_app(database, store, "https://issuer.example")
    server = uvicorn.Server(uvicorn.Config(app, HOST, port, log_config=None, access_log=False, lifespan="on"))
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(START_SECONDS):
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.02)
    try:
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    database, store = MemoryDatabase(), MemoryObjectStore()
    _, secret = await keys.create(database, "platform", "operator", frozenset({"operator"}))
    async with serving(database, store) as url, InternalApi(url, SecretStr(secret)) as api:
        yield Bench(database, store, url, api)


def policy(spec: Mapping[str, Any] | None = None, **fields: Any) -> Resource[RetentionPolicySpec]:
    wanted = {
        # each minute since it was made has come
        "schedule": "* * * * *",
        "timeZone": "Europe/Berlin",
        "rules": [{"store": "s3", "dataClass": "photos", "ttl": "0m"}],
        **(spec or {}),
    }
    made = Resource(
        namespace="mien",
        name="photos",
        uid=UID,
        generation=1,
        annotations={},
        spec=RetentionPolicySpec.model_validate(wanted),
        status={},
        created_at=datetime.now(UTC) - timedelta(hours=1),
    )
    return replace(made, **fields)


async def test_a_policy_is_proposed_approved_and_done(bench: Bench) -> None:
    """As people see it in the status, from the first look to the last."""
    await bench.photos(3)
    resource = policy()
    asked = await bench.looked(resource)
    assert asked.status["phase"] == "Listing"
    await bench.worked_off()
    proposed = await bench.looked(resource)
    run_id = proposed.status["proposal"]["runId"]
    assert proposed.status["phase"] == "Proposed"
    assert proposed.status["proposal"]["counts"][0]["listed"] == 3
    assert len(bench.store.keys()) == 3
    resource = replace(resource, annotations={APPROVE: run_id}, status=proposed.status)
    await bench.looked(resource)
    await bench.worked_off()
    assert bench.store.keys() == frozenset()
    done = await bench.looked(resource)
    assert (done.status["lastRun"]["id"], done.status["lastRun"]["deleted"]) == (run_id, 3)
    assert "RunDone" in [note.reason for note in done.notes]


async def test_too_much_at_once_asks_also_where_the_policy_enforces(bench: Bench) -> None:
    """The breaker holds what it finds, and a policy that is corrected withdraws it."""
    await bench.photos(3)
    resource = policy({"mode": "Enforce", "limits": {"maxPercentPerRun": 50}})
    await bench.looked(resource)
    await bench.worked_off()
    held = await bench.looked(resource)
    assert [one.reason for one in held.conditions if one.type == "Degraded"] == ["TooMany"]
    assert len(bench.store.keys()) == 3
    corrected = policy({"mode": "Enforce", "limits": {"maxPercentPerRun": 60}}, status=held.status)
    await bench.looked(corrected)
    stopped = await bench.looked(corrected)
    assert [note.reason for note in stopped.notes] == ["RunStopped"]


async def test_a_deleted_policy_goes_after_its_run(bench: Bench) -> None:
    """Nothing more goes in its name, whatever was approved."""
    await bench.photos(1)
    resource = policy({"mode": "Enforce", "limits": {"maxPercentPerRun": 100}})
    await bench.looked(resource)
    first = await bench.looked(replace(resource, deleting=True))
    second = await bench.looked(replace(resource, deleting=True))
    await bench.worked_off()
    assert (first.released, second.released) == (False, True)
    assert len(bench.store.keys()) == 1


async def test_what_is_performed_twice_is_done_once(bench: Bench) -> None:
    """The operator dies after each of its actions, and its successor does all of them again."""
    await bench.photos(2)
    resource = policy({"mode": "RequireApproval"})
    for _ in range(2):
        await bench.looked(resource)
    await bench.worked_off()
    run_id = (await bench.looked(resource)).status["proposal"]["runId"]
    approved = replace(resource, annotations={APPROVE: run_id})
    observed = await bench.controller.observe(approved)
    plan = bench.controller.reconcile(approved, observed, datetime.now(UTC))
    for _ in range(2):
        for action in plan.actions:
            await bench.controller.perform(approved, action)
    await bench.worked_off()
    assert len(bench.database.state.retention_runs) == 1
    assert bench.store.keys() == frozenset()


async def test_the_apis_answers_are_the_platforms_errors(bench: Bench) -> None:
    """With code and detail as the api gave them; a key without the scope is refused, and no api is Unavailable."""
    run = f"/retention/runs/{UID}"
    with pytest.raises(Missing, match="retention_run_not_found"):
        await bench.api.get(run)
    await bench.looked(policy())
    [asked] = bench.database.state.retention_runs
    with pytest.raises(Conflict, match="retention_run_not_proposed"):
        await bench.api.post(f"/retention/runs/{asked}/approve")
    with pytest.raises(Rejected, match="invalid_request"):
        await bench.api.post("/retention/runs", {"id": "no"})
    _, secret = await keys.create(bench.database, "acme", "shop", frozenset({"*"}))
    async with InternalApi(bench.url, SecretStr(secret)) as tenants:
        with pytest.raises(Rejected, match="scope_missing"):
            await tenants.get(run)
    async with InternalApi(f"http://{HOST}:{unused_port()}", SecretStr("mien_x")) as nobody:
        with pytest.raises(Unavailable, match="api_unavailable"):
            await nobody.get(run)


@pytest.mark.parametrize(("status", "body"), [(502, b"<html>"), (429, b'{"code": "rate_limited"}'), (503, b"[]")])
async def test_whatever_stands_before_the_api_is_unavailable(status: int, body: bytes) -> None:
    """A proxy's page says nothing that could be read, and is no bug; what it asks to wait is waited."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Retry-After": "7"})

    app = web.Application()
    app.router.add_get("/internal/v1/retention/runs", answer)
    async with (
        aiohttp.test_utils.TestServer(app, host=HOST) as server,
        InternalApi(str(server.make_url("")), SecretStr("mien_x")) as api,
    ):
        with pytest.raises(Unavailable) as refused:
            await api.get("/retention/runs")
    assert refused.value.retry_after == 7.0
