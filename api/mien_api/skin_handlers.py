"""What Skin Chapters' endpoints do: load, decide, save. No HTTP in here."""

from collections.abc import Mapping
from dataclasses import dataclass

from mien_api.door import PhotoDoor
from mien_api.handlers import Handlers
from mien_api.photos import take_in
from mien_api.waiting import wait_for_end
from mien_core.errors import Missing
from mien_core.intake import start_analysis
from mien_core.model.platform import Analysis, Caller, Job, require_owned, user_of
from mien_core.model.skin import MeasureName, SkinReport
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

        Raises:
            Rejected: consent_required, and all codes of mien_core.photo.open_photo.
            Missing: user_not_found, if the caller may not act for that user.
        """
        owner = user_of(caller, user_id)
        upload = await take_in(self.platform, self.door, caller, image, purpose="skin", user_id=owner, consent=consent)
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
            upload = await reading.uploads.get(job.upload_id) if job.upload_id else None
            analysis = await reading.analyses.get(upload.id) if upload else None
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
        annotated, *masks = await self.platform.object_store.presign_gets(keys, self.platform.download_expires)
        return SkinResult(analysis, analysis.skin, dict(zip(measures, masks, strict=True)), annotated)
