# mypy: disable-error-code="import-not-found,import-untyped,untyped-decorator"
# Celery runs in the peers' environment.
"""Celery on Redis: a task is acknowledged once it is done, and comes again if its process dies before."""

from typing import Any

import psycopg
from celery import Celery
from celery.signals import worker_process_init
from effects import BROKER, DATABASE, Job, save_now

app = Celery("bench", broker=BROKER)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
)
connections: list[psycopg.Connection[Any]] = []


@worker_process_init.connect
def connect(**_: object) -> None:
    """Give each process of the pool its connection."""
    connections.append(psycopg.connect(DATABASE, autocommit=True))


@app.task(name="note")
def note(event_id: str, upload_id: str, job_id: str) -> None:
    """Do a job."""
    save_now(connections[0], Job(event_id, upload_id, job_id))
