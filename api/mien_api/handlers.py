"""What the endpoints do: load, decide, save. No HTTP in here."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mien_api.ids import new_id
from mien_api.scopes import require_scope
from mien_api.waiting import wait_for_end
from mien_core.errors import Conflict, Missing
from mien_core.intake import start_analysis
from mien_core.model.keys import annotated_key, original_key
from mien_core.model.platform import (
    Analysis,
    AnnouncedPurpose,
    Caller,
    Consent,
    Job,
    JobHistory,
    JobKind,
    JobStatus,
    NewUpload,
    Owned,
    Purpose,
    Upload,
    require_owned,
    user_of,
)
from mien_core.model.recommendations import Recommendation
from mien_core.ports.database import Database, Transaction
from mien_core.ports.objects import ObjectFacts, ObjectStore, PresignedPut
from mien_core.rules.jobs import check_cancellable
from mien_core.rules.uploads import check_announcement, consent_of
from mien_core.telemetry import current_traceparent


@dataclass(frozen=True, slots=True)
class Result:
    """What a photo's analysis has come to: the parts that there are, and a presigned URL of the analysis' picture.

    pending is the job that is still to recommend looks; without one there is a recommendation, or there will be none.
    """

    analysis: Analysis | None
    annotated: str
    recommendation: Recommendation | None
    pending: Job | None = None


@dataclass(frozen=True)
class Handlers:
    """The endpoints' handlers over the ports that they need; the two times are seconds.

    consent_required says whether consent must be said with each photo, and consent_exceptions where it is otherwise.
    """

    database: Database
    object_store: ObjectStore
    consent_required: bool
    upload_expires: int
    download_expires: int
    consent_exceptions: Mapping[Purpose, bool] = field(default_factory=dict)

    def consent(self, purpose: Purpose, *, given: bool | None) -> Consent:
        """What is recorded of the consent to a photo's analysis, as its application asks for it.

        Raises:
            Rejected: consent_required.
        """
        return consent_of(given=given, required=self.consent_exceptions.get(purpose, self.consent_required))

    async def announce_upload(
        self,
        caller: Caller,
        *,
        content_type: str,
        content_length: int,
        purpose: AnnouncedPurpose,
        user_id: str | None,
        consent: bool | None,
    ) -> tuple[Upload, PresignedPut]:
        """Note an upload, then sign its PUT: no URL is ever out without its row.

        Raises:
            Rejected: unsupported_content_type, photo_too_large, consent_required.
            Missing: user_not_found, if the caller may not act for that user.
        """
        check_announcement(content_type, content_length)
        announced = NewUpload(
            id=new_id(),
            tenant=caller.tenant,
            user_id=user_of(caller, user_id),
            purpose=purpose,
            content_type=content_type,
            content_length=content_length,
            consent=self.consent(purpose, given=consent),
            expires_in_seconds=self.upload_expires,
        )
        async with self.database.transaction() as transaction:
            upload = await transaction.uploads.add(announced)
        key = original_key(upload.id)
        signed = await self.object_store.presign_put(key, content_type, content_length, self.upload_expires)
        return upload, signed

    async def analyse(self, caller: Caller, upload_id: str, wait_seconds: float) -> tuple[Job, Result | None]:
        """Start the upload's analysis, unless it has been started, and wait for its end and for the looks.

        Gives the analysis' job and, if that has ended, what it has come to.

        Raises:
            Missing: upload_not_found.
            Conflict: upload_not_received, if the bytes aren't there; purpose_not_glam.
        """
        deadline = time.monotonic() + wait_seconds
        # Mostly both answers are needed, so the store isn't asked after the database but beside it.
        looking = asyncio.create_task(self.object_store.head(original_key(upload_id)))
        try:
            upload, job = await self._known(caller, upload_id)
            if job is None:
                original = await looking
                if original is None:
                    # begun by the store's notification since it was looked up, and the original replaced already?
                    upload, job = await self._known(caller, upload_id)
                job = job or await self._start(upload, original)
        finally:
            # whoever joins work under way needs no store, so its failure is no failure then
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        job, result = await wait_for_end(self.database, job, wait_seconds, self._result)
        if result is None:
            return job, None
        return job, await self._whole(job, result, max(0.0, deadline - time.monotonic()))

    async def look(self, caller: Caller, upload_id: str) -> tuple[Job, Result]:
        """Find the job and what it has come to so far.

        Raises:
            Missing: upload_not_found, or analysis_not_found if none was asked for.
        """
        async with self.database.reading() as transaction:
            upload = _of_application(await transaction.uploads.get(upload_id), caller)
            job = await transaction.jobs.of_upload(JobKind.ANALYSE_FACE, upload.id)
            analysis = await transaction.analyses.get(upload.id)
            recommendation = await transaction.recommendations.get(upload.id)
        job = _require_asked(job)
        return job, await self._whole(job, Result(analysis, await self._annotated_url(job), recommendation), 0.0)

    async def recommendation(self, caller: Caller, upload_id: str) -> Recommendation | None:
        """Find what was recommended for an upload; None if there is nothing (yet).

        Raises:
            Missing: upload_not_found, or analysis_not_found if none was asked for.
        """
        async with self.database.reading() as transaction:
            upload = _of_application(await transaction.uploads.get(upload_id), caller)
            recommendation = await transaction.recommendations.get(upload.id)
            if recommendation is None:
                _require_asked(await transaction.jobs.of_upload(JobKind.ANALYSE_FACE, upload.id))
        return recommendation

    async def job(self, caller: Caller, job_id: str) -> JobHistory:
        """Find a job and its steps.

        Raises:
            Missing: job_not_found.
        """
        async with self.database.reading() as transaction:
            return await history_of(transaction, caller, job_id)

    async def cancel(self, caller: Caller, job_id: str) -> JobHistory:
        """End a job as cancelled; what is being made for it is thrown away. A second time changes nothing.

        Raises:
            Missing: job_not_found.
            Conflict: job_already_ended, if it was completed or has failed; erasure_not_cancellable.
        """
        async with self.database.transaction() as transaction:
            # whose it is comes before the lock: nobody may hold up a stranger's job
            check_cancellable((await history_of(transaction, caller, job_id)).job)
            job = await transaction.jobs.lock(job_id)
            if job is not None and job.status is not JobStatus.CANCELLED:
                await transaction.jobs.change(job_id, JobStatus.CANCELLED)
            return await history_of(transaction, caller, job_id)

    async def analysis(self, job: Job) -> Analysis | None:
        """What a job that the caller was shown has come to; None if it came to nothing, or was erased meanwhile."""
        async with self.database.reading() as reading:
            return await reading.analyses.get(job.photo_id)

    async def _result(self, job: Job) -> Result:
        # on connections of their own, so that one isn't read after the other while somebody waits for both
        return Result(*await asyncio.gather(self.analysis(job), self._annotated_url(job), self._recommended(job)))

    async def _recommended(self, job: Job) -> Recommendation | None:
        async with self.database.reading() as reading:
            return await reading.recommendations.get(job.photo_id)

    async def _whole(self, job: Job, result: Result, seconds: float) -> Result:
        """Wait so long for looks that a job of their own recommends.

        Where that comes to nothing, the analysis is whole without them.
        """
        if job.status is not JobStatus.COMPLETED or result.recommendation is not None:
            return result
        async with self.database.reading() as reading:
            own = await reading.jobs.of_upload(JobKind.RECOMMEND_LOOKS, job.photo_id)
        if own is None:
            return result
        own, recommendation = await wait_for_end(self.database, own, seconds, self._recommended)
        return replace(result, recommendation=recommendation, pending=None if own.status.ended else own)

    async def _annotated_url(self, job: Job) -> str:
        return await self.object_store.presign_get(annotated_key(job.photo_id), self.download_expires)

    async def _known(self, caller: Caller, upload_id: str) -> tuple[Upload, Job | None]:
        async with self.database.reading() as transaction:
            upload = require_owned(await transaction.uploads.get(upload_id), caller, "upload")
            return upload, await transaction.jobs.of_upload(JobKind.ANALYSE_FACE, upload_id)

    async def _start(self, upload: Upload, original: ObjectFacts | None) -> Job:
        if upload.purpose != "glam":
            detail = f"This upload was announced for {upload.purpose}. Announce another one with purpose glam."
            raise Conflict("purpose_not_glam", detail)
        if original is None:
            detail = (
                "The photo has not arrived. PUT its bytes to the upload's URL, or announce a new upload if it expired."
            )
            raise Conflict("upload_not_received", detail)
        async with self.database.transaction() as transaction:
            return await start_analysis(transaction, upload, current_traceparent())


def _of_application(upload: Upload | None, caller: Caller) -> Upload:
    """The caller's upload, if their credential covers what it is for: a face is read there, too."""
    owned = require_owned(upload, caller, "upload")
    require_scope(caller, owned.purpose)
    return owned


def _require_asked(job: Job | None) -> Job:
    if job is None:
        raise Missing("analysis_not_found", "This upload was not analysed. Ask for it with POST /analyze.")
    return job


async def history_of(transaction: Transaction, caller: Caller, job_id: str) -> JobHistory:
    """A job that the caller may see, and its steps.

    Raises:
        Missing: job_not_found.
    """
    found = await transaction.jobs.histories([job_id])
    owned: Owned | None = found[0].job if found else None
    if found and found[0].job.kind is JobKind.ERASE_USER:
        # its row doesn't say whose it is, for it stays when they are gone
        erasure = await transaction.erasures.get(job_id)
        owned = erasure.as_seen_by(caller) if erasure else None
    require_owned(owned, caller, "job")
    return found[0]
