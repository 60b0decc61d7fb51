"""Serving pushes back: nothing new is begun, nothing is lost, nobody's attempt is spent. Real Kafka and Postgres."""

import asyncio
import logging
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from mien_core.model.platform import Job, JobStatus
from mien_streams.breaker import LONGEST_PAUSE_SECONDS
from mien_streams.handlers import analyse_face
from tests.integration.test_streams_process import DEADLINE_SECONDS, Platform, Serving, serving_on_a_free_port

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.timeout(600)

CONCURRENCY = 8
JOBS = 120
# longer than a member's session: who didn't heartbeat would be out of the group by then
AWAY_SECONDS = 12.0
# a pause that nobody bounded would have grown beyond this by the end of AWAY_SECONDS
RECOVERY_SECONDS = 10.0
DONE_ONCE = [JobStatus.CREATED, JobStatus.PROCESSING, JobStatus.COMPLETED]


@pytest.fixture
async def serving() -> AsyncIterator[Serving]:
    """A serving on a free port."""
    async with serving_on_a_free_port() as serving:
        yield serving


@pytest.fixture
async def platform(fresh_database: str, kafka_server: str, serving: Serving, tmp_path: Path) -> AsyncIterator[Platform]:
    """Real parts; the process is started by the test."""
    platform = Platform(fresh_database, kafka_server, serving.url, tmp_path)
    platform.environment["MIEN_STREAMS__CONCURRENCY"] = str(CONCURRENCY)
    platform.environment["MIEN_STREAMS__DRAIN_SECONDS"] = "1"
    async with platform.database:
        yield platform


async def members(platform: Platform) -> list[tuple[str, bytes]]:
    """Who is in the group of analyse-face, and what each has to do; a new id or assignment means a rebalance."""
    admin = AIOKafkaAdminClient(bootstrap_servers=platform.kafka.brokers)
    await admin.start()
    try:
        [response] = await admin.describe_consumer_groups([f"mien-{analyse_face.NAME}"])
    finally:
        await admin.close()
    return [(member[0], member[-1]) for member in response.groups[0][5]]


async def statuses(platform: Platform) -> Counter[str]:
    with psycopg.connect(platform.postgres_url) as connection:
        rows = connection.execute("SELECT status, count(*) FROM jobs GROUP BY status").fetchall()
    return Counter(dict(rows))


async def until(platform: Platform, status: JobStatus, count: int) -> None:
    """Wait until at least so many jobs are in this status."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (await statuses(platform))[status] < count:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.01)


async def until_asked(serving: Serving, times: int) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(serving.asked) < times:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.01)


async def until_published(platform: Platform) -> None:
    """Wait until nothing is left in the outbox."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            async with platform.database.reading() as reading:
                if not await reading.outbox.due(1):
                    return
            await asyncio.sleep(0.05)


async def assert_each_was_done_once(platform: Platform, jobs: list[Job]) -> None:
    """Whoever is put off, and with it spends an attempt, has another step in its history."""
    ended = await platform.ended(*jobs)
    assert {job.status for job in ended} == {JobStatus.COMPLETED}
    async with platform.database.reading() as reading:
        assert await reading.dead_letters.count() == 0
        for job in jobs:
            assert [event.status for event in await reading.jobs.events(job.id)] == DONE_ONCE


async def test_while_serving_is_full_nothing_new_is_begun(platform: Platform, serving: Serving) -> None:
    """For longer than a session: those in flight wait, the others stay on the topic, the member stays in its group.

    It is asked again all the while, twice a second as a rule, so that its return is noticed; then all are done.
    """
    async with platform.running():
        await platform.ended(await platform.begin())
        group = await members(platform)
        # there are as many in flight as may be when it begins to refuse
        serving.away = serving.holds = True
        jobs = [await platform.begin() for _ in range(CONCURRENCY)]
        await until(platform, JobStatus.PROCESSING, CONCURRENCY)
        serving.holds = False
        jobs += [await platform.begin() for _ in range(JOBS - CONCURRENCY)]
        asked, began = len(serving.asked), time.monotonic()
        while time.monotonic() < began + AWAY_SECONDS:
            under_way = {"completed": 1, "processing": CONCURRENCY, "created": JOBS - CONCURRENCY}
            assert await statuses(platform) == under_way
            await asyncio.sleep(0.2)
        probes, away = len(serving.asked) - asked, time.monotonic() - began
        # a probe each pause, and while the pauses were shorter
        assert AWAY_SECONDS / 2 <= probes <= away / LONGEST_PAUSE_SECONDS + 4
        serving.away = False
        back = time.monotonic()
        await until(platform, JobStatus.COMPLETED, 2)
        first = time.monotonic() - back
        await assert_each_was_done_once(platform, jobs)
        logger.info("first %.3f s after the recovery, %d jobs %.3f s", first, JOBS, time.monotonic() - back)
        assert first < RECOVERY_SECONDS
        assert await members(platform) == group


async def test_a_paused_process_can_be_stopped_and_another_one_goes_on(platform: Platform, serving: Serving) -> None:
    """What it had begun before the first refusal comes again to the next process: no attempt was spent."""
    serving.away = True
    async with platform.running() as process:
        jobs = [await platform.begin()]
        await until_asked(serving, 2)
        jobs += [await platform.begin() for _ in range(2 * CONCURRENCY)]
        await until_published(platform)
        await until_asked(serving, len(serving.asked) + 4)
        # they would wait as well if they were begun, but these don't even hold a place
        assert (await statuses(platform))["processing"] == 1
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, DEADLINE_SECONDS) == 0
    serving.away = False
    async with platform.running():
        await assert_each_was_done_once(platform, jobs)
