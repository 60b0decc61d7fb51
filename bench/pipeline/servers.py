"""The servers of this benchmark, its own: Postgres, Kafka, and Redis where there is one."""

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.pipeline.jobs import TOPIC
from mien_core import events, migrations
from mien_core.adapters.kafka import ensure_topics
from mien_core.errors import Unavailable
from mien_core.settings import KafkaSettings
from mien_local.home import Home
from mien_local.parts.kafka import Kafka
from mien_local.parts.part import Stage
from mien_local.parts.postgres import Postgres
from tests.redis_server import Redis

# job has its own end of the line; the others read their own topics, so that none finds another's events
PEER_TOPICS = ("bench.faust", "bench.faststream", "bench.faststream-batch", "bench.quix")

# what a job writes; all tables that refer to these are emptied with them
_EMPTY = "TRUNCATE uploads, inbox, outbox, audit_log CASCADE"

# tells of each job's row when it is committed, and not before
_TELL = """
CREATE FUNCTION bench_tell() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_notify('bench_done', NEW.subject); RETURN NULL; END $$;
CREATE TRIGGER bench_tell AFTER INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION bench_tell();
ALTER TABLE audit_log DISABLE TRIGGER bench_tell;
"""


@dataclass(frozen=True)
class Servers:
    """Where they are. redis is None where the machine has none."""

    folder: Path
    database: str
    kafka: str
    redis: str | None

    def emptied(self, *, telling: bool) -> None:
        """Forget all jobs; from here on the database tells of each job's end, or doesn't."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(_EMPTY)
            connection.execute(f"ALTER TABLE audit_log {'ENABLE' if telling else 'DISABLE'} TRIGGER bench_tell")


@contextlib.contextmanager
def running() -> Iterator[Servers]:
    """Start them all on free ports in a temporary folder; the block's end stops them."""
    with tempfile.TemporaryDirectory(prefix="mien-bench-") as name, contextlib.ExitStack() as stack:
        home = Home(Path(name) / "platform")
        home.prepare()
        stage = Stage(home)
        postgres, kafka = Postgres(stage), Kafka(stage)
        parts: list[Postgres | Kafka | Redis] = [postgres, kafka]
        redis: Redis | None = None
        try:
            (own := Redis(stage)).prepare()
            parts.append(redis := own)
        except Unavailable as error:
            print(f"no Celery and no Dramatiq: {error}", file=sys.stderr)
        for part in parts:
            part.prepare()
            stack.callback(part.stop)
            part.start()
        migrations.upgrade(postgres.url)
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(_TELL)
        settings = KafkaSettings(brokers=kafka.brokers)
        asyncio.run(ensure_topics(settings, {*events.TOPICS, TOPIC, *PEER_TOPICS}))
        yield Servers(Path(name), postgres.url, kafka.brokers, redis.url if redis else None)
