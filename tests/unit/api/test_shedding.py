"""When too much waits, work is sent away, and whoever reads is served."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import prometheus_client
import pytest
from asgi_lifespan import LifespanManager

from mien_api import shedding
from mien_api.app import WORK
from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Unavailable
from mien_core.ports.database import Transaction
from mien_core.ports.messages import Record
from mien_core.rules.load import Limits
from tests.unit.api.conftest import NOW_HEADERS, Platform

DEADLINE_SECONDS = 30.0


# POSTs that write a row and bring nothing into the pipeline
ROWS_ALONE = {
    "/journal",
    "/period",
    "/skin",
    "/looks/save",
    "/user",
    "/pay",
    "/webhooks",
    "/webhooks/{webhook_id}/test",
    "/webhooks/{webhook_id}/rotate",
    "/internal/v1/erasures",
    "/internal/v1/retention/runs",
    "/internal/v1/retention/runs/{run_id}/approve",
    "/internal/v1/retention/runs/{run_id}/stop",
}


@pytest.fixture(autouse=True)
def _read_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shedding, "READ_SECONDS", 0.01)
    monkeypatch.setattr(shedding, "TICK_SECONDS", 0.01)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - what a background task has read has no event to wait for
            await asyncio.sleep(0.005)


async def started(platform: Platform, client: httpx.AsyncClient) -> httpx.Response:
    upload_id = await platform.uploaded(client)
    return await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)


async def until_answered(client: httpx.AsyncClient, status: int) -> httpx.Response:
    """Ask for an upload's URL until the answer has this status."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            answer = await client.post("/upload-url", json={"contentType": "image/jpeg", "contentLength": 4})
            if answer.status_code == status:
                return answer
            await asyncio.sleep(0.005)


def shed(route: str, cause: str) -> float:
    labels = {"route": route, "cause": cause}
    return prometheus_client.REGISTRY.get_sample_value("mien_requests_shed_total", labels) or 0.0


@pytest.fixture
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    platform.limits = Limits(open_jobs=3)
    async with platform.client(f"Bearer {await platform.secret()}") as client:
        yield client


async def test_at_the_bound_work_is_sent_away_and_reading_is_not(platform: Platform, client: httpx.AsyncClient) -> None:
    """503 as a problem with Retry-After, on each route that brings work; jobs and looks are shown as ever."""
    before = shed("/analyze", "open_jobs")
    upload_id = await platform.uploaded(client)
    jobs = [(await started(platform, client)).json()["id"] for _ in range(3)]
    # a reading that came while a job was begun may not know of it yet, the next one does
    await until_answered(client, 503)
    answers = [
        await client.post("/upload-url", json={"contentType": "image/jpeg", "contentLength": 4}),
        await client.get("/get-presigned-url", params={"contentType": "image/jpeg", "contentLength": 4}),
        await client.post("/analyze", json={"uploadId": upload_id}),
        await client.post("/v1/analyze/skin", files={"image": b"jpeg"}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert shed("/analyze", "open_jobs") == before + 1
    for job in jobs:
        assert (await client.get(f"/jobs/{job}")).status_code == 200
    assert (await client.get("/api/health")).status_code == 200
    assert len(platform.database.state.jobs) == 3


async def test_once_work_is_done_more_is_taken(platform: Platform, client: httpx.AsyncClient) -> None:
    """Nobody needs to restart anything."""
    jobs = [(await started(platform, client)).json()["id"] for _ in range(3)]
    await until_answered(client, 503)
    for job in jobs:
        await platform.complete(job)
    await until_answered(client, 200)


async def test_an_outbox_that_nobody_empties_sends_work_away(platform: Platform, client: httpx.AsyncClient) -> None:
    """The relay or Kafka is away: what comes in would only lie there."""
    async with platform.database.transaction() as transaction:
        await transaction.outbox.add(Record("topic", b"", b"", ()), delay_seconds=-120)
    await until_answered(client, 503)


class CrowdedDatabase(MemoryDatabase):
    """Whoever wants a connection waits until free is set."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.free.set()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        await self.free.wait()
        async with super().transaction() as transaction:
            yield transaction


async def test_a_crowded_database_sends_work_away(platform: Platform) -> None:
    """While connections are waited for longer than the limit, no more are wanted; that wait needn't end first."""
    database = platform.database = CrowdedDatabase()
    platform.limits = Limits(database_seconds=0.05)
    async with platform.client(f"Bearer {await platform.secret()}") as client:
        await until_answered(client, 200)
        database.free.clear()
        assert (await until_answered_fast(client)).json()["code"] == "overloaded"
        database.free.set()
        await until_answered(client, 200)


async def until_answered_fast(client: httpx.AsyncClient) -> httpx.Response:
    """Bring work until an answer comes that doesn't wait for a connection."""
    patience = 0.02
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            await asyncio.sleep(0.02)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    return await client.post("/upload-url", json={"contentType": "image/jpeg", "contentLength": 4})
            # on a slow machine the answer itself may take longer
            patience *= 1.5


async def test_requests_held_open_are_bounded(platform: Platform) -> None:
    """Who waits for a job holds a place; who comes when all are taken is sent away, until one leaves."""
    platform.limits = Limits(requests=2)
    async with platform.client(f"Bearer {await platform.secret()}") as client:
        uploads = [await platform.uploaded(client) for _ in range(2)]
        waiting = [
            asyncio.create_task(client.post("/analyze", json={"uploadId": upload_id}, headers={"Prefer": "wait=30"}))
            for upload_id in uploads
        ]
        await until(lambda: len(platform.database.state.jobs) == 2)
        refused = await client.post("/analyze", json={"uploadId": uploads[0]}, headers=NOW_HEADERS)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        for job in list(platform.database.state.jobs):
            await platform.complete(job)
        assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200, 200]
        await until_answered(client, 200)


async def test_photos_in_memory_are_bounded_apart(platform: Platform) -> None:
    """No room for another photo leaves room for those whose photo is in the store."""
    platform.limits = Limits(photos=1)
    app = platform.app()
    async with LifespanManager(app):
        skin_work = WORK["/v1/analyze/skin"]
        held = app.state.shedding
        with held.admitted(skin_work, "/v1/analyze/skin"):
            with pytest.raises(Unavailable, match="overloaded"), held.admitted(skin_work, "/v1/analyze/skin"):
                pass
            with held.admitted(WORK["/analyze"], "/analyze"):
                pass
        with held.admitted(skin_work, "/v1/analyze/skin"):
            pass


async def test_what_was_refused_for_another_reason_takes_no_place(
    platform: Platform, client: httpx.AsyncClient
) -> None:
    """Requests without a credential or for unknown uploads can't shut others out."""
    monkeypatched = pytest.MonkeyPatch()
    monkeypatched.setattr(shedding, "READ_SECONDS", 60.0)
    with monkeypatched.context():
        for _ in range(10):
            answer = await client.post("/analyze", json={"uploadId": "6f9619ff-8b86-d011-b42d-00cf4fc964ff"})
            assert answer.status_code == 404
    assert (await started(platform, client)).status_code == 202


class BrokenCount(MemoryDatabase):
    """Has a bug in what only the background needs."""

    broken = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        if self.broken:
            raise ZeroDivisionError
        async with super().transaction() as transaction:
            yield transaction


async def test_a_bug_in_reading_sends_nobody_away_for_ever(platform: Platform) -> None:
    """An old reading must not count for ever: without one, work is taken."""
    database = platform.database = BrokenCount()
    platform.limits = Limits(open_jobs=1)
    app = platform.app()
    async with LifespanManager(app):
        held = app.state.shedding
        job_work = WORK["/analyze"]
        with held.admitted(job_work, "/analyze"):
            pass
        held._open = {job_work.kind: 1}
        database.broken = True
        await until(lambda: held.load(job_work.kind).open_jobs == 0)


async def test_every_route_that_takes_work_says_what_it_brings(client: httpx.AsyncClient) -> None:
    """A new POST can't be forgotten, nor the one GET that announces a photo."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    posts = {path for path, operations in paths.items() if "post" in operations}
    assert posts | {"/get-presigned-url"} == set(WORK) | ROWS_ALONE
