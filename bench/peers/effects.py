"""What a job of bench/pipeline leaves behind, and how the peers write it: one transaction, by psycopg.

An inbox row, so that a repeat changes nothing; a row of the job's own; and the event that follows, in the outbox. The
tables and statements are mien's.
"""

import base64
import json
import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

DATABASE = os.environ.get("BENCH_DATABASE", "")
BROKER = os.environ.get("BENCH_BROKER", "")
TOPIC = os.environ.get("BENCH_TOPIC", "")

HANDLER = "bench"

_INBOX = "INSERT INTO inbox (handler, event_id) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_ROW = "INSERT INTO audit_log (actor, action, subject) VALUES (%s, %s, %s)"
_OUTBOX = "INSERT INTO outbox (topic, key, value, headers) VALUES (%s, %s, %s, %s)"


@dataclass(frozen=True)
class Job:
    """A job as its message tells it."""

    event_id: str
    upload_id: str
    job_id: str


def from_kafka(headers: Iterable[tuple[str, Any]], value: dict[str, str]) -> Job:
    """Read a message: the event's id is a header, the rest its JSON value."""
    return Job(dict(headers)["ce_id"].decode(), value["upload_id"], value["job_id"])


async def save(connection: psycopg.AsyncConnection[Any], job: Job) -> None:
    """Do the job, once."""
    async with connection.transaction():
        noted = await connection.execute(_INBOX, (HANDLER, job.event_id))
        if noted.rowcount == 1:
            await connection.execute(_ROW, _row(job))
            await connection.execute(_OUTBOX, _following(job))


def save_now(connection: psycopg.Connection[Any], job: Job) -> None:
    """Do the same without asyncio."""
    with connection.transaction():
        noted = connection.execute(_INBOX, (HANDLER, job.event_id))
        if noted.rowcount == 1:
            connection.execute(_ROW, _row(job))
            connection.execute(_OUTBOX, _following(job))


async def save_together(connection: psycopg.AsyncConnection[Any], jobs: list[Job]) -> None:
    """Do several jobs in one transaction: all of them or none."""
    async with connection.transaction(), connection.cursor() as cursor:
        new = []
        for job in jobs:
            await cursor.execute(_INBOX, (HANDLER, job.event_id))
            if cursor.rowcount == 1:
                new.append(job)
        await cursor.executemany(_ROW, [_row(job) for job in new])
        await cursor.executemany(_OUTBOX, [_following(job) for job in new])


def _row(job: Job) -> tuple[str, str, str]:
    return HANDLER, "bench.done", job.event_id


def _following(job: Job) -> tuple[str, bytes, bytes, str]:
    """The event that follows, as mien writes it."""
    kind = "dev.mien.face-analysed.v1"
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{kind}\n{job.event_id}")),
        "ce_source": "/mien",
        "ce_type": kind,
        "ce_subject": job.upload_id,
        "ce_time": datetime.now(UTC).isoformat(),
        "content-type": "application/json",
    }
    value = {"upload_id": job.upload_id, "job_id": job.job_id, "model_revision": "bench"}
    encoded = [[name, base64.b64encode(text.encode()).decode()] for name, text in headers.items()]
    return "mien.face-analysed.v1", job.upload_id.encode(), json.dumps(value).encode(), json.dumps(encoded)
