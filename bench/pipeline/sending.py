"""Handing jobs to a worker, from a process of its own, and waiting until they are all done."""

import subprocess
import time
from collections.abc import Sequence
from typing import IO

import psycopg

from bench.pipeline.processes import Worker
from bench.pipeline.runners import PEERS

STALLED_SECONDS = 60.0
POLL_SECONDS = 0.02

# what jobs leave in the outbox; a retry that was put off lies there, too
_FOLLOWING = "outbox WHERE topic = 'mien.face-analysed.v1'"

Connection = psycopg.Connection[tuple[int]]


class Sender:
    """A process that hands jobs over once it is told to."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command, env=environment, cwd=PEERS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        _pipe(self._process.stdout).readline()

    def go(self) -> None:
        """Have it begin."""
        _pipe(self._process.stdin).write("\n")
        _pipe(self._process.stdin).flush()

    def sent(self) -> dict[str, float]:
        """Wait for its end; when it handed each job over (seconds since the epoch), by the id of its event."""
        output, _ = self._process.communicate(timeout=STALLED_SECONDS)
        return {event: float(at) for event, at in (line.split() for line in output.splitlines())}

    def end(self) -> None:
        """End it if it hasn't ended."""
        self._process.kill()
        self._process.communicate()


def all_done(database: str, count: int, worker: Worker) -> float:
    """Wait until there are so many rows; when that was seen (seconds since the epoch).

    Raises:
        RuntimeError: the worker ended, or does nothing any more.
    """
    with psycopg.connect(database, autocommit=True) as connection:
        done, deadline = 0, 0.0
        while True:
            rows = _count(connection, "audit_log")
            now = time.time()
            if rows >= count:
                return now
            if rows > done or not deadline:
                done, deadline = rows, now + STALLED_SECONDS
            worker.check()
            if now > deadline:
                raise RuntimeError(f"{done} of {count} jobs are done, and then no more for {STALLED_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)


def seen_ends(database: str, count: int, sender: Sender) -> dict[str, float]:
    """Have the sender begin; when the database told of each job's commit (seconds since the epoch), by its event's id.

    Raises:
        RuntimeError: not all of them came.
    """
    seen: dict[str, float] = {}
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("LISTEN bench_done")
        sender.go()
        for notification in connection.notifies(timeout=STALLED_SECONDS, stop_after=count):
            seen[notification.payload] = time.time()
    if len(seen) < count:
        raise RuntimeError(f"{len(seen)} of {count} jobs are done, and then no more for {STALLED_SECONDS:.0f} s")
    return seen


def check_done_once(database: str, jobs: int) -> None:
    """See that each of so many jobs left its rows exactly once.

    Raises:
        RuntimeError: some were lost or doubled.
    """
    with psycopg.connect(database, autocommit=True) as connection:
        counts = tuple(_count(connection, table) for table in ("inbox", "audit_log", _FOLLOWING))
    if counts != (jobs, jobs, jobs):
        raise RuntimeError(f"{jobs} jobs left {counts} rows in inbox, audit_log, outbox")


def _count(connection: Connection, rows: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {rows}").fetchone()  # noqa: S608 - constants of this module
    return row[0] if row else 0


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise RuntimeError("the process was started without a pipe")
    return pipe
