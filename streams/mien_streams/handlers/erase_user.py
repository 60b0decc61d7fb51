"""On ErasureRequested: delete all that is held about a user, look again, and only then call it done."""

import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mien_core import telemetry
from mien_core.certificate.document import Audit, DeletedData, Link, SecondScan, Statement
from mien_core.certificate.keys import SigningKey
from mien_core.certificate.signing import ERASED, REQUESTED, signed, software
from mien_core.errors import Rejected, Unavailable
from mien_core.events import ErasureRequested, media_erased, to_record
from mien_core.model.personal_data import PERSONAL_TABLES
from mien_core.model.platform import Job, JobError, JobStatus
from mien_core.model.privacy import Deleted, Media, Person
from mien_core.ports.database import Database, Transaction
from mien_core.ports.objects import ObjectStore
from mien_core.rules.audit import written
from mien_streams.guarded import deleted
from mien_streams.job_agent import Assignment, JobAgent

logger = logging.getLogger(__name__)

# For so long a worker may be at what it was asked for, and write an object of a job that was cancelled meanwhile.
WORK_SECONDS: Final = 600
# What a transaction deletes at most, so that none holds locks for long.
ROWS: Final = 500
MEDIA: Final = 20
LEGAL_HOLD: Final = "legal_hold"
# what the second look goes through
SCANNED: Final = tuple(sorted(table.name for table in PERSONAL_TABLES))


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was deleted, by this attempt."""

    rows: int
    objects: int


class EraseUser(JobAgent[Erased]):
    """All rows and objects of the user are gone, in batches; one certificate that says so, and one MediaErased.

    Nothing new comes meanwhile: the open erasure refuses it. Objects go before the rows that know of them, so what is
    left of an attempt that was cut off is found by the next one. Where an object may still come late, by a URL that was
    handed out or from a worker that is at it, its prefix is noted, for whoever takes MediaErased.

    A legal hold on anything of the user's ends it: the job fails, what is left stays, and the user is let in again. No
    hold is written while a batch is being deleted.

    Args:
        database: not shared with others: its units of work are large.
        object_store: where the photos are.
        late_seconds: for so long after an upload was announced or its work has moved objects of it may come.
        signing_key: what certificates are signed with.
    """

    name = "erase-user"
    takes = ErasureRequested
    hop = "erasing"

    def __init__(
        self, database: Database, object_store: ObjectStore, late_seconds: float, signing_key: SigningKey
    ) -> None:
        self._database = database
        self._object_store = object_store
        self._late_seconds = late_seconds
        self._signing_key = signing_key

    async def work(self, assignment: Assignment) -> Erased:
        """See JobAgent."""
        person = await self._person(assignment)
        job_id = assignment.job.id
        await self._cancel_work(person)
        rows = await self._erase_rows(job_id, person)
        objects = 0
        while media := await self._next_media(person):
            erased = await self._erase_media(job_id, person, media)
            rows += sum(erased.rows.values())
            objects += erased.objects
        return Erased(rows, objects)

    async def save(self, transaction: Transaction, assignment: Assignment, result: Erased) -> None:
        """See JobAgent: the second look. What it finds came while the first one went on, and has it go on again."""
        job_id = assignment.job.id
        erasure = await transaction.erasures.get(job_id)
        person = erasure.person if erasure else None
        if person is None:
            raise _superseded()
        await self._check(transaction, person)
        remaining = await transaction.personal_data.remaining(person)
        if remaining:
            found = ", ".join(f"{rows} {table}" for table, rows in remaining.items())
            raise Unavailable("erasure_incomplete", f"There is still something about the user: {found}.", retry_after=0)
        scanned_at = await transaction.now()
        await transaction.personal_data.remove_user(person)
        await transaction.erasures.end(job_id)
        await transaction.audit_log.add(self.name, ERASED, person.pseudonym)
        await self._certify(transaction, job_id, person, scanned_at)
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

    async def fail(self, transaction: Transaction, job: Job, error: JobError) -> None:
        """See JobAgent. What is under a hold stays for long, so the user is let in again; a hold isn't their fault."""
        if error.code == LEGAL_HOLD:
            await transaction.erasures.end(job.id)

    async def _certify(self, transaction: Transaction, job_id: str, person: Person, scanned_at: datetime) -> None:
        """Say what was deleted, and sign it. What else is noted in the audit log waits from here to the commit."""
        await transaction.audit_log.chain()
        requested = await transaction.audit_log.newest(REQUESTED, person.pseudonym)
        erased = await transaction.audit_log.newest(ERASED, person.pseudonym)
        if requested is None or erased is None:
            raise LookupError(f"The audit log doesn't know of the erasure that is the job {job_id}.")
        counts = await transaction.erasures.counts(job_id)
        statement = Statement(
            subject=person.pseudonym,
            job_id=job_id,
            requested_at=written(requested.at),
            erased_at=written(erased.at),
            deleted=DeletedData(rows=dict(counts.rows), objects=counts.objects),
            second_scan=SecondScan(at=written(scanned_at), tables=SCANNED),
            audit=Audit(requested=Link.of(requested), erased=Link.of(erased)),
            software=software(),
            key_id=self._signing_key.public.id,
        )
        await transaction.erasures.certify(job_id, person.pseudonym, signed(statement, self._signing_key))

    @contextlib.asynccontextmanager
    async def _deleting(self, person: Person) -> AsyncIterator[Transaction]:
        """A transaction that may delete what is the person's, rows and objects; all of them are begun here."""
        async with self._database.transaction() as transaction:
            await self._check(transaction, person)
            yield transaction

    async def _check(self, transaction: Transaction, person: Person) -> None:
        """Let pass if nothing of the person's is held, and none will be until this transaction ends."""
        await transaction.holds.guard()
        if await transaction.holds.held(person):
            raise _held()

    async def _cancel_work(self, person: Person) -> None:
        """End the user's jobs, each for itself: whoever waits is told, and whoever works throws it away."""
        while True:
            async with self._database.reading() as reading:
                job_ids = await reading.personal_data.open_jobs(person, ROWS)
            if not job_ids:
                return
            for job_id in job_ids:
                async with self._deleting(person) as transaction:
                    job = await transaction.jobs.lock(job_id)
                    if job is not None and not job.status.ended:
                        await transaction.jobs.change(job_id, JobStatus.CANCELLED)

    async def _erase_rows(self, job_id: str, person: Person) -> int:
        erased = 0
        while True:
            async with self._deleting(person) as transaction:
                removed = await transaction.personal_data.remove_rows(person, ROWS)
                await transaction.erasures.count(job_id, Deleted(removed))
            if not removed:
                return erased
            erased += sum(removed.values())

    async def _next_media(self, person: Person) -> list[Media]:
        async with self._database.reading() as reading:
            return await reading.personal_data.media(person, "", MEDIA, self._late_seconds)

    async def _erase_media(self, job_id: str, person: Person, media: Sequence[Media]) -> Deleted:
        """Objects first: cut off in between, they are found by their rows again."""
        prefixes = [prefix for one in media for prefix in one.prefixes]
        late = [prefix for one in media if one.is_late for prefix in one.prefixes]
        async with self._deleting(person) as transaction:
            objects = sum(await deleted(transaction, self._object_store.erase, prefixes))
            if late:
                await transaction.erasures.watch(job_id, late, self._late_seconds)
            erased = Deleted(await transaction.personal_data.remove_media(person, media), objects)
            await transaction.erasures.count(job_id, erased)
        return erased


def _superseded() -> Rejected:
    return Rejected("erasure_superseded", "This erasure has ended, or another one was asked for after it had failed.")


def _held() -> Rejected:
    detail = "Something of this user's is under a legal hold and must be kept. Ask again when it is lifted."
    return Rejected(LEGAL_HOLD, detail)
