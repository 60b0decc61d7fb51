"""On UploadReceived: ask serving what the photo shows and save it, or say why there is nothing."""

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeGuard

from opentelemetry.trace import SpanKind

from mien_core import telemetry
from mien_core.errors import Missing, Rejected, Unavailable
from mien_core.events import Event, UploadReceived, face_analysed, from_record, job_failed, to_record
from mien_core.model.keys import photo_key
from mien_core.model.platform import Analysis, Job, JobError, JobStatus, NewAnalysis, NewSkinAnalysis, Upload
from mien_core.model.serving import FaceAnswer, FaceRequest
from mien_core.ports import Database, ObjectStore, Transaction
from mien_core.rules.skin import Conclusion, require_conclusion
from mien_streams.delivery import Delivery
from mien_streams.retry import backoff
from mien_streams.reuse import Reuse
from mien_streams.serving import FaceAnalysis
from mien_streams.timing import since

logger = logging.getLogger(__name__)

NAME = "analyse-face"
TOPIC = UploadReceived.topic

INTERNAL_ERROR = JobError(
    "internal_error",
    "The analysis failed because of a fault on our side, which was noted. Upload the photo again later.",
)


@dataclass(frozen=True, slots=True)
class _Work:
    """A job that has begun: by when it must end (monotonic seconds), and the milliseconds spent by hop so far.

    earlier is what the tenant was told of the same pixels before.
    """

    job: Job
    upload: Upload
    earlier: Analysis | None
    deadline: float
    timings: dict[str, float]


class AnalyseFace:
    """Meets Handler. One row each in inbox, analyses, job_events and outbox, or none: one transaction writes them.

    A skin photo with a user has a row in skin_analyses besides, and fails where it shows none of the conditions.
    """

    name = NAME

    def __init__(self, database: Database, serving: FaceAnalysis, object_store: ObjectStore) -> None:
        self._database = database
        self._serving = Reuse(serving, object_store)

    async def handle(self, delivery: Delivery) -> None:
        """See Handler."""
        event = _understood(delivery)
        ids = {"upload_id": str(event.data.upload_id), "job_id": str(event.data.job_id)}
        with (
            telemetry.log_context(**ids),
            telemetry.start_span(
                f"process {TOPIC}",
                traceparent=event.traceparent,
                kind=SpanKind.CONSUMER,
                **_attributes(event, delivery),
            ),
        ):
            work = await self._look(event, delivery)
            if work is not None:
                await self._do(event, work)

    async def note_bug(self, transaction: Transaction, delivery: Delivery) -> None:
        """See Handler."""
        try:
            event = _understood(delivery)
        except Rejected:
            return
        await _end_failed(transaction, event, INTERNAL_ERROR, {})

    async def _look(self, event: Event, delivery: Delivery) -> _Work | None:
        """Read what there is to do; None if there is nothing (any more)."""
        started = time.monotonic()
        timings = {
            "outbox": _milliseconds(event.time, delivery.published_at),
            "kafka": _milliseconds(delivery.published_at, delivery.consumed_at),
            "queue": _milliseconds(delivery.consumed_at, datetime.now(UTC)),
        }
        async with self._database.reading() as reading:
            if await reading.inbox.has(NAME, str(event.id)):
                return None
            job = await reading.jobs.get(str(event.data.job_id))
            upload = await reading.uploads.get(str(event.data.upload_id))
            earlier = await _earlier(reading, upload)
            now = await reading.now()
        # an erasure takes an upload and its job together, perhaps between the two reads
        if not _is_open(job) or upload is None:
            return None
        timings["begin"] = since(started)
        return _Work(job, upload, earlier, started + (job.deadline_at - now).total_seconds(), timings)

    async def _do(self, event: Event, work: _Work) -> None:
        """Ask serving, and meanwhile note that the job is under way; then save what came of it."""
        asking = asyncio.create_task(self._ask(work))
        try:
            if not await self._begin(work.job):
                return
            try:
                answer = await asking
                conclusion = _conclusion(work.upload, answer)
            except (Rejected, Missing, Unavailable) as error:
                await self._fail(event, work, JobError(error.code, error.detail))
            else:
                await self._complete(event, work, answer, conclusion)
        finally:
            # the job ended meanwhile, or the database went away: the answer is of no use then
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _begin(self, job: Job) -> bool:
        """Set the job to processing; False if it has ended since it was looked at."""
        async with self._database.transaction() as transaction:
            locked = await transaction.jobs.lock(job.id)
            if not _is_open(locked):
                return False
            if locked.status is not JobStatus.PROCESSING:
                await transaction.jobs.change(job.id, JobStatus.PROCESSING)
            return True

    async def _ask(self, work: _Work) -> FaceAnswer:
        """Ask serving, again and again while it is away, until the job's deadline.

        Raises:
            Rejected, Missing: serving's verdict.
            Unavailable: serving_unavailable, at the deadline.
        """
        job = work.job
        request = FaceRequest(
            upload_id=job.upload_id,
            photo_key=photo_key(job.upload_id),
            # a user's photos stay with one model revision while another is rolled out
            subject=f"{job.tenant}/{job.user_id}" if job.user_id else job.upload_id,
        )
        started = time.monotonic()
        last = Unavailable("serving_unavailable", "The model serving was never reached.")
        for pause in backoff():
            try:
                async with asyncio.timeout(max(0.0, work.deadline - time.monotonic())):
                    answer = await self._serving.analyse(request, work.earlier)
            except TimeoutError:
                break
            except Unavailable as error:
                last = error
                wait = pause + error.retry_after
                if time.monotonic() + wait >= work.deadline:
                    break
                logger.warning("Serving is away, so the job waits %.1f s: %s", wait, error)
                await asyncio.sleep(wait)
            else:
                work.timings["serving"] = since(started)
                work.timings.update({f"serving.{step}": taken for step, taken in answer.timings.items()})
                return answer
        detail = f"No answer by the job's deadline. {last.detail} Upload the photo again later."
        raise Unavailable("serving_unavailable", detail) from last

    async def _complete(self, event: Event, work: _Work, answer: FaceAnswer, conclusion: Conclusion | None) -> None:
        job = work.job
        started = time.monotonic()
        async with self._database.transaction() as transaction:
            if await _claim(transaction, event) is None:
                return
            await transaction.analyses.save(
                NewAnalysis(
                    upload_id=job.upload_id,
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
            analysed = face_analysed(event, answer.model_revision, telemetry.current_traceparent())
            await transaction.outbox.add(to_record(analysed))
            # up to the commit, which can't be timed within itself
            work.timings["commit"] = since(started)
            await transaction.jobs.change(job.id, JobStatus.COMPLETED, timings=work.timings)

    async def _fail(self, event: Event, work: _Work, error: JobError) -> None:
        logger.info("The job fails: %s", error.code, extra={"code": error.code})
        async with self._database.transaction() as transaction:
            await _end_failed(transaction, event, error, work.timings)


def _understood(delivery: Delivery) -> Event:
    event = from_record(delivery.headers, delivery.value)
    if not isinstance(event.data, UploadReceived):
        raise Rejected("malformed_event", f"The message is a {event.type}, which doesn't belong on {TOPIC}.")
    return event


async def _earlier(reading: Transaction, upload: Upload | None) -> Analysis | None:
    """What the tenant, and nobody else, was told of the same pixels, where they are known before serving sees them."""
    if upload is None or upload.pixel_digest is None:
        return None
    return await reading.analyses.newest_of_pixels(upload.tenant, upload.pixel_digest, besides=upload.id)


def _conclusion(upload: Upload, answer: FaceAnswer) -> Conclusion | None:
    """What is told to whoever sent a photo for its skin; None for other photos.

    Raises:
        Rejected: as require_conclusion.
    """
    return require_conclusion(answer.skin, answer.report.face.quality) if upload.purpose == "skin" else None


def _is_open(job: Job | None) -> TypeGuard[Job]:
    if job is None:
        logger.warning("The job is gone, perhaps erased; nothing to do")
        return False
    if job.status.ended:
        logger.info("The job is %s already; nothing to do", job.status)
        return False
    return True


def _attributes(event: Event, delivery: Delivery) -> dict[str, str | float]:
    # names of OpenTelemetry's messaging conventions
    return {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": delivery.topic,
        "messaging.kafka.offset": delivery.offset,
        "messaging.message.id": str(event.id),
    }


async def _claim(transaction: Transaction, event: Event) -> Job | None:
    """Make this transaction the one that deals with the event; None if another did, or the job has ended since."""
    if not await transaction.inbox.add(NAME, str(event.id)):
        return None
    job = await transaction.jobs.lock(str(event.data.job_id))
    return None if job is None or job.status.ended else job


async def _end_failed(transaction: Transaction, event: Event, error: JobError, timings: dict[str, float]) -> None:
    job = await _claim(transaction, event)
    if job is None:
        return
    await transaction.outbox.add(to_record(job_failed(event, error.code, telemetry.current_traceparent())))
    await transaction.jobs.change(job.id, JobStatus.FAILED, error=error, timings=timings)


def _milliseconds(earlier: datetime, later: datetime) -> float:
    # never negative: the two may come from two machines' clocks
    return max(0.0, (later - earlier).total_seconds() * 1000)
