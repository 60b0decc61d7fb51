# mypy: disable-error-code="import-not-found,import-untyped,untyped-decorator"
# FastStream runs in the peers' environment.
"""FastStream: BENCH_WORKERS consumers in one process, each acknowledging an event once its handler has returned.

With BENCH_BATCH set, one consumer takes what has come, and a batch is one transaction.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg_pool
from effects import BROKER, DATABASE, TOPIC, Job, from_kafka, save, save_together
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

WORKERS = int(os.environ.get("BENCH_WORKERS", "1"))
GROUP = {"group_id": f"bench-faststream-{TOPIC}", "auto_offset_reset": "earliest"}

broker = KafkaBroker(BROKER)
pool = psycopg_pool.AsyncConnectionPool(
    DATABASE, kwargs={"autocommit": True}, min_size=WORKERS, max_size=WORKERS, open=False
)


@asynccontextmanager
async def _connected() -> AsyncIterator[None]:
    async with pool:
        yield


app = FastStream(broker, lifespan=_connected)


def _job(headers: dict[str, str], body: bytes) -> Job:
    return from_kafka([(name, str(value).encode()) for name, value in headers.items()], json.loads(body))


if os.environ.get("BENCH_BATCH"):

    @broker.subscriber(TOPIC, **GROUP, batch=True, max_records=100, ack_policy=AckPolicy.NACK_ON_ERROR)
    async def note_together(message: KafkaMessage) -> None:
        """Do the jobs of a batch."""
        jobs = [_job(headers, body) for headers, body in zip(message.batch_headers, message.body, strict=True)]
        async with pool.connection() as connection:
            await save_together(connection, jobs)

else:

    @broker.subscriber(TOPIC, **GROUP, max_workers=WORKERS, ack_policy=AckPolicy.NACK_ON_ERROR)
    async def note(message: KafkaMessage) -> None:
        """Do a job."""
        async with pool.connection() as connection:
            await save(connection, _job(message.headers, message.body))
