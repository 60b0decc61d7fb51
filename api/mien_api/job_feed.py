"""What becomes of jobs, for all who watch one in this process: one subscription, one reader and one timer.

A watcher costs a number and an event. It holds no connection to the database and never asks it anything.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Collection, Iterator
from enum import StrEnum
from itertools import count, islice

from mien_api import server_sent_events
from mien_api.schemas import job_body
from mien_api.stream_places import StreamLimits, StreamPlaces
from mien_core.errors import Unavailable
from mien_core.model.platform import Caller, JobHistory
from mien_core.ports.database import Database
from mien_core.ports.signals import Channel
from mien_core.rules.jobs import as_of

logger = logging.getLogger(__name__)

# A job's end is signalled, its other steps aren't, and a signal may get lost: so all that is watched is looked at.
LOOK_SECONDS = 1.0
# jobs per statement: what is read of them is turned into objects in one go, while everybody else waits
BATCH = 500

HEARTBEAT_SECONDS = 15.0
# Not all at once: the watchers of a turn are written to together.
TURNS = 60
# Then the client connects again, with a credential that is looked at again.
LONGEST_BEATS = 60
# how long a client waits before it connects again; spread, so that those of a stopped process don't come as one
RETRY_MILLISECONDS = 1000
RETRY_SPREAD_MILLISECONDS = 2000


class Over(StrEnum):
    """Why a stream ends: its job has, its client left or doesn't read, it is old, the job is gone, the server stops."""

    ENDED = "ended"
    LEFT = "left"
    STALLED = "stalled"
    AGED = "aged"
    ERASED = "erased"
    STOPPING = "stopping"


class _Followed:
    """A job that somebody watches."""

    def __init__(self) -> None:
        self.history: JobHistory | None = None
        self.watches: set[Watch] = set()
        self._newest = b""

    @property
    def seq(self) -> int:
        """The last step known; 0 before the job was read."""
        return self.history.seq if self.history else 0

    def note(self, history: JobHistory) -> None:
        """Wake everybody, if this is news."""
        if history.seq > self.seq:
            self.history, self._newest = history, b""
            for watch in self.watches:
                watch.wake()

    def frame(self, seq: int) -> bytes:
        """The event of a step. The newest is kept: everybody is about to want it."""
        assert self.history is not None  # noqa: S101 - there is no step to ask for before
        if seq < self.seq:
            return _frame(as_of(self.history, seq))
        self._newest = self._newest or _frame(self.history)
        return self._newest


class Watch:
    """One stream's place in a job's history: what it hasn't been sent yet is made when it can take it, not queued."""

    def __init__(self, followed: _Followed, turn: int) -> None:
        self._followed = followed
        self._sent = 0
        self._woken = asyncio.Event()
        self._beats = 0
        self._beat_is_due = False
        self.retry_milliseconds = RETRY_MILLISECONDS + RETRY_SPREAD_MILLISECONDS * turn // TURNS
        self.over: Over | None = None

    def begin(self, history: JobHistory, after: int) -> None:
        """Have the steps after this one sent; history is the job as the caller has just seen it."""
        self._sent = after
        self._followed.note(history)

    async def next(self) -> bytes | None:
        """Wait for what is to be sent next; None when the stream is over."""
        while self.over is None:
            self._woken.clear()
            history = self._followed.history
            if history is not None and self._sent < history.seq:
                # a policy may have forgotten the first steps
                self._sent = max(self._sent + 1, history.steps[0].seq)
                return self._followed.frame(self._sent)
            if history is not None and history.job.status.ended:
                self.close(Over.ENDED)
            elif self._beat_is_due:
                self._beat_is_due = False
                return server_sent_events.HEARTBEAT
            else:
                await self._woken.wait()
        return None

    def wake(self) -> None:
        """Have it look whether there is something to send."""
        self._woken.set()

    def beat(self) -> None:
        """Have it send a heartbeat, or end if it has had enough of them."""
        self._beats += 1
        self._beat_is_due = True
        if self._beats >= LONGEST_BEATS:
            self.close(Over.AGED)
        self._woken.set()

    def close(self, why: Over) -> None:
        """Have it end. The first reason counts."""
        self.over = self.over or why
        self._woken.set()


class JobFeed:
    """Follows the jobs that somebody watches. One a process."""

    def __init__(self, database: Database, limits: StreamLimits) -> None:
        self._database = database
        self._places = StreamPlaces(limits)
        self._followed: dict[str, _Followed] = {}
        self._turns: list[set[Watch]] = [set() for _ in range(TURNS)]
        self._opened = count()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow jobs as long as the block lasts; then every watch is over."""
        tasks = {
            asyncio.create_task(self._follow(), name="job-feed"),
            asyncio.create_task(self._keep_beating(), name="job-feed-heartbeats"),
        }
        try:
            yield
        finally:
            for watch in [watch for turn in self._turns for watch in turn]:
                watch.close(Over.STOPPING)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    @contextlib.contextmanager
    def watching(self, job_id: str, caller: Caller, address: str | None = None) -> Iterator[Watch]:
        """Watch a job. Begin the watch with what is read of the job after this: so no step is missed in between.

        Args:
            job_id: the job's.
            caller: who watches.
            address: where a caller without a credential comes from; else None.

        Raises:
            Unavailable: as StreamPlaces.taken.
        """
        with self._places.taken(caller, address):
            number = next(self._opened) % TURNS
            turn, followed = self._turns[number], self._followed.setdefault(job_id, _Followed())
            watch = Watch(followed, number)
            turn.add(watch)
            followed.watches.add(watch)
            try:
                yield watch
            finally:
                turn.discard(watch)
                followed.watches.discard(watch)
                if not followed.watches:
                    del self._followed[job_id]

    async def _follow(self) -> None:
        async with self._database.subscribe_all(Channel.JOB_ENDS) as subscription:
            looked_at = time.monotonic()
            while True:
                signalled = await subscription.wait(max(0.0, looked_at + LOOK_SECONDS - time.monotonic()))
                look = signalled.missed or time.monotonic() >= looked_at + LOOK_SECONDS
                looked_at = time.monotonic() if look else looked_at
                try:
                    await self._read(signalled.topics & self._followed.keys())
                    if look:
                        await self._look()
                except Unavailable as error:
                    logger.warning("The jobs that are watched can't be read: %s", error)
                except Exception:
                    # without this task all streams would be silent for ever
                    logger.exception("A bug in reading the jobs that are watched")

    async def _look(self) -> None:
        known = {job_id: followed.seq for job_id, followed in self._followed.items() if followed.seq}
        for batch in _batches(known):
            async with self._database.reading() as reading:
                moved = await reading.jobs.moved({job_id: known[job_id] for job_id in batch})
            await self._read(moved)

    async def _read(self, job_ids: Collection[str]) -> None:
        for batch in _batches(job_ids):
            async with self._database.reading() as reading:
                found = {history.job.id: history for history in await reading.jobs.histories(batch)}
            for job_id in batch:
                followed = self._followed.get(job_id)
                if followed is not None and job_id in found:
                    followed.note(found[job_id])
                elif followed is not None:
                    for watch in followed.watches:
                        watch.close(Over.ERASED)

    async def _keep_beating(self) -> None:
        while True:
            for turn in self._turns:
                await asyncio.sleep(HEARTBEAT_SECONDS / TURNS)
                for watch in turn:
                    watch.beat()


def _frame(history: JobHistory) -> bytes:
    data = job_body(history).model_dump_json(by_alias=True)
    return server_sent_events.event(history.seq, history.job.status, data)


def _batches(job_ids: Collection[str]) -> Iterator[list[str]]:
    remaining = iter(job_ids)
    while batch := list(islice(remaining, BATCH)):
        yield batch
