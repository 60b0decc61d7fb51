"""On UploadReceived: ask serving what the photo shows and save it, or say why there is nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from mien_core import telemetry
from mien_core.events import UploadReceived, face_analysed, to_record
from mien_core.model.cycle import DiaryMetrics, NewSkinScan
from mien_core.model.keys import photo_key
from mien_core.model.platform import Analysis, NewAnalysis, NewSkinAnalysis, Upload
from mien_core.model.serving import FaceAnswer, FaceRequest
from mien_core.ports import Database, ObjectStore, Transaction
from mien_core.rules.skin import Conclusion, require_conclusion
from mien_core.rules.skin_diary import require_metrics
from mien_streams.job_agent import Assignment, JobAgent
from mien_streams.reuse import Reuse
from mien_streams.serving import FaceAnalysis

NAME = "analyse-face"
TOPIC = UploadReceived.topic


@dataclass(frozen=True, slots=True)
class Analysed:
    """What serving answered, and what is told to whoever sent a photo for its skin, or for the skin diary."""

    answer: FaceAnswer
    conclusion: Conclusion | None
    metrics: DiaryMetrics | None


class AnalyseFace(JobAgent[Analysed]):
    """One row in analyses and one FaceAnalysed.

    A skin photo with a user has a row in skin_analyses besides, and fails where it shows none of the conditions.
    A photo for the skin diary has a row in skin_scans, and fails where it shows none of the metrics.
    """

    name = NAME
    takes = UploadReceived
    hop = "serving"

    def __init__(self, database: Database, serving: FaceAnalysis, object_store: ObjectStore) -> None:
        self._database = database
        self._serving = Reuse(serving, object_store)

    async def work(self, assignment: Assignment) -> Analysed:
        """See JobAgent."""
        upload = assignment.photo
        answer = await self._serving.analyse(_request(upload), await self._earlier(upload))
        shown = answer.skin, answer.report.face.quality
        return Analysed(
            answer,
            conclusion=require_conclusion(*shown) if upload.purpose == "skin" else None,
            metrics=require_metrics(*shown) if upload.purpose == "cycle" else None,
        )

    async def save(self, transaction: Transaction, assignment: Assignment, result: Analysed) -> None:
        """See JobAgent."""
        job, answer, conclusion = assignment.job, result.answer, result.conclusion
        await transaction.analyses.save(
            NewAnalysis(
                upload_id=assignment.photo.id,
                job_id=job.id,
                tenant=job.tenant,
                user_id=job.user_id,
                model_revision=answer.model_revision,
                etag=answer.etag,
                report=answer.report,
                skin=answer.skin,
                photo=answer.photo,
                annotated_key=answer.annotated_key,
                mask_keys=answer.mask_keys,
            )
        )
        if conclusion is not None and job.user_id is not None:
            await transaction.skin_analyses.save(
                NewSkinAnalysis(
                    id=job.id,
                    tenant=job.tenant,
                    user_id=job.user_id,
                    skin_type=answer.skin.skin_type,
                    conditions=conclusion.conditions,
                    skin_score=conclusion.skin_score,
                    recommended_chapter=conclusion.recommended_chapter,
                )
            )
        if result.metrics is not None:
            await _save_scan(transaction, assignment, result.metrics)
        analysed = face_analysed(assignment.event, answer.model_revision, telemetry.current_traceparent())
        await transaction.outbox.add(to_record(analysed))

    def steps(self, result: Analysed) -> Mapping[str, float]:
        """See JobAgent: serving's own."""
        return result.answer.timings

    async def _earlier(self, upload: Upload) -> Analysis | None:
        """What the tenant, and nobody else, was told of the same pixels, where they are known before serving's look."""
        if upload.pixel_digest is None:
            return None
        async with self._database.reading() as reading:
            return await reading.analyses.newest_of_pixels(upload.tenant, upload.pixel_digest, besides=upload.id)


async def _save_scan(transaction: Transaction, assignment: Assignment, metrics: DiaryMetrics) -> None:
    """Write the photo's line of the skin diary; its day of the cycle is left to the log."""
    job, upload = assignment.job, assignment.photo
    day = await transaction.photo_days.of_upload(upload.id)
    if upload.user_id is None or day is None:
        raise TypeError(f"A photo for the skin diary needs a user and a day; {upload.id} lacks one.")
    await transaction.skin_scans.add(
        NewSkinScan(id=job.id, tenant=upload.tenant, user_id=upload.user_id, date=day, metrics=metrics, cycle_day=None)
    )


def _request(upload: Upload) -> FaceRequest:
    return FaceRequest(
        upload_id=upload.id,
        photo_key=photo_key(upload.id),
        # a user's photos stay with one model revision while another is rolled out
        subject=f"{upload.tenant}/{upload.user_id}" if upload.user_id else upload.id,
    )
