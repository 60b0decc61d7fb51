"""What Skin Chapters' endpoints do: load, decide, save. No HTTP in here."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from mien_api.door import PhotoDoor
from mien_api.handlers import Handlers
from mien_api.ids import new_id
from mien_api.waiting import wait_for_end
from mien_core.errors import Missing
from mien_core.intake import start_analysis
from mien_core.model.keys import photo_key
from mien_core.model.platform import Analysis, Caller, Job, NewUpload, require_owned, user_of
from mien_core.model.skin import MeasureName, SkinReport
from mien_core.photo import KEPT_CONTENT_TYPE
from mien_core.rules.uploads import consent_of
from mien_core.telemetry import current_traceparent


@dataclass(frozen=True, slots=True)
class SkinResult:
    """A completed analysis, and presigned URLs of its pictures."""

    analysis: Analysis
    skin: SkinReport
    masks: Mapping[MeasureName, str]
    annotated: str


@dataclass(frozen=True)
class SkinHandlers:
    """The endpoints' handlers, over the platform's own and the door for pixels."""

    platform: Handlers
    door: PhotoDoor

    async def analyse(
        self, caller: Caller, image: bytes, *, user_id: str | None, consent: bool | None, wait_seconds: float
    ) -> tuple[Job, Analysis | None]:
        """Take a photo in, start its analysis and wait for its end; give the job and what it has come to.

        The row is written before the object, as for announced uploads: wherever this stops, whatever lies in the
        store belongs to a row, and what belongs to a row that nothing came of goes when the row expires.

        Raises:
            Rejected: consent_required, and all codes of mien_core.photo.open_photo.
            Missing: user_not_found, if the caller may not act for that user.
        """
        owner = user_of(caller, user_id)
        recorded = consent_of(given=consent, required=self.platform.consent_required)
        photo = await self.door.open(image)
        announced = NewUpload(
            id=new_id(),
            tenant=caller.tenant,
            user_id=owner,
            purpose="skin",
            content_type=KEPT_CONTENT_TYPE,
            content_length=len(photo.encoded),
            consent=recorded,
            expires_in_seconds=self.platform.upload_expires,
            pixel_digest=photo.digest,
        )
        async with self.platform.database.transaction() as transaction:
            upload = await transaction.uploads.add(announced)
        await self.platform.object_store.put(photo_key(upload.id), photo.encoded, KEPT_CONTENT_TYPE)
        async with self.platform.database.transaction() as transaction:
            job = await start_analysis(transaction, upload, current_traceparent())
        return await wait_for_end(self.platform.database, job, wait_seconds, self.platform.analysis)

    async def find(self, caller: Caller, analysis_id: str) -> tuple[Job, Analysis | None]:
        """Find the job behind an analysis, and what it has come to.

        Raises:
            Missing: analysis_not_found, also where the job is another application's.
        """
        async with self.platform.database.reading() as reading:
            job = require_owned(await reading.jobs.get(analysis_id), caller, "analysis")
            upload = await reading.uploads.get(job.photo_id)
            analysis = await reading.analyses.get(job.photo_id)
        return require_owned(job if upload and upload.purpose == "skin" else None, caller, "analysis"), analysis

    async def result(self, analysis: Analysis | None) -> SkinResult:
        """What is shown of a completed job's analysis.

        Raises:
            Missing: analysis_not_found, if it was erased meanwhile.
        """
        if analysis is None or analysis.skin is None:
            raise Missing("analysis_not_found", "There is no such analysis. Check the id and the credential.")
        measures = list(analysis.mask_keys)
        keys = [analysis.annotated_key, *(analysis.mask_keys[measure] for measure in measures)]
        annotated, *masks = await asyncio.gather(
            *(self.platform.object_store.presign_get(key, self.platform.download_expires) for key in keys)
        )
        return SkinResult(analysis, analysis.skin, dict(zip(measures, masks, strict=True)), annotated)
