"""What users may have done with all that is held about them: shown, or erased. No HTTP in here."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from mien_api import personal_archive
from mien_api.handlers import Handlers, history_of
from mien_api.ids import new_id
from mien_api.zip_stream import zipped
from mien_core.certificate.signing import REQUESTED
from mien_core.errors import Missing
from mien_core.events import erasure_requested, to_record
from mien_core.model.holds import legal_hold
from mien_core.model.platform import Caller, JobHistory, JobKind, JobStatus, NewJob, require_user
from mien_core.model.privacy import Person
from mien_core.ports.database import Transaction
from mien_core.telemetry import current_traceparent

# An erasure isn't waited for: it is carried out, though a part be away for most of a day.
DEADLINE_SECONDS: Final = 24 * 3600


@dataclass(frozen=True)
class PrivacyHandlers:
    """The endpoints' handlers; Missing (user_not_found) where the caller may not act for the user."""

    platform: Handlers

    async def export(self, caller: Caller, user_id: str) -> AsyncIterator[bytes]:
        """Note that it was asked for; give a ZIP file of all that is held about the user, piece by piece."""
        person = Person(caller.tenant, require_user(caller, user_id))
        async with self.platform.database.transaction() as transaction:
            await transaction.audit_log.add(_actor(caller), "user.exported", person.pseudonym)
        return zipped(personal_archive.entries(self.platform.database, self.platform.object_store, person))

    async def erase(self, caller: Caller, user_id: str) -> JobHistory:
        """Have the user erased; the job. Where an erasure is under way already, it is that one's.

        A user of whom nothing is known is erased as well: nobody learns who is known.

        Raises:
            Conflict: legal_hold.
        """
        person = Person(caller.tenant, require_user(caller, user_id))
        async with self.platform.database.transaction() as transaction:
            if await transaction.holds.held(person):
                raise legal_hold()
            job_id = await request_erasure(transaction, person, _actor(caller))
            return await history_of(transaction, caller, job_id)

    async def certificate(self, caller: Caller, user_id: str, job_id: str) -> str:
        """Read what proves an erasure of the user, signed.

        Raises:
            Missing: certificate_not_found, if there was no such erasure of this user's, or it has not ended well.
        """
        person = Person(caller.tenant, require_user(caller, user_id))
        async with self.platform.database.reading() as reading:
            certificate = await reading.erasures.certificate(job_id)
        if certificate is None or certificate.pseudonym != person.pseudonym:
            detail = "There is no certificate of such an erasure. It is issued when the erasure's job has completed."
            raise Missing("certificate_not_found", detail)
        return certificate.document


async def request_erasure(transaction: Transaction, person: Person, actor: str) -> str:
    """Have somebody erased, whoever asks for it; the job, which may be under way already."""
    job_id = await _begin(transaction, new_id(), person)
    new = NewJob(
        id=job_id,
        tenant=person.tenant,
        # its row stays, and must not name whom it is about
        user_id=None,
        kind=JobKind.ERASE_USER,
        upload_id=None,
        deadline_seconds=DEADLINE_SECONDS,
    )
    _, created = await transaction.jobs.create(new)
    if created:
        await transaction.outbox.add(to_record(erasure_requested(job_id, current_traceparent())))
        await transaction.audit_log.add(actor, REQUESTED, person.pseudonym)
    return job_id


async def _begin(transaction: Transaction, job_id: str, person: Person) -> str:
    """Open an erasure, or join the one that is open; one that failed is given up for the new one."""
    erasure = await transaction.erasures.begin(job_id, person)
    if erasure.job_id == job_id:
        return job_id
    job = await transaction.jobs.lock(erasure.job_id)
    if job is None or job.status is not JobStatus.FAILED:
        return erasure.job_id
    await transaction.erasures.end(erasure.job_id)
    return (await transaction.erasures.begin(job_id, person)).job_id


def _actor(caller: Caller) -> str:
    """Who asks: a user by pseudonym, since the record outlives them, or a tenant."""
    return caller.tenant if caller.user_id is None else Person(caller.tenant, caller.user_id).pseudonym
