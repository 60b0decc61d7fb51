"""What scanning a photo for the skin diary does: load, decide, save. No HTTP in here."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from mien_api.cycle_handlers import Shown, show
from mien_api.door import PhotoDoor
from mien_api.handlers import Handlers
from mien_api.photos import take_in
from mien_api.waiting import wait_for_end
from mien_core.errors import Conflict, Missing
from mien_core.intake import start_analysis
from mien_core.model.cycle import Days, SkinScan, position_of
from mien_core.model.keys import original_key
from mien_core.model.platform import Caller, Job, JobKind, JobStatus, Upload, require_owned, require_user
from mien_core.ports.database import Transaction
from mien_core.rules.cycle import days
from mien_core.rules.cycle.log import AHEAD, LoggedPeriod
from mien_core.rules.cycle.phases import cycle_log
from mien_core.rules.skin_diary import MetricChanges, change_in_phase
from mien_core.telemetry import current_traceparent

# With how much of the diary a scan is compared: skin changes over the years, and cycles do.
COMPARED: Final = timedelta(days=2 * 366)
_MOST_COMPARED: Final = 1000


@dataclass(frozen=True, slots=True)
class ScanResult:
    """A line of the skin diary, and by how much it differs from the user's own mean in that phase of the cycle."""

    shown: Shown[SkinScan]
    changes: MetricChanges | None


@dataclass(frozen=True)
class ScanHandlers:
    """The endpoints' handlers, over the platform's own and the door for pixels.

    The line is written when the job ends, under the job's id, whoever waits for it; a repeat finds that one.
    """

    platform: Handlers
    door: PhotoDoor

    async def analyse_photo(
        self,
        caller: Caller,
        image: bytes,
        *,
        user_id: str,
        day: date | None,
        consent: bool | None,
        wait_seconds: float,
    ) -> tuple[Job, ScanResult | None]:
        """Take a photo in, start its analysis and wait for its end; give the job and what it has come to.

        Raises:
            Rejected: consent_required, and all codes of mien_core.photo.open_photo.
            Missing: user_not_found, if the caller may not act for that user.
        """
        owner = require_user(caller, user_id)
        upload = await take_in(self.platform, self.door, caller, image, purpose="cycle", user_id=owner, consent=consent)
        return await self._end(await self._start(upload, day), wait_seconds)

    async def analyse_upload(
        self, caller: Caller, upload_id: str, *, user_id: str, day: date | None, wait_seconds: float
    ) -> tuple[Job, ScanResult | None]:
        """Start an announced photo's analysis, unless it has been started, and wait for its end.

        Raises:
            Missing: user_not_found, upload_not_found.
            Conflict: upload_without_user, purpose_not_cycle, or upload_not_received, if the bytes aren't there.
        """
        owner = Caller(caller.tenant, require_user(caller, user_id))
        upload, job = await self._known(caller, owner, upload_id)
        if job is None and await self.platform.object_store.head(original_key(upload.id)) is None:
            # begun by another request since it was looked up, and the original replaced already?
            upload, job = await self._known(caller, owner, upload_id)
            if job is None:
                detail = "The photo has not arrived. PUT its bytes to the upload's URL, or announce a new upload."
                raise Conflict("upload_not_received", detail)
        return await self._end(job or await self._start(upload, day), wait_seconds)

    async def find(self, caller: Caller, scan_id: str) -> tuple[Job, ScanResult | None]:
        """Find the job behind a scan, and what it has come to.

        Raises:
            Missing: scan_not_found, also where the job is another application's.
        """
        async with self.platform.database.reading() as reading:
            job = require_owned(await reading.jobs.get(scan_id), caller, "scan")
            upload = await reading.uploads.get(job.upload_id) if job.upload_id else None
        require_owned(job if upload and upload.purpose == "cycle" else None, caller, "scan")
        return job, await self._result(job) if job.status is JobStatus.COMPLETED else None

    async def _known(self, caller: Caller, owner: Caller, upload_id: str) -> tuple[Upload, Job | None]:
        """The upload, if it is the owner's and for the skin diary, and the job of its analysis, if there is one."""
        async with self.platform.database.reading() as reading:
            upload = require_owned(await reading.uploads.get(upload_id), caller, "upload")
            job = await reading.jobs.of_upload(JobKind.ANALYSE_FACE, upload.id)
        if upload.user_id is None:
            detail = "This upload was announced for nobody, and a skin diary is somebody's. Announce one with a userId."
            raise Conflict("upload_without_user", detail)
        require_owned(upload, owner, "upload")
        if upload.purpose != "cycle":
            detail = f"This upload was announced for {upload.purpose}. Announce another one with purpose cycle."
            raise Conflict("purpose_not_cycle", detail)
        return upload, job

    async def _start(self, upload: Upload, day: date | None) -> Job:
        async with self.platform.database.transaction() as transaction:
            job = await start_analysis(transaction, upload, current_traceparent())
            # with the job or not at all: who does it needs to know
            await transaction.photo_days.add(upload.id, day or _today())
            return job

    async def _end(self, job: Job, wait_seconds: float) -> tuple[Job, ScanResult | None]:
        return await wait_for_end(self.platform.database, job, wait_seconds, self._result)

    async def _result(self, job: Job) -> ScanResult | None:
        """What a job has come to; None if it came to nothing, or if the line was deleted since."""
        async with self.platform.database.reading() as reading:
            scan = await reading.skin_scans.get(job.id)
            return None if scan is None else await _compared(reading, scan)


def require_scan(result: ScanResult | None) -> ScanResult:
    """What a completed job has come to.

    Raises:
        Missing: scan_not_found, if the line was deleted since.
    """
    if result is None:
        raise Missing("scan_not_found", "There is no such scan. Check the id and the credential.")
    return result


async def _compared(reading: Transaction, scan: SkinScan) -> ScanResult:
    owner, today = (scan.tenant, scan.user_id), max(scan.date, _today())
    [shown] = await show(reading, [scan])
    first = scan.date - COMPARED
    earlier = await reading.skin_scans.of_user(
        *owner, days=Days(first, scan.date), after=position_of(scan), limit=_MOST_COMPARED
    )
    logged = await reading.periods.of_user(
        *owner, days=Days(first - days.LOOK_BACK, today + AHEAD), after=None, limit=_MOST_COMPARED
    )
    log = cycle_log((LoggedPeriod(one.date, one.cycle_length) for one in logged), today)
    return ScanResult(shown, change_in_phase(scan, earlier, log))


def _today() -> date:
    return datetime.now(UTC).date()
