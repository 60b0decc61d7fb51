"""Hands jobs to whoever reads Kafka, or to mien's whole way by the outbox.

Usage: python -m bench.pipeline.send WAY TOPIC COUNT RATE    RATE is jobs a second, 0 as fast as it goes. WAY is

- events: their events, straight onto the topic;
- jobs: the same, after their jobs were written into the database;
- outbox: as the API does it: a transaction each that writes the upload, the job, and the event into the outbox.

Prints a line when it is ready, waits for one, hands over, and prints a line for each job: the id of its event, and when
it was handed over (seconds since the epoch).
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

from bench.pipeline.jobs import announced, begun, event_id, ids, on_topic
from mien_core.adapters.kafka import KafkaEventPublisher
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.events import to_record, upload_received
from mien_core.intake import start_analysis
from mien_core.ports.database import Database
from mien_core.ports.messages import EventPublisher
from mien_core.settings import KafkaSettings, PostgresSettings, ServiceSettings, load

CHUNK = 100


class SendSettings(ServiceSettings):
    """Where to."""

    kafka: KafkaSettings
    postgres: PostgresSettings


async def main(way: str, topic: str, count: int, rate: float) -> None:
    """Hand over and print."""
    settings = load(SendSettings)
    async with PostgresDatabase(settings.postgres) as database, KafkaEventPublisher(settings.kafka) as publisher:
        # connected before the clock starts
        await publisher.publish([])
        if way == "outbox":
            await database.check()
            _wait_for_start()
            sent = await _at_rate(count, rate, lambda: _by_outbox(database))
        else:
            pairs = await _made(database, count) if way == "jobs" else [ids() for _ in range(count)]
            sent = await _onto_topic(publisher, topic, pairs, rate)
    for event, at in sent.items():
        print(event, at)


def _wait_for_start() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


async def _made(database: Database, count: int) -> list[tuple[str, str]]:
    async with database.transaction() as transaction:
        return [await begun(transaction) for _ in range(count)]


async def _onto_topic(
    publisher: EventPublisher, topic: str, pairs: list[tuple[str, str]], rate: float
) -> dict[str, float]:
    events = [upload_received(upload_id, job_id) for upload_id, job_id in pairs]
    records = [on_topic(to_record(event), topic) for event in events]
    _wait_for_start()
    if rate:
        waiting = iter(zip(events, records, strict=True))

        async def send() -> tuple[str, float]:
            event, record = next(waiting)
            now = time.time()
            await publisher.publish([record])
            return str(event.id), now

        return await _at_rate(len(events), rate, send)
    sent = {}
    for start in range(0, len(events), CHUNK):
        now = time.time()
        await publisher.publish(records[start : start + CHUNK])
        sent.update({str(event.id): now for event in events[start : start + CHUNK]})
    return sent


async def _by_outbox(database: Database) -> tuple[str, float]:
    now = time.time()
    async with database.transaction() as transaction:
        upload = await transaction.uploads.add(announced())
        job = await start_analysis(transaction, upload)
    return event_id(upload.id, job.id), now


async def _at_rate(count: int, rate: float, send: Callable[[], Awaitable[tuple[str, float]]]) -> dict[str, float]:
    """Send at fixed times, whether or not the ones before have arrived."""
    began = time.monotonic()
    tasks = []
    for number in range(count):
        if rate:
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        tasks.append(asyncio.ensure_future(send()))
        if not rate:
            await tasks[-1]
    return dict(await asyncio.gather(*tasks))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
