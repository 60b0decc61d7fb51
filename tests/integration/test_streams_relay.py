"""Relays on a real database: one is active, and it is so only as long as its connection."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from mien_core.adapters.kafka import KafkaEventPublisher, ensure_topics
from mien_core.adapters.memory.events import MemoryEventPublisher
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.ports.messages import EventPublisher, Record
from mien_core.settings import KafkaSettings, PostgresSettings
from mien_streams.relay import Relay
from tests.makers import record

DEADLINE_SECONDS = 60.0
# whoever holds an advisory lock in this database: the active relay's own connection
LEADER = """
    SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE locktype = 'advisory' AND granted AND datname = current_database()
"""


class SlowPublisher(MemoryEventPublisher):
    """Takes its time, so that two relays would overlap if they could."""

    async def publish(self, records: Sequence[Record]) -> None:
        """See EventPublisher."""
        await asyncio.sleep(0.01)
        await super().publish(records)


@pytest.fixture
async def database(fresh_database: str) -> AsyncIterator[PostgresDatabase]:
    async with PostgresDatabase(PostgresSettings.model_validate({"url": fresh_database})) as database:
        yield database


@asynccontextmanager
async def relaying(url: str, publisher: EventPublisher) -> AsyncIterator[Relay]:
    """A relay with connections of its own, as another process has them."""
    async with PostgresDatabase(PostgresSettings.model_validate({"url": url})) as database:
        relay = Relay(database, publisher)
        await relay.start()
        try:
            yield relay
        finally:
            await relay.stop()


async def write(database: PostgresDatabase, first: int, last: int) -> None:
    for number in range(first, last):
        async with database.transaction() as transaction:
            await transaction.outbox.add(record(str(number).encode()))


async def until_empty(database: PostgresDatabase) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            async with database.transaction() as transaction:
                if await transaction.outbox.oldest_due_seconds() == 0 and not await transaction.outbox.due(1):
                    return
            await asyncio.sleep(0.01)


def numbers(publisher: MemoryEventPublisher) -> list[int]:
    return [int(each.value) for each in publisher.records]


async def test_only_one_of_two_publishes_until_it_leaves(fresh_database: str, database: PostgresDatabase) -> None:
    """Each record goes out once and in order; the standby takes over when the active one stops."""
    one, two = SlowPublisher(), SlowPublisher()
    async with relaying(fresh_database, one) as active:
        await write(database, 0, 1)
        await until_empty(database)
        async with relaying(fresh_database, two):
            await write(database, 1, 100)
            await until_empty(database)
            assert numbers(one) == list(range(100))
            assert numbers(two) == []
            await active.stop()
            await write(database, 100, 120)
            await until_empty(database)
    assert numbers(two) == list(range(100, 120))


async def test_a_leader_whose_connection_is_cut_steps_down(fresh_database: str, database: PostgresDatabase) -> None:
    """Somebody leads again, and every record goes out, whatever was being published meanwhile."""
    one, two = SlowPublisher(), SlowPublisher()
    async with relaying(fresh_database, one), relaying(fresh_database, two):
        await write(database, 0, 50)
        await until_empty(database)
        with psycopg.connect(fresh_database, autocommit=True) as connection:
            leaders = connection.execute(LEADER).fetchall()
            assert len(leaders) == 1
            writing = asyncio.create_task(write(database, 50, 150))
            connection.execute("SELECT pg_terminate_backend(%s)", leaders[0])
            await writing
            await until_empty(database)
            async with asyncio.timeout(DEADLINE_SECONDS):
                while not (now := connection.execute(LEADER).fetchall()) or now == leaders:  # noqa: ASYNC110 - rows
                    await asyncio.sleep(0.05)
        assert len(now) == 1
    assert set(numbers(one)) | set(numbers(two)) == set(range(150))


async def test_what_kafka_refuses_becomes_a_dead_letter(
    fresh_database: str, database: PostgresDatabase, kafka_server: str
) -> None:
    """A record for a topic that nobody created and one too large: all others are published, and it goes on."""
    settings = KafkaSettings(brokers=kafka_server, partitions=1)
    topic, missing = f"relayed-{uuid4().hex}", f"missing-{uuid4().hex}"
    await ensure_topics(settings, [topic])
    refused = [Record(missing, b"k", b"lost", ()), Record(topic, b"k", b"x" * 1_100_000, ())]
    async with database.transaction() as transaction:
        for each in [Record(topic, b"k", b"1", ()), *refused, Record(topic, b"k", b"2", ())]:
            await transaction.outbox.add(each)
    async with KafkaEventPublisher(settings) as publisher, relaying(fresh_database, publisher):
        await until_empty(database)
        async with database.transaction() as transaction:
            await transaction.outbox.add(Record(topic, b"k", b"3", ()))
        await until_empty(database)
    assert list(dict.fromkeys(await _values_on(kafka_server, topic))) == [b"1", b"2", b"3"]
    async with database.reading() as reading:
        letters = await reading.dead_letters.select()
    kept = [(letter.handler, letter.code, letter.topic, letter.value) for letter in letters]
    assert kept == [("relay", "record_refused", each.topic, each.value) for each in refused]


async def _values_on(brokers: str, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=brokers, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        place = TopicPartition(topic, 0)
        end = (await consumer.end_offsets([place]))[place]
        found = []
        while await consumer.position(place) < end:
            found.append((await consumer.getone()).value)
        return found
    finally:
        await consumer.stop()
