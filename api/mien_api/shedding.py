"""Sends work away before queues grow without bound: 503 with Retry-After, decided without asking anybody.

What waits in the pipeline is read in the background, once a second and process; a request only compares numbers.
Whoever reads is never sent away.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from prometheus_client import Counter, Gauge

from mien_core.errors import Unavailable
from mien_core.model.platform import JobKind
from mien_core.ports.database import Database
from mien_core.rules.load import Drain, Limits, Load, overload, retry_after

logger = logging.getLogger(__name__)

SHED = Counter("mien_requests_shed_total", "Requests sent away because too much waits.", ["route", "cause"])
OPEN_JOBS = Gauge("mien_jobs_open", "Jobs that have not ended, as last read.", ["kind"])

READ_SECONDS = 1.0
TICK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Work:
    """What a request of a route brings: which kind of job, whether it begins one, whether it holds a photo.

    methods are those that bring it; the route's others only read.
    """

    kind: JobKind
    begins: bool = True
    photo: bool = False
    methods: frozenset[str] = frozenset({"POST"})


class Shedding:
    """Knows what waits, and whom to send away. One a process.

    Args:
        limits: how much may wait.
        work: what requests bring, by their route's path; those of other routes are taken always.
    """

    def __init__(self, limits: Limits, work: Mapping[str, Work]) -> None:
        self._limits = limits
        self._work = work
        self._pipeline = Load()
        self._open: Mapping[JobKind, int] = {}
        self._begun: Tally[JobKind] = Tally()
        self._drains: defaultdict[JobKind, Drain] = defaultdict(Drain)
        self._requests = 0
        self._photos = 0

    def admission(self, method: str, route: str) -> AbstractContextManager[None]:
        """Let a request in for as long as the block lasts.

        Args:
            method: the request's.
            route: its route's path.

        Raises:
            Unavailable: overloaded, when the block is entered.
        """
        work = self._work.get(route)
        if work is None or method not in work.methods:
            return contextlib.nullcontext()
        return self.admitted(work, route)

    @contextlib.asynccontextmanager
    async def watching(self, database: Database) -> AsyncIterator[None]:
        """Know what waits in the pipeline as long as the block lasts."""
        watching = asyncio.create_task(self._watch(database), name="shedding")
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait({watching})

    @contextlib.contextmanager
    def admitted(self, work: Work, route: str) -> Iterator[None]:
        """Let work in for as long as the block lasts.

        Raises:
            Unavailable: overloaded.
        """
        load = self.load(work.kind)
        cause = overload(load if work.photo else replace(load, photos=0), self._limits)
        if cause is not None:
            SHED.labels(route, cause).inc()
            seconds = retry_after(cause, load, self._limits, self._drains[work.kind].rate)
            raise Unavailable("overloaded", "Too much waits to be done. Try again after Retry-After seconds.", seconds)
        self._begun[work.kind] += work.begins
        self._requests += 1
        self._photos += work.photo
        try:
            yield
        except Exception:
            # it began nothing after all; of a reading meanwhile the difference lasts for a second
            self._begun[work.kind] = max(0, self._begun[work.kind] - work.begins)
            raise
        finally:
            self._requests -= 1
            self._photos -= work.photo

    def load(self, kind: JobKind) -> Load:
        """What waits for this kind of job at the moment."""
        return replace(
            self._pipeline,
            open_jobs=self._open.get(kind, 0) + self._begun[kind],
            requests=self._requests,
            photos=self._photos,
        )

    async def _watch(self, database: Database) -> None:
        while True:
            try:
                await self._read(database)
            except Unavailable as error:
                # what was read last still counts; that the database is away is for each request to say
                logger.warning("What waits in the pipeline can't be read: %s", error)
            except Exception:
                # without this task the last reading would count for ever
                logger.exception("A bug in reading what waits: nobody is sent away for it")
                self._pipeline, self._open, self._begun = Load(), {}, Tally()
            await asyncio.sleep(READ_SECONDS)

    async def _read(self, database: Database) -> None:
        before = self._begun.copy()
        reading = asyncio.create_task(_waiting(database), name="shedding-read")
        seconds = 0.0
        try:
            while not (await asyncio.wait({reading}, timeout=TICK_SECONDS))[0]:
                # counted, not measured: a process that was held up itself must not take it for the database's fault
                seconds += TICK_SECONDS
                longest = max(seconds, self._pipeline.database_seconds)
                self._pipeline = replace(self._pipeline, database_seconds=longest)
        finally:
            # of no effect unless whoever reads is cancelled
            reading.cancel()
        found, outbox_seconds = await reading
        self._pipeline = Load(outbox_seconds=outbox_seconds, database_seconds=seconds)
        self._open = found
        for kind in JobKind:
            self._drains[kind].note(time.monotonic(), found.get(kind, 0), taken=before[kind] > 0)
            OPEN_JOBS.labels(kind).set(found.get(kind, 0))
        self._begun -= before


async def _waiting(database: Database) -> tuple[Mapping[JobKind, int], float]:
    """Open jobs by kind, and the age of the oldest due record. A unit of work, since those may wait for connections."""
    async with database.transaction() as transaction:
        return await transaction.jobs.open_by_kind(), await transaction.outbox.oldest_due_seconds()
