"""Lag, as Kafka knows it, on a real broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from mien_core.adapters.kafka import KafkaEventPublisher, ensure_topics
from mien_core.adapters.kafka_lag import KafkaLag
from mien_core.errors import Unavailable
from mien_core.ports.messages import Record
from mien_core.settings import KafkaSettings
from mien_local.parts.kafka import Kafka
from mien_streams.agent import Agent, AgentOptions
from mien_streams.delivery import Delivery
from mien_streams.gate import Gate
from tests.integration.test_streams_agent import DEADLINE_SECONDS, PARTITIONS, running
from tests.parts import stage

CONCURRENCY = 2


class Stage:
    """A topic of this test's own, an agent of it, and what is known of its lag."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self.topic = f"test-{uuid4().hex}"
        self.stuck = False
        self.done = 0
        self._go_on = asyncio.Event()
        self.gate = Gate(self.topic)
        self.agent = Agent(
            self.topic, self.topic, self._process, settings, AgentOptions("one", CONCURRENCY, 1.0), gates=[self.gate]
        )
        self.lag = KafkaLag(settings, self.agent.group, self.topic)

    async def _process(self, _delivery: Delivery) -> None:
        if self.stuck:
            await self._go_on.wait()
        self.done += 1

    def go_on(self) -> None:
        self.stuck = False
        self._go_on.set()

    async def publish(self, count: int) -> None:
        async with KafkaEventPublisher(self.settings) as publisher:
            records = [Record(self.topic, str(number).encode(), b"{}", ()) for number in range(count)]
            await publisher.publish(records)

    async def shows(self, condition: Callable[[Mapping[int, datetime]], bool]) -> Mapping[int, datetime]:
        """Look until the condition holds."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                # a broker's first group waits until the topic of offsets is there
                with contextlib.suppress(Unavailable):
                    if condition(seen := await self.lag.first_uncommitted()):
                        return seen
                await asyncio.sleep(0.1)


@pytest.fixture
async def platform(kafka_server: str) -> AsyncIterator[Stage]:
    platform = Stage(KafkaSettings(brokers=kafka_server, partitions=PARTITIONS))
    await ensure_topics(platform.settings, [platform.topic])
    async with platform.lag:
        yield platform


async def test_without_a_consumer_everything_is_uncommitted(platform: Stage) -> None:
    """An empty topic has no lag; later each partition with a record tells when its first was written, and stays so."""
    await platform.shows(lambda seen: not seen)
    began = datetime.now(UTC)
    await platform.publish(100)
    seen = await platform.shows(bool)
    assert set(seen) == set(range(PARTITIONS))
    await platform.publish(100)
    assert await platform.shows(bool) == seen
    # the broker keeps milliseconds
    assert all((when - began).total_seconds() > -0.001 for when in seen.values())


async def test_a_consumer_that_keeps_up_has_no_lag(platform: Stage) -> None:
    """Committed is committed: 0 once the last commit is through."""
    async with running(platform.agent):
        await platform.publish(50)
        await platform.shows(lambda seen: not seen)
    assert platform.done == 50


async def test_a_stuck_consumer_shows_how_long(platform: Stage) -> None:
    """What came first counts, also when later records were handed over, or not even fetched."""
    platform.stuck = True
    await platform.publish(4 * PARTITIONS)
    first = await platform.shows(bool)
    async with running(platform.agent):
        await platform.publish(1000)
        assert await platform.shows(bool) == first
        platform.go_on()
        await platform.shows(lambda seen: not seen)


async def test_a_paused_consumer_shows_how_long(platform: Stage) -> None:
    """Nothing is handed over while a gate is closed, and the lag is there all the same."""
    async with running(platform.agent):
        async with platform.gate.passage() as passage:
            passage.refused(30.0)
        await platform.publish(20)
        await platform.shows(bool)
        assert platform.done == 0


async def test_a_broker_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    """And the same object works again once it is back."""
    broker = Kafka(stage(tmp_path / "broker"))
    await asyncio.to_thread(broker.prepare)
    try:
        await asyncio.to_thread(broker.start)
        platform = Stage(KafkaSettings(brokers=broker.brokers, partitions=PARTITIONS))
        await ensure_topics(platform.settings, [platform.topic])
        async with platform.lag:
            await platform.publish(10)
            seen = await platform.shows(bool)
            await asyncio.to_thread(broker.stop)
            with pytest.raises(Unavailable, match="broker_unavailable"):
                await platform.lag.first_uncommitted()
            await asyncio.to_thread(broker.start)
            await platform.shows(lambda again: again == seen)
    finally:
        await asyncio.to_thread(broker.stop)
