"""One round of one who takes part: how fast, how late, at what cost."""

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from bench.figures import percentile
from bench.pipeline import sending
from bench.pipeline.processes import Worker, working
from bench.pipeline.runners import PEERS, Runner
from bench.pipeline.sending import Sender
from bench.pipeline.servers import Servers

WARM_UP = 300
JOBS = 3000
RATE = 50.0
PACED_WARM_UP = 50
PACED_JOBS = 300
# a worker's processes answer for their CPU in steps of 10 ms, and it may still commit offsets for the last jobs
SETTLING_SECONDS = 0.5

# the hops of a job's way from its event to its handler
_TO_HANDLER = """
SELECT (timings->>'outbox')::float8 + (timings->>'kafka')::float8 + (timings->>'queue')::float8
FROM jobs WHERE status = 'completed'
"""


@dataclass(frozen=True)
class Round:
    """What was measured.

    Args:
        jobs_per_second: from the first enqueue to the last commit.
        cpu_seconds: of the worker's processes, per 1,000 jobs.
        database_cpu_seconds: the database server's meanwhile, likewise.
        megabytes: the worker's processes' peaks of resident memory.
        latencies_ms: from each job's enqueue to its commit as another connection sees it, at RATE.
        to_handler_ms: from each event's writing into the outbox to its handler; empty where jobs don't come by it.
    """

    jobs_per_second: float
    cpu_seconds: float
    database_cpu_seconds: float
    megabytes: float
    latencies_ms: list[float]
    to_handler_ms: list[float]

    def __str__(self) -> str:
        p50, p99 = (percentile(self.latencies_ms, percent) for percent in (50, 99))
        return f"{self.jobs_per_second:.0f} jobs/s, {self.cpu_seconds:.2f} s of CPU, {p50:.1f} ms, p99 {p99:.1f} ms"


def measured(runner: Runner, servers: Servers, python: Path) -> Round:
    """Start the worker, warm it up, give it JOBS at once, then PACED_JOBS at RATE."""
    environment = runner.environment(servers)
    servers.emptied(telling=False)
    log = servers.folder / f"{runner.name}.log"
    with working(runner.worker(python), environment, PEERS, log) as worker:
        with _sender(runner, servers, python, WARM_UP, 0) as sender:
            sender.go()
            sending.all_done(servers.database, WARM_UP, worker)
        servers.emptied(telling=False)
        with _sender(runner, servers, python, JOBS, 0) as sender:
            cpu, database_cpu = worker.cpu_seconds, _database_cpu_seconds(servers)
            sender.go()
            ended = sending.all_done(servers.database, JOBS, worker)
            began = min(sender.sent().values())
        time.sleep(SETTLING_SECONDS)
        cpu, database_cpu = worker.cpu_seconds - cpu, _database_cpu_seconds(servers) - database_cpu
        sending.check_done_once(servers.database, JOBS)
        with _relaying(runner, servers):
            servers.emptied(telling=True)
            _paced(runner, servers, python, PACED_WARM_UP)
            servers.emptied(telling=True)
            latencies, to_handler = _paced(runner, servers, python, PACED_JOBS)
        return Round(
            jobs_per_second=JOBS / (ended - began),
            cpu_seconds=cpu / JOBS * 1000,
            database_cpu_seconds=database_cpu / JOBS * 1000,
            megabytes=worker.peak_megabytes,
            latencies_ms=latencies,
            to_handler_ms=to_handler,
        )


def _paced(runner: Runner, servers: Servers, python: Path, count: int) -> tuple[list[float], list[float]]:
    """Give so many jobs at RATE; latencies_ms and to_handler_ms as in Round."""
    with _sender(runner, servers, python, count, RATE) as sender:
        seen = sending.seen_ends(servers.database, count, sender)
        sent = sender.sent()
    with psycopg.connect(servers.database, autocommit=True) as connection:
        to_handler = [milliseconds for (milliseconds,) in connection.execute(_TO_HANDLER).fetchall()]
    return [(seen[event] - at) * 1000 for event, at in sent.items()], to_handler


@contextlib.contextmanager
def _sender(runner: Runner, servers: Servers, python: Path, count: int, rate: float) -> Iterator[Sender]:
    sender = Sender(runner.sender(python, count, rate), runner.environment(servers))
    try:
        yield sender
    finally:
        sender.end()


@contextlib.contextmanager
def _relaying(runner: Runner, servers: Servers) -> Iterator[Worker | None]:
    """Have mien's relay run if the jobs come by the outbox."""
    if runner.paced_way != "outbox":
        yield None
        return
    ready = servers.folder / "relay.ready"
    environment = {**runner.environment(servers), "MIEN_STREAMS__READY_FILE": str(ready)}
    command = [sys.executable, "-m", "mien_streams", "--role", "relay"]
    with working(command, environment, PEERS, servers.folder / "relay.log") as relay:
        while not ready.exists():
            relay.check()
            time.sleep(sending.POLL_SECONDS)
        yield relay


def _database_cpu_seconds(servers: Servers) -> float:
    """What the database server has computed so far, ended connections included."""
    with psycopg.connect(servers.database) as connection:
        postmaster = psutil.Process(connection.info.backend_pid).parent()
        if postmaster is None:
            raise RuntimeError("the database server is gone")
        return sum(postmaster.cpu_times()[:4]) + sum(sum(child.cpu_times()[:2]) for child in postmaster.children())
