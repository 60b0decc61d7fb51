"""What the operator's endpoints of legal holds and of erasures do: load, decide, save. No HTTP in here."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from mien_api.cursors import Cursors, Page
from mien_api.hold_schemas import ErasureBody, ErasureState
from mien_api.privacy_handlers import request_erasure
from mien_core.errors import Missing
from mien_core.model.holds import LegalHold, NewLegalHold
from mien_core.model.platform import Job, JobStatus
from mien_core.model.privacy import ErasureRequest, Person
from mien_core.ports.database import Database, Transaction

_HOLDS: Final = Cursors("legal-holds", str)
# in the audit log: who may ask holds the operator's key
ACTOR: Final = "operator"
_LEGAL_HOLD: Final = "legal_hold"


@dataclass(frozen=True)
class HoldHandlers:
    """The endpoints' handlers of legal holds; one that doesn't exist is Missing (hold_not_found)."""

    database: Database

    async def place(self, hold: NewLegalHold) -> LegalHold:
        """Have something kept from now on; again under the same id it changes nothing, save what is said about it.

        Raises:
            Conflict: hold_differs, hold_released.
            Unavailable: database_unavailable, also if a deletion takes long.
        """
        async with self.database.reading() as reading:
            is_new = await reading.holds.get(hold.id) is None
        async with self.database.transaction() as transaction:
            placed = await transaction.holds.place(hold)
            if is_new:
                await transaction.audit_log.add(ACTOR, "hold.placed", hold.id)
            return placed

    async def hold(self, hold_id: str) -> LegalHold:
        """Look at a hold."""
        async with self.database.reading() as reading:
            return _found(await reading.holds.get(hold_id))

    async def standing(self, *, cursor: str | None, limit: int) -> Page[LegalHold]:
        """The holds that keep something.

        Raises:
            Rejected: invalid_cursor.
        """
        after = _HOLDS.read(cursor)
        async with self.database.reading() as reading:
            found = await reading.holds.standing(after or "", limit + 1)
        return _HOLDS.page(found, limit, lambda hold: hold.id)

    async def release(self, hold_id: str) -> LegalHold:
        """Have a hold keep nothing any more; a second time changes nothing."""
        async with self.database.transaction() as transaction:
            known = _found(await transaction.holds.get(hold_id))
            if known.released_at is None:
                await transaction.audit_log.add(ACTOR, "hold.released", hold_id)
            return _found(await transaction.holds.release(hold_id))


@dataclass(frozen=True)
class ErasureHandlers:
    """The endpoints' handlers of erasures; one that nobody asked for is Missing (erasure_not_found)."""

    database: Database

    async def ask(self, request_id: str, person: Person, requested_by: str) -> ErasureBody:
        """Have somebody erased, in the way in which users are at their own wish; or say what is in its way.

        What a hold is in the way of is begun by whoever asks again when it is lifted.

        Raises:
            Conflict: request_differs.
        """
        async with self.database.transaction() as transaction:
            request = await transaction.erasure_requests.ask(request_id, person, requested_by)
            job = await _job_of(transaction, request)
            if _may_begin(job) and not await transaction.holds.held(person):
                actor = f"{ACTOR}/{requested_by}"
                job_id = await request_erasure(transaction, person, actor)
                await transaction.erasure_requests.give(request_id, job_id)
                job = await transaction.jobs.get(job_id)
            return _shown(request, job)

    async def erasure(self, request_id: str) -> ErasureBody:
        """Look at an erasure."""
        async with self.database.reading() as reading:
            request = await self._request(reading, request_id)
            return _shown(request, await _job_of(reading, request))

    async def certificate(self, request_id: str) -> str:
        """Read what proves it, signed.

        Raises:
            Missing: certificate_not_found, as long as it has not ended well.
        """
        async with self.database.reading() as reading:
            request = await self._request(reading, request_id)
            certificate = await reading.erasures.certificate(request.job_id) if request.job_id else None
        if certificate is None:
            raise Missing("certificate_not_found", "There is none yet. It is issued when all is erased.")
        return certificate.document

    async def _request(self, transaction: Transaction, request_id: str) -> ErasureRequest:
        request = await transaction.erasure_requests.get(request_id)
        if request is None:
            raise Missing("erasure_not_found", "Nobody asked for such an erasure. Check the id, or ask for it.")
        return request


def _found(hold: LegalHold | None) -> LegalHold:
    if hold is None:
        raise Missing("hold_not_found", "There is no such hold. Check the id, or write it.")
    return hold


async def _job_of(transaction: Transaction, request: ErasureRequest) -> Job | None:
    return None if request.job_id is None else await transaction.jobs.get(request.job_id)


def _may_begin(job: Job | None) -> bool:
    """Tell whether there is no job yet, or one that a hold has ended."""
    return job is None or (job.error is not None and job.error.code == _LEGAL_HOLD)


def _shown(request: ErasureRequest, job: Job | None) -> ErasureBody:
    state = ErasureState.ERASING
    if job is None or _may_begin(job):
        state = ErasureState.BLOCKED
    elif job.status is JobStatus.COMPLETED:
        state = ErasureState.ERASED
    elif job.status.ended:
        state = ErasureState.FAILED
    return ErasureBody(
        id=UUID(request.id),
        state=state,
        subject=request.pseudonym,
        requested_by=request.requested_by,
        job_id=None if job is None else UUID(job.id),
        requested_at=None if job is None else job.created_at,
        erased_at=job.updated_at if job is not None and state is ErasureState.ERASED else None,
        code=job.error.code if job is not None and job.error is not None else None,
    )
