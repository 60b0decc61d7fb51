"""The shell around every job agent: what is the same on each event that belongs to a job.

Look whether there is something to do, set the job to processing while the agent works, then write its result, the
inbox, the job's end and what follows in one transaction.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeGuard

from opentelemetry.trace import SpanKind

from mien_core import telemetry
from mien_core.errors import Conflict, Missing, Rejected, Unavailable
from mien_core.events import Event, from_record, job_failed, to_record
from mien_core.faults import Point, reached
from mien_core.model.platform import Job, JobError, JobStatus
from mien_core.ports.database import Database, Transaction
from mien_core.rules.work import deadline_exceeded, refusal
from mien_streams.addressing import redrives
from mien_streams.delivery import Delivery, Handler
from mien_streams.job_agent import Assignment, JobAgent, Result
from mien_streams.timing import since

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Order:
    """An event, and the how many-th redrive it came by. A job that people had begin again takes no older orders."""

    event: Event
    redrive: int


@dataclass(frozen=True, slots=True)
class _Begun:
    """What there is to do, for how many seconds at most, and the milliseconds spent by hop so far."""

    assignment: Assignment
    order: _Order
    seconds_left: float
    timings: dict[str, float]


class JobHandler(Handler, Generic[Result]):
    """A handler that has a job agent do its work. A repeat finds the inbox's row, or an ended job, and does nothing."""

    def __init__(self, database: Database, agent: JobAgent[Result]) -> None:
        self.name = agent.name
        self.topic = agent.takes.topic
        self._database = database
        self._agent = agent

    async def handle(self, delivery: Delivery) -> None:
        """See Handler."""
        order = self._understood(delivery)
        event = order.event
        ids = {"job_id": str(event.data.job_id)}
        if event.upload_id is not None:
            ids["upload_id"] = str(event.upload_id)
        with (
            telemetry.log_context(**ids),
            telemetry.start_span(
                f"process {self.topic}",
                traceparent=event.traceparent,
                kind=SpanKind.CONSUMER,
                **_attributes(event, delivery),
            ),
        ):
            begun = await self._look(order, delivery)
            if begun is not None:
                await self._do(begun)

    async def put_off(self, transaction: Transaction, delivery: Delivery) -> float | None:
        """See Handler. The job keeps its status; another step in its history tells when it was put off."""
        job = await self._lock(transaction, self._understood(delivery))
        if job is None:
            return 0.0
        await transaction.jobs.change(job.id, job.status)
        return (job.deadline_at - await transaction.now()).total_seconds()

    async def give_up(self, transaction: Transaction, delivery: Delivery, error: JobError) -> str | None:
        """See Handler."""
        try:
            order = self._understood(delivery)
        except Rejected:
            return None
        await self._end_failed(transaction, order, error, {})
        job = await transaction.jobs.get(str(order.event.data.job_id))
        return None if job is None else job.id

    async def _look(self, order: _Order, delivery: Delivery) -> _Begun | None:
        """Read what there is to do; None if there is nothing (any more)."""
        started, event = time.monotonic(), order.event
        timings = {
            "outbox": _milliseconds(event.time, delivery.published_at),
            "kafka": _milliseconds(delivery.published_at, delivery.consumed_at),
            "queue": _milliseconds(delivery.consumed_at, datetime.now(UTC)),
        }
        async with self._database.reading() as reading:
            if await reading.inbox.has(self.name, str(event.id)):
                return None
            job = await reading.jobs.get(str(event.data.job_id))
            upload = await reading.uploads.get(job.upload_id) if job and job.upload_id else None
            now = await reading.now()
        # an erasure takes an upload and its job together, perhaps between the two reads
        if not _is_open(job, order) or (upload is None and job.upload_id is not None):
            return None
        why_not = refusal(job, upload, now)
        if why_not is not None:
            await self._fail(order, why_not, timings)
            return None
        timings["begin"] = since(started)
        return _Begun(Assignment(job, upload, event), order, (job.deadline_at - now).total_seconds(), timings)

    async def _do(self, begun: _Begun) -> None:
        """Have the work done, and meanwhile note that the job is under way; then save what came of it."""
        assignment, timings = begun.assignment, begun.timings
        started = time.monotonic()
        working = asyncio.create_task(self._agent.work(assignment))
        try:
            # lets it begin: whom it asks is then at work while the job's row is written
            await asyncio.sleep(0)
            if not await self._begin(begun.order):
                return
            reached(Point.JOB_BEGUN)
            left = begun.seconds_left - (time.monotonic() - started)
            done, _ = await asyncio.wait({working}, timeout=max(0.0, left))
            if not done:
                await self._fail(begun.order, deadline_exceeded(), timings)
                return
            try:
                result = await working
            except (Rejected, Missing) as error:
                await self._fail(begun.order, JobError(error.code, error.detail), timings)
                return
            reached(Point.JOB_WORKED)
            timings[self._agent.hop] = since(started)
            timings.update({f"{self._agent.hop}.{step}": taken for step, taken in self._agent.steps(result).items()})
            await self._complete(begun, result)
        finally:
            # the job ended meanwhile, or the database went away: the result is of no use then
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _begin(self, order: _Order) -> bool:
        """Set the job to processing; False if it has ended since it was looked at."""
        async with self._database.transaction() as transaction:
            job = await self._lock(transaction, order)
            if job is None:
                return False
            if job.status is not JobStatus.PROCESSING:
                await transaction.jobs.change(job.id, JobStatus.PROCESSING)
            return True

    async def _complete(self, begun: _Begun, result: Result) -> None:
        try:
            await self._save_patiently(begun, result)
        except Rejected as error:
            await self._fail(begun.order, JobError(error.code, error.detail), begun.timings)
        except Conflict as error:
            if error.code != "erasure_in_progress":
                raise
            await self._cancel(begun.order)

    async def _save_patiently(self, begun: _Begun, result: Result) -> None:
        try:
            await self._save(begun, result)
        except Unavailable as error:
            # often another's fault, or a row that is kept (decision 22): neither result nor attempt is lost by it
            logger.warning("The result waits to be saved: %s", error)
            await asyncio.sleep(error.retry_after)
            await self._save(begun, result)

    async def _save(self, begun: _Begun, result: Result) -> None:
        started = time.monotonic()
        async with self._database.transaction() as transaction:
            job = await self._claim(transaction, begun.order)
            if job is None:
                return
            await self._agent.save(transaction, begun.assignment, result)
            # up to the commit, which can't be timed within itself
            begun.timings["commit"] = since(started)
            await transaction.jobs.change(job.id, JobStatus.COMPLETED, timings=begun.timings)
            reached(Point.JOB_WRITTEN)
        reached(Point.JOB_ENDED)

    async def _cancel(self, order: _Order) -> None:
        """End a job whose user is being erased: nothing about them may be written any more."""
        logger.info("The job's user is being erased, so its result is thrown away")
        async with self._database.transaction() as transaction:
            job = await self._claim(transaction, order)
            if job is not None:
                await transaction.jobs.change(job.id, JobStatus.CANCELLED)

    async def _fail(self, order: _Order, error: JobError, timings: dict[str, float]) -> None:
        logger.info("The job fails: %s", error.code, extra={"code": error.code})
        async with self._database.transaction() as transaction:
            await self._end_failed(transaction, order, error, timings)

    async def _end_failed(
        self, transaction: Transaction, order: _Order, error: JobError, timings: dict[str, float]
    ) -> None:
        """End the order's job, if it hasn't ended."""
        job = await self._claim(transaction, order)
        if job is not None:
            await self._agent.fail(transaction, job, error)
            await end_failed(transaction, job, order.event, error, timings)

    async def _claim(self, transaction: Transaction, order: _Order) -> Job | None:
        """Make this transaction the one that deals with the event; None if another did, or the job has ended since."""
        job = await self._lock(transaction, order)
        # only after the job's lock: what came too late must leave nothing in the inbox for who comes after a redrive
        if job is None or not await transaction.inbox.add(self.name, str(order.event.id)):
            return None
        return job

    async def _lock(self, transaction: Transaction, order: _Order) -> Job | None:
        """Keep others from changing the order's job; None if there is nothing to do for it (any more)."""
        job = await transaction.jobs.lock(str(order.event.data.job_id))
        return job if _is_open(job, order) else None

    def _understood(self, delivery: Delivery) -> _Order:
        event = from_record(delivery.headers, delivery.value)
        if not isinstance(event.data, self._agent.takes):
            raise Rejected("malformed_event", f"The message is a {event.type}, which doesn't belong on {self.topic}.")
        return _Order(event, redrives(delivery.headers))


async def end_failed(
    transaction: Transaction, job: Job, cause: Event, error: JobError, timings: dict[str, float]
) -> None:
    """End a job that is locked and has not ended, and say so; cause is the event that asked for its work."""
    failed = job_failed(cause, error.code, telemetry.current_traceparent(), job.redrives)
    await transaction.outbox.add(to_record(failed))
    await transaction.jobs.change(job.id, JobStatus.FAILED, error=error, timings=timings)


def _is_open(job: Job | None, order: _Order) -> TypeGuard[Job]:
    if job is None:
        logger.warning("The job is gone, perhaps erased; nothing to do")
        return False
    if job.status.ended:
        logger.info("The job is %s already; nothing to do", job.status)
        return False
    if order.redrive < job.redrives:
        logger.info("The job was begun again since; nothing to do for what asked for it before")
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


def _milliseconds(earlier: datetime, later: datetime) -> float:
    # never negative: the two may come from two machines' clocks
    return max(0.0, (later - earlier).total_seconds() * 1000)
