"""The ingress in front of a pipeline that does not keep up: real Postgres, Kafka and streams, a serving stand-in."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from asgi_lifespan import LifespanManager

from mien_api import keys
from mien_api.app import create_app
from mien_api.handlers import Handlers
from mien_api.limits import Limiting, RateLimits
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.model.keys import original_key
from mien_core.rules.load import Limits
from tests.integration.test_streams_process import DEADLINE_SECONDS, Platform, serving_on_a_free_port

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.timeout(600)

OPEN_JOBS = 20
CLIENTS = 8
TRIES = 10


@pytest.fixture
async def platform(fresh_database: str, kafka_server: str, tmp_path: Path) -> AsyncIterator[Platform]:
    """Real parts; the workers are started by the test."""
    async with serving_on_a_free_port() as serving:
        platform = Platform(fresh_database, kafka_server, serving.url, tmp_path)
        async with platform.database:
            yield platform


class Ingress:
    """The API as a client meets it."""

    def __init__(self, client: httpx.AsyncClient, object_store: MemoryObjectStore) -> None:
        self._client = client
        self._object_store = object_store

    async def bring(self) -> httpx.Response:
        """Announce, upload and ask for an analysis; the first answer that says no, or the last one."""
        announced = await self._client.post("/upload-url", json={"contentType": "image/jpeg", "contentLength": 4})
        if announced.status_code != 200:
            return announced
        upload_id = announced.json()["uploadId"]
        await self._object_store.put(original_key(upload_id), b"jpeg", "image/jpeg")
        return await self._client.post("/analyze", json={"uploadId": upload_id}, headers={"Prefer": "wait=0"})


@pytest.fixture
async def ingress(platform: Platform) -> AsyncIterator[Ingress]:
    """The API's own app, with room for few jobs."""
    object_store = MemoryObjectStore()

    @asynccontextmanager
    async def open_handlers() -> AsyncIterator[Handlers]:
        yield Handlers(platform.database, object_store, consent_required=False, upload_expires=900, download_expires=9)

    app = create_app(open_handlers, [], Limits(open_jobs=OPEN_JOBS), limiting=Limiting(RateLimits(caller=1_000_000)))
    _, secret = await keys.create(platform.database, "acme", "test", frozenset({"*"}))
    async with (
        LifespanManager(app) as manager,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(manager.app), base_url="http://mien.test", headers={"Authorization": secret}
        ) as client,
    ):
        yield Ingress(client, object_store)


def open_jobs(platform: Platform) -> int:
    with psycopg.connect(platform.postgres_url) as connection:
        statement = "SELECT count(*) FROM jobs WHERE status IN ('created', 'processing')"
        row = connection.execute(statement).fetchone()
    assert row is not None
    return int(row[0])


async def test_the_backlog_stops_growing_at_the_bound_and_the_ingress_opens_again(
    platform: Platform, ingress: Ingress
) -> None:
    """Without workers no more jobs are taken than may be open, however often clients ask; with workers, more.

    What is begun while it is counted what waits may be missing in that count, so there may be as many too many.
    """
    answers: Counter[int] = Counter()

    async def insist() -> None:
        for _ in range(TRIES):
            answers[(await ingress.bring()).status_code] += 1

    async with asyncio.timeout(DEADLINE_SECONDS):
        while open_jobs(platform) < OPEN_JOBS:
            await asyncio.gather(*(insist() for _ in range(CLIENTS)))
        while answers != {503: TRIES * CLIENTS}:
            answers.clear()
            await asyncio.gather(*(insist() for _ in range(CLIENTS)))
    assert OPEN_JOBS <= open_jobs(platform) < OPEN_JOBS + CLIENTS
    async with platform.running():
        began = time.monotonic()
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (answer := await ingress.bring()).status_code != 202:
                assert answer.json()["code"] == "overloaded"
                await asyncio.sleep(0.05)
        logger.info("open again after %.2f s", time.monotonic() - began)
