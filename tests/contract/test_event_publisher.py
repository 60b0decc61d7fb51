"""One suite for every adapter of the port EventPublisher."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from mien_core.adapters.kafka import KafkaEventPublisher, ensure_topics
from mien_core.adapters.memory.events import MemoryEventPublisher
from mien_core.errors import Rejected, Unavailable
from mien_core.ports.messages import EventPublisher, Record
from mien_core.settings import KafkaSettings

PARTITIONS = 3


@dataclass(frozen=True)
class Broker:
    """A publisher, a topic that exists and one that doesn't, how to read it back, and a publisher that is cut off."""

    publisher: EventPublisher
    topic: str
    missing_topic: str
    # one list a partition
    read: Callable[[], Awaitable[list[list[Record]]]]
    unreachable: EventPublisher


@asynccontextmanager
async def memory_broker() -> AsyncIterator[Broker]:
    publisher, unreachable = MemoryEventPublisher(), MemoryEventPublisher()
    unreachable.available = False
    publisher.missing = {"missing"}

    async def read() -> list[list[Record]]:
        return [list(publisher.records)]

    yield Broker(publisher, "contract", "missing", read, unreachable)


@asynccontextmanager
async def kafka_broker(brokers: str) -> AsyncIterator[Broker]:
    settings = KafkaSettings(brokers=brokers, partitions=PARTITIONS)
    topic = f"contract-{uuid4().hex}"
    await ensure_topics(settings, [topic])

    async def read() -> list[list[Record]]:
        return [await _records(brokers, topic, partition) for partition in range(PARTITIONS)]

    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(KafkaEventPublisher(settings))
        # a port on which nothing listens
        nowhere = KafkaSettings(brokers="127.0.0.1:1")
        unreachable = await stack.enter_async_context(KafkaEventPublisher(nowhere))
        yield Broker(publisher, topic, f"missing-{uuid4().hex}", read, unreachable)


async def _records(brokers: str, topic: str, partition: int) -> list[Record]:
    place = TopicPartition(topic, partition)
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        end = (await consumer.end_offsets([place]))[place]
        found: list[Record] = []
        while await consumer.position(place) < end:
            message = await consumer.getone(place)
            found.append(Record(message.topic, message.key, message.value, tuple(message.headers)))
        return found
    finally:
        await consumer.stop()


@pytest.fixture(params=["memory", "kafka"])
def brokers(request: pytest.FixtureRequest) -> str | None:
    """The real broker's address, or None for the one in memory; not async, since starting Kafka runs a loop."""
    return request.getfixturevalue("kafka_server") if request.param == "kafka" else None


@pytest.fixture
async def broker(brokers: str | None) -> AsyncIterator[Broker]:
    async with kafka_broker(brokers) if brokers else memory_broker() as broker:
        yield broker


def _record(broker: Broker, key: str, value: str) -> Record:
    return Record(broker.topic, key.encode(), value.encode(), (("ce_id", b"1"), ("raw", b"\xff\x00")))


async def test_what_is_published_is_there_to_the_byte(broker: Broker) -> None:
    """Once publish returns, the record can be read: topic, key, value and headers unchanged."""
    record = _record(broker, "key", "value")
    await broker.publisher.publish([record])
    assert [found for partition in await broker.read() for found in partition] == [record]


async def test_records_of_one_key_keep_their_order(broker: Broker) -> None:
    """Over batches too, and on one partition."""
    for batch in range(5):
        records = [
            _record(broker, key, str(batch * 20 + index)) for index in range(20) for key in ("one", "two", "three")
        ]
        await broker.publisher.publish(records)
    partitions = await broker.read()
    for key in (b"one", b"two", b"three"):
        orders = [[int(found.value) for found in each if found.key == key] for each in partitions]
        assert [order for order in orders if order] == [list(range(100))]


async def test_publishing_nothing_is_no_error(broker: Broker) -> None:
    """An empty batch changes nothing."""
    await broker.publisher.publish([])
    assert not any(await broker.read())


async def test_a_broker_that_is_away_is_unavailable(broker: Broker) -> None:
    """It is said with the code that the relay waits on, again and again."""
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            await broker.unreachable.publish([_record(broker, "key", "value")])
        assert caught.value.code == "broker_unavailable"


async def test_a_record_that_is_too_large_is_refused(broker: Broker) -> None:
    """Alone or among others, again and again; what comes after it is published."""
    small, large = _record(broker, "key", "small"), _record(broker, "key", "x" * 1_100_000)
    for records in ([large], [small, large]):
        with pytest.raises(Rejected, match="record_refused"):
            await broker.publisher.publish(records)
    last = _record(broker, "key", "last")
    await broker.publisher.publish([last])
    assert [found for partition in await broker.read() for found in partition][-1] == last


async def test_a_record_without_a_topic_is_refused(broker: Broker) -> None:
    """A topic that nobody created isn't waited for for ever, and holds up no other topic's records."""
    lost = replace(_record(broker, "key", "value"), topic=broker.missing_topic)
    for _ in range(2):
        with pytest.raises(Rejected, match="record_refused"):
            await broker.publisher.publish([lost])
    await broker.publisher.publish([_record(broker, "key", "last")])
    assert [found.value for partition in await broker.read() for found in partition] == [b"last"]


@pytest.mark.parametrize("topic", ["not/a/topic", "x" * 300])
async def test_a_topic_that_cannot_be_is_refused(broker: Broker, topic: str) -> None:
    """As one that isn't there."""
    if isinstance(broker.publisher, MemoryEventPublisher):
        broker.publisher.missing.add(topic)
    with pytest.raises(Rejected, match="record_refused"):
        await broker.publisher.publish([replace(_record(broker, "key", "value"), topic=topic)])
