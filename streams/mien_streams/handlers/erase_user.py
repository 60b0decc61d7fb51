"""On ErasureRequested: delete all that is held about a user, look again, and only then call it done."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from mien_core import telemetry
from mien_core.errors import Rejected, Unavailable
from mien_core.events import ErasureRequested, media_erased, to_record
from mien_core.model.platform import JobStatus
from mien_core.model.privacy import Media, Person
from mien_core.ports import Database, ObjectStore, Transaction
from mien_streams.job_agent import Assignment, JobAgent

logger = logging.getLogger(__name__)

# For so long a worker may be at what it was asked for, and write an object of a job that was cancelled meanwhile.
WORK_SECONDS: Final = 600
# What a transaction deletes at most, so that none holds locks for long.
ROWS: Final = 500
MEDIA: Final = 20


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was deleted, by this attempt."""

    rows: int
    objects: int


class EraseUser(JobAgent[Erased]):
    """All rows and objects of the user are gone, in batches; one MediaErased.

    Nothing new comes meanwhile: the open erasure refuses it. Objects go before the rows that know of them, so what is
    left of an attempt that was cut off is found by the next one. Where an object may still come late, by a URL that was
    handed out or from a worker that is at it, its prefix is noted, for whoever takes MediaErased.

    Args:
        database: not shared with others: its units of work are large.
        object_store: where the photos are.
        late_seconds: for so long after an upload was announced or its work has moved objects of it may come.
    """

    name = "erase-user"
    takes = ErasureRequested
    hop = "erasing"

    def __init__(self, database: Database, object_store: ObjectStore, late_seconds: float) -> None:
        self._database = database
        self._object_store = object_store
        self._late_seconds = late_seconds

    async def work(self, assignment: Assignment) -> Erased:
        """See JobAgent."""
        person = await self._person(assignment)
        await self._cancel_work(person)
        rows = await self._erase_rows(person)
        objects = 0
        while media := await self._next_media(person):
            objects += await self._erase_objects(media)
            rows += await self._remove_media(assignment.job.id, person, media)
        return Erased(rows, objects)

    async def save(self, transaction: Transaction, assignment: Assignment, result: Erased) -> None:
        """See JobAgent: the second look. What it finds came while the first one went on, and has it go on again."""
        job_id = assignment.job.id
        erasure = await transaction.erasures.get(job_id)
        person = erasure.person if erasure else None
        if person is None:
            raise _superseded()
        remaining = await transaction.personal_data.remaining(person)
        if remaining:
            found = ", ".join(f"{rows} {table}" for table, rows in remaining.items())
            raise Unavailable("erasure_incomplete", f"There is still something about the user: {found}.", retry_after=0)
        await transaction.personal_data.remove_user(person)
        await transaction.erasures.end(job_id)
        await transaction.audit_log.add(self.name, "user.erased", person.pseudonym)
        event = media_erased(assignment.event, telemetry.current_traceparent())
        # once no URL and no worker can bring an object any more
        await transaction.outbox.add(to_record(event), await transaction.erasures.seconds_watched(job_id))
        logger.info("A user is erased", extra={"rows": result.rows, "objects": result.objects})

    async def _person(self, assignment: Assignment) -> Person:
        async with self._database.reading() as reading:
            erasure = await reading.erasures.get(assignment.job.id)
        if erasure is None or erasure.person is None:
            raise _superseded()
        return erasure.person

    @contextlib.asynccontextmanager
    async def _deleting(self) -> AsyncIterator[Transaction]:
        """A transaction that deletes; all of them are begun here.

        So whatever is to forbid a deletion, as a legal hold does, is asked here, by the transaction that deletes; and
        before the objects go in _erase_objects.
        """
        async with self._database.transaction() as transaction:
            yield transaction

    async def _cancel_work(self, person: Person) -> None:
        """End the user's jobs, each for itself: whoever waits is told, and whoever works throws it away."""
        while True:
            async with self._database.reading() as reading:
                job_ids = await reading.personal_data.open_jobs(person, ROWS)
            if not job_ids:
                return
            for job_id in job_ids:
                async with self._deleting() as transaction:
                    job = await transaction.jobs.lock(job_id)
                    if job is not None and not job.status.ended:
                        await transaction.jobs.change(job_id, JobStatus.CANCELLED)

    async def _erase_rows(self, person: Person) -> int:
        erased = 0
        while True:
            async with self._deleting() as transaction:
                removed = await transaction.personal_data.remove_rows(person, ROWS)
            if not removed:
                return erased
            erased += removed

    async def _next_media(self, person: Person) -> list[Media]:
        async with self._database.reading() as reading:
            return await reading.personal_data.media(person, "", MEDIA, self._late_seconds)

    async def _erase_objects(self, media: Sequence[Media]) -> int:
        prefixes = [prefix for one in media for prefix in one.prefixes]
        return sum(await asyncio.gather(*map(self._object_store.erase, prefixes)))

    async def _remove_media(self, job_id: str, person: Person, media: Sequence[Media]) -> int:
        late = [prefix for one in media if one.is_late for prefix in one.prefixes]
        async with self._deleting() as transaction:
            if late:
                await transaction.erasures.watch(job_id, late, self._late_seconds)
            return await transaction.personal_data.remove_media(person, media)


def _superseded() -> Rejected:
    return Rejected("erasure_superseded", "This erasure has ended, or another one was asked for after it had failed.")
