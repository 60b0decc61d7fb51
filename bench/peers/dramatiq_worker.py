# mypy: disable-error-code="import-not-found,import-untyped,untyped-decorator"
# Dramatiq runs in the peers' environment.
"""Dramatiq on Redis: it acknowledges a message once its actor has returned."""

import os

import dramatiq
import psycopg_pool
from dramatiq.brokers.redis import RedisBroker
from effects import BROKER, DATABASE, Job, save_now

THREADS = int(os.environ.get("BENCH_THREADS", "1"))

broker = RedisBroker(url=BROKER)
dramatiq.set_broker(broker)
pool = psycopg_pool.ConnectionPool(DATABASE, kwargs={"autocommit": True}, min_size=1, max_size=THREADS, open=False)


@dramatiq.actor
def note(event_id: str, upload_id: str, job_id: str) -> None:
    """Do a job."""
    # opened here and not at import: the process that imports this first is the parent of those that work
    pool.open()
    with pool.connection() as connection:
        save_now(connection, Job(event_id, upload_id, job_id))
