"""An agent whose broker goes away and comes back."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mien_core.adapters.kafka import KafkaEventPublisher, ensure_topics
from mien_core.errors import Unavailable
from mien_core.ports.messages import Record
from mien_core.settings import KafkaSettings
from mien_local.parts.kafka import Kafka
from tests.integration.test_streams_agent import (
    DEADLINE_SECONDS,
    PARTITIONS,
    Journal,
    Topic,
    running,
    until,
    until_committed,
)
from tests.parts import stage

pytestmark = pytest.mark.timeout(400)


async def insist(publish: Callable[[], Awaitable[None]]) -> None:
    """Publish, as the relay does: again and again while a broker that came back a moment ago doesn't take it yet."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            with contextlib.suppress(Unavailable):
                return await publish()


async def test_a_broker_that_restarts_costs_nothing(tmp_path: Path) -> None:
    """Gone in the middle of the work and back later: everything is done, commits are exact, the agent lives on."""
    journal = Journal(tmp_path / "journal")
    broker = Kafka(stage(tmp_path / "broker"))
    await asyncio.to_thread(broker.prepare)
    try:
        await asyncio.to_thread(broker.start)
        topic = Topic(KafkaSettings(brokers=broker.brokers, partitions=PARTITIONS), "restart")
        await ensure_topics(topic.settings, [topic.name])
        await topic.publish(100)
        async with running(topic.agent(journal, 0.05)):
            await until(lambda: journal.places("ended").total() >= 20)
            await asyncio.to_thread(broker.stop)
            await until(lambda: journal.in_flight == 0)
            await asyncio.to_thread(broker.start)
            await insist(lambda: topic.publish(100))
            await until_committed(topic)
        _, ends = await topic.offsets()
        assert sum(ends.values()) >= 200
        assert set(journal.places("ended")) == {(place, offset) for place, end in ends.items() for offset in range(end)}
    finally:
        await asyncio.to_thread(broker.stop)


async def test_a_broker_that_is_away_is_not_taken_for_a_missing_topic(tmp_path: Path) -> None:
    """What nobody can be asked about isn't refused for good: its record waits."""
    broker = Kafka(stage(tmp_path / "broker"))
    await asyncio.to_thread(broker.prepare)
    try:
        await asyncio.to_thread(broker.start)
        settings = KafkaSettings(brokers=broker.brokers, partitions=1)
        await ensure_topics(settings, ["known"])
        async with KafkaEventPublisher(settings) as publisher:
            await publisher.publish([Record("known", b"k", b"v", ())])
            # what it connected before it doesn't know
            await ensure_topics(settings, ["newer"])
            await asyncio.to_thread(broker.stop)
            record = Record("newer", b"k", b"v", ())
            with pytest.raises(Unavailable, match="broker_unavailable"):
                await publisher.publish([record])
            await asyncio.to_thread(broker.start)
            await insist(lambda: publisher.publish([record]))
    finally:
        await asyncio.to_thread(broker.stop)
