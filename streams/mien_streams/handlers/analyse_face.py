"""On UploadReceived: ask serving what the photo shows and save it, or say why there is nothing."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from mien_core import telemetry
from mien_core.errors import Unavailable
from mien_core.events import UploadReceived, face_analysed, to_record
from mien_core.model.cycle import DiaryMetrics, NewSkinScan
from mien_core.model.keys import photo_key
from mien_core.model.platform import Analysis, NewAnalysis, NewSkinAnalysis, Upload
from mien_core.model.recommendations import Recommendation
from mien_core.model.serving import FaceAnswer, FaceRequest
from mien_core.ports.database import Database, Transaction
from mien_core.ports.objects import ObjectStore
from mien_core.rules.skin import Conclusion, require_conclusion
from mien_core.rules.skin_diary import require_metrics
from mien_streams.handlers.recommend_looks import request_looks
from mien_streams.job_agent import Assignment, JobAgent
from mien_streams.looks import Recommending, save_looks
from mien_streams.reuse import Reuse
from mien_streams.serving import FaceAnalysis
from mien_streams.timing import since

logger = logging.getLogger(__name__)

NAME = "analyse-face"
TOPIC = UploadReceived.topic


@dataclass(frozen=True, slots=True)
class Analysed:
    """What serving answered, and what follows from it.

    conclusion is what is told to whoever sent a photo for its skin, metrics to whoever keeps a skin diary;
    recommendation is the looks that an engine had at once. timings are milliseconds by step.
    """

    answer: FaceAnswer
    timings: Mapping[str, float]
    conclusion: Conclusion | None = None
    metrics: DiaryMetrics | None = None
    recommendation: Recommendation | None = None


class AnalyseFace(JobAgent[Analysed]):
    """One row in analyses and one FaceAnalysed.

    A skin photo with a user has a row in skin_analyses besides, and fails where it shows none of the conditions.
    A photo for the skin diary has a row in skin_scans, and fails where it shows none of the metrics.
    A photo for GlamAI has looks recommended: along with the analysis if that takes no time, else by a job of its own.
    """

    name = NAME
    takes = UploadReceived
    hop = "serving"

    def __init__(
        self, database: Database, serving: FaceAnalysis, object_store: ObjectStore, recommending: Recommending
    ) -> None:
        self._database = database
        self._serving = Reuse(serving, object_store)
        self._recommending = recommending

    async def work(self, assignment: Assignment) -> Analysed:
        """See JobAgent."""
        upload = assignment.photo
        answer = await self._serving.analyse(_request(upload), await self._earlier(upload))
        shown = answer.skin, answer.report.face.quality
        if upload.purpose == "skin":
            return Analysed(answer, answer.timings, conclusion=require_conclusion(*shown))
        if upload.purpose == "cycle":
            return Analysed(answer, answer.timings, metrics=require_metrics(*shown))
        if upload.purpose != "glam" or not self._recommending.at_once:
            return Analysed(answer, answer.timings)
        started = time.monotonic()
        looks = await self._looks(answer)
        return Analysed(answer, {**answer.timings, "recommend": since(started)}, recommendation=looks)

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
        if result.recommendation is not None:
            await save_looks(transaction, job, assignment.photo, result.recommendation, assignment.event)
        elif assignment.photo.purpose == "glam":
            await request_looks(transaction, assignment.photo)

    def steps(self, result: Analysed) -> Mapping[str, float]:
        """See JobAgent: serving's own, and what came after them."""
        return result.timings

    async def _looks(self, answer: FaceAnswer) -> Recommendation | None:
        """What is recommended at once; None where that fails: the agent then does it, with its retries.

        Raises:
            Unavailable: the database is away, so nothing could be saved either.
        """
        try:
            return await self._recommending.recommend(answer.report.tone, answer.skin)
        except Unavailable:
            raise
        except Exception:
            # the face's analysis must not be lost for it, not even for a bug
            logger.exception("No looks at once; they are left to the agent recommend-looks")
            return None

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
