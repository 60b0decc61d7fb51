"""What users may have done with all that is held about them: shown, or erased. No HTTP in here."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from mien_api import personal_archive
from mien_api.handlers import Handlers, history_of
from mien_api.ids import new_id
from mien_api.zip_stream import zipped
from mien_core.events import erasure_requested, to_record
from mien_core.model.platform import Caller, JobHistory, JobKind, JobStatus, NewJob, require_user
from mien_core.model.privacy import Person
from mien_core.ports import Transaction
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
        """
        person = Person(caller.tenant, require_user(caller, user_id))
        async with self.platform.database.transaction() as transaction:
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
                await transaction.audit_log.add(_actor(caller), "user.erasure_requested", person.pseudonym)
            return await history_of(transaction, caller, job_id)


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
