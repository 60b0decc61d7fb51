"""SIGTERM under load: what is in flight is finished and committed, and the next process is given nothing twice."""

import asyncio
import contextlib
import logging
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psycopg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from mien_core.adapters.kafka_lag import KafkaLag
from mien_core.errors import Unavailable
from mien_core.model.platform import Job, JobStatus
from mien_local.ports import unused_port
from mien_streams.handlers import analyse_face
from tests.integration.test_streams_process import DEADLINE_SECONDS, Platform, Serving, serving_on_a_free_port

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.timeout(600)

GROUP = f"mien-{analyse_face.NAME}"
JOBS_A_SECOND = 100
SERVING_SECONDS = 0.1


@pytest.fixture
async def serving() -> AsyncIterator[Serving]:
    """A serving on a free port."""
    async with serving_on_a_free_port() as serving:
        yield serving


@pytest.fixture
async def platform(fresh_database: str, kafka_server: str, serving: Serving, tmp_path: Path) -> AsyncIterator[Platform]:
    """Real parts; the processes are started by the test."""
    platform = Platform(fresh_database, kafka_server, serving.url, tmp_path)
    async with platform.database:
        yield platform


@contextlib.asynccontextmanager
async def fed(platform: Platform) -> AsyncIterator[list[Job]]:
    """Begin jobs as long as the block lasts, JOBS_A_SECOND at an even pace; the list of them grows."""
    jobs: list[Job] = []
    enough = asyncio.Event()
    began = time.monotonic()

    async def feed() -> None:
        # cancelled, it could leave a job behind that is in the database and not in the list
        while not enough.is_set():
            jobs.append(await platform.begin())
            await asyncio.sleep(max(0.0, began + len(jobs) / JOBS_A_SECOND - time.monotonic()))

    feeding = asyncio.create_task(feed())
    try:
        yield jobs
    finally:
        enough.set()
        await feeding
        logger.info("%.0f jobs a second", len(jobs) / (time.monotonic() - began))


async def committed(platform: Platform) -> int:
    """How many messages of its topic the group has acknowledged, ever."""
    admin = AIOKafkaAdminClient(bootstrap_servers=platform.kafka.brokers)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(GROUP)
    finally:
        await admin.close()
    return sum(at.offset for place, at in offsets.items() if TopicPartition(*place).topic == analyse_face.TOPIC)


async def until_nothing_is_left(platform: Platform) -> None:
    """Wait until everything on the topic is acknowledged."""
    async with KafkaLag(platform.kafka, GROUP, analyse_face.TOPIC) as lag, asyncio.timeout(DEADLINE_SECONDS):
        while True:
            # a broker's first group waits until the topic of offsets is there
            with contextlib.suppress(Unavailable):
                if not await lag.first_uncommitted():
                    return
            await asyncio.sleep(0.1)


async def deliveries(port: int) -> int:
    """How many messages a process was given so far, by its own count."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        families = text_string_to_metric_families(await answer.text())
    samples = [sample for family in families for sample in family.samples if sample.name == "mien_deliveries_total"]
    return round(sum(sample.value for sample in samples if sample.labels["handler"] == analyse_face.NAME))


def inbox_rows(platform: Platform) -> int:
    with psycopg.connect(platform.postgres_url) as connection:
        row = connection.execute("SELECT count(*) FROM inbox WHERE handler = %s", (analyse_face.NAME,)).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_stop_under_load_leaves_no_redelivery_behind(platform: Platform, serving: Serving) -> None:
    """At 100 jobs a second: what has its outcome is committed, and the next process is given exactly the rest."""
    async with platform.running():
        await until_nothing_is_left(platform)
    before = await committed(platform)
    serving.delay_seconds = SERVING_SECONDS
    port = unused_port()
    async with contextlib.AsyncExitStack() as next_process:
        async with fed(platform) as jobs:
            async with platform.running() as process:
                async with asyncio.timeout(DEADLINE_SECONDS):
                    while len(serving.asked) < JOBS_A_SECOND or not serving.in_flight:  # noqa: ASYNC110 - it is another process
                        await asyncio.sleep(0.01)
                in_flight, told = serving.in_flight, time.monotonic()
                process.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(process.wait, DEADLINE_SECONDS) == 0
                logger.info("stopped in %.2f s with %d in flight", time.monotonic() - told, in_flight)
            first_share = await committed(platform) - before
            assert first_share == inbox_rows(platform) >= JOBS_A_SECOND
            platform.environment["MIEN_TELEMETRY__METRICS_PORT"] = str(port)
            await next_process.enter_async_context(platform.running())
            async with asyncio.timeout(DEADLINE_SECONDS):
                while len(serving.asked) < first_share + JOBS_A_SECOND:  # noqa: ASYNC110 - it is another process
                    await asyncio.sleep(0.01)
        assert {job.status for job in await platform.ended(*jobs)} == {JobStatus.COMPLETED}
        await until_nothing_is_left(platform)
        assert await deliveries(port) == len(jobs) - first_share
    assert await committed(platform) - before == inbox_rows(platform) == len(jobs)
    assert Counter(serving.asked) == Counter(job.upload_id for job in jobs)
