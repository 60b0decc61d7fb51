"""Who takes part, and how each is started and fed: as its users would for work that must not be lost."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.pipeline.jobs import TOPIC
from bench.pipeline.servers import Servers

PEERS = Path(__file__).parents[1] / "peers"

# what one transaction holds: the results of one event, or of several
PER_EVENT = "per event"
BATCHES = "batches"


@dataclass(frozen=True)
class Runner:
    """One who takes part.

    Args:
        name: as the table shows it.
        commits: PER_EVENT or BATCHES.
        program: the worker's command line; what it begins with is looked up in the environment's bin folder.
        broker: kafka or redis.
        topic: where its events are.
        way: how its jobs are handed over at full speed, see send.py; None where send_redis.py does it.
        paced_way: the same at a fixed rate.
        options: its own environment variables.
        is_mien: mien's own environment, not the peers'.
    """

    name: str
    commits: str
    program: Sequence[str]
    broker: str = "kafka"
    topic: str = ""
    way: str | None = "events"
    paced_way: str | None = "events"
    options: Mapping[str, str] = field(default_factory=dict)
    is_mien: bool = False

    def worker(self, python: Path) -> list[str]:
        """The worker's command."""
        if self.is_mien:
            return [sys.executable, *self.program]
        program, *arguments = self.program
        return [str(python.parent / program), *arguments]

    def sender(self, python: Path, count: int, rate: float) -> list[str]:
        """The command that hands jobs over, rate of them a second, or as fast as it goes if that is 0."""
        way = self.paced_way if rate else self.way
        if way is None:
            return [str(python), "send_redis.py", self.name, str(count), str(rate)]
        return [sys.executable, "-m", "bench.pipeline.send", way, self.topic, str(count), str(rate)]

    def environment(self, servers: Servers) -> dict[str, str]:
        """What both commands need to know."""
        broker = servers.kafka if self.broker == "kafka" else servers.redis or ""
        return {
            **os.environ,
            "BENCH_DATABASE": servers.database,
            "BENCH_BROKER": broker,
            "BENCH_TOPIC": self.topic,
            "BENCH_FOLDER": str(servers.folder),
            "MIEN_POSTGRES__URL": servers.database,
            "MIEN_KAFKA__BROKERS": servers.kafka,
            # for the benchmark's modules, and for the peers' as they find each other
            "PYTHONPATH": os.pathsep.join([str(PEERS.parents[1]), str(PEERS)]),
            **self.options,
        }


def everybody(*, with_redis: bool) -> list[Runner]:
    """All who take part on this machine; the first is what the others are compared with."""
    mien = ("-m", "bench.pipeline.mien_worker")
    faststream = ("faststream", "run", "faststream_worker:app", "--log-level", "warning")
    runners = [
        Runner("mien", PER_EVENT, (*mien, "handler"), topic=TOPIC, is_mien=True),
        Runner("mien-job", PER_EVENT, (*mien, "job"), topic=TOPIC, way="jobs", paced_way="outbox", is_mien=True),
        Runner(
            "faust",
            PER_EVENT,
            ("faust", "--app", "faust_worker", "worker", "--loglevel", "warn", "--without-web"),
            topic="bench.faust",
        ),
        Runner("faststream", PER_EVENT, faststream, topic="bench.faststream", options={"BENCH_WORKERS": "8"}),
        Runner("faststream-batch", BATCHES, faststream, topic="bench.faststream-batch", options={"BENCH_BATCH": "1"}),
        Runner("quix", PER_EVENT, ("python", "quix_worker.py"), topic="bench.quix"),
    ]
    if with_redis:
        celery = ("celery", "--app", "celery_worker", "worker", "--loglevel", "warning")
        dramatiq = ("dramatiq", "dramatiq_worker")
        runners += [
            Runner("celery", PER_EVENT, celery, "redis", way=None, paced_way=None),
            Runner("dramatiq", PER_EVENT, dramatiq, "redis", way=None, paced_way=None, options={"BENCH_THREADS": "8"}),
        ]
    return runners
