"""The edge around a handler: the one place in streams that catches Exception.

Whatever happens, a delivery ends in one of two ways: its outcome is saved, or the process ends before and Kafka
delivers it again. Outcomes: handled; put off, which is a record in the outbox that comes back later; a dead letter.
"""

import asyncio
import logging
import random
import time

import prometheus_client

from mien_core import telemetry
from mien_core.errors import Rejected, Unavailable
from mien_core.faults import Point, reached
from mien_core.model.platform import JobError
from mien_core.ports.database import Database
from mien_core.ports.messages import Record
from mien_core.rules.retries import delay_after
from mien_streams.addressing import attempt, is_for, next_attempt
from mien_streams.delivery import Delivery, Handler
from mien_streams.letters import dead_letter
from mien_streams.retry import backoff

logger = logging.getLogger(__name__)

HANDLED = prometheus_client.Counter(
    "mien_deliveries_total", "Deliveries that have their outcome.", ["handler", "outcome"]
)
HANDLING = prometheus_client.Histogram(
    "mien_delivery_seconds", "From the hand-over of a delivery to its saved outcome.", ["handler"]
)


# a part that restarts is back within this, and costs nobody the first delay
IN_PLACE_SECONDS = 2.0
# what people are told of a bug; what it was stands in the dead letter
INTERNAL_ERROR = JobError(
    "internal_error", "It failed because of a fault on our side, which was noted. Upload the photo again later."
)


class Edge:
    """Runs a handler so that every delivery gets its outcome."""

    def __init__(self, database: Database, handler: Handler) -> None:
        self._database = database
        self._handler = handler

    async def process(self, delivery: Delivery) -> None:
        """Return once the outcome of a delivery is saved, be it a dead letter; never raises, save a cancellation."""
        name = self._handler.name
        if not is_for(delivery.headers, name):
            HANDLED.labels(name, "skipped").inc()
            return
        began = time.monotonic()
        place = f"{delivery.topic}/{delivery.partition}/{delivery.offset}"
        with telemetry.log_context(handler=name, delivery=place):
            outcome = await self._process(delivery)
        HANDLED.labels(name, outcome).inc()
        HANDLING.labels(name).observe(time.monotonic() - began)

    async def _process(self, delivery: Delivery) -> str:
        try:
            return await self._attempted(delivery)
        except Rejected as error:
            logger.warning("The message can't be understood and becomes a dead letter: %s", error)
            why = JobError(error.code, error.detail)
            await self._bury(delivery, why, told=why)
            return "rejected"
        except Exception as error:
            logger.exception("A bug: the message becomes a dead letter")
            what = JobError(INTERNAL_ERROR.code, f"{type(error).__name__}: {error}")
            await self._bury(delivery, what, told=INTERNAL_ERROR)
            return "bug"

    async def _attempted(self, delivery: Delivery) -> str:
        """Hand over; what is away for a moment is waited for, what is away for longer is put off."""
        began = time.monotonic()
        for pause in backoff():
            try:
                await self._handler.handle(delivery)
            except Unavailable as error:
                wait = max(pause, error.retry_after)
                if time.monotonic() + wait < began + IN_PLACE_SECONDS:
                    logger.warning("A part is away, so the delivery waits: %s", error)
                    await asyncio.sleep(wait)
                    continue
                delay = delay_after(attempt(delivery.headers), random.random())  # noqa: S311 - spreads load
                if delay is None:
                    logger.warning("The retries are used up and the message becomes a dead letter: %s", error)
                    why = JobError(error.code, error.detail)
                    await self._bury(delivery, why, told=why)
                    return "given_up"
                if await self._put_off(delivery, max(delay, error.retry_after), error):
                    return "put_off"
                # Nothing can be written, so the partition waits, as long as it takes.
                await asyncio.sleep(pause)
                began = time.monotonic()
            else:
                return "handled"
        raise AssertionError("backoff has no end")

    async def _put_off(self, delivery: Delivery, delay: float, why: Unavailable) -> bool:
        """Have the message come again later, so that nothing else waits behind it; False if the database is away."""
        try:
            async with self._database.transaction() as transaction:
                sense_ends = await self._handler.put_off(transaction, delivery)
                delay = delay if sense_ends is None else max(0.0, min(delay, sense_ends))
                await transaction.outbox.add(next_attempt(delivery, self._handler.name), delay)
        except Unavailable as error:
            logger.warning("The database is away, so the delivery waits: %s", error)
            return False
        reached(Point.RETRY_QUEUED)
        logger.warning("A part is away, so the message comes again in %.0f s: %s", delay, why)
        return True

    async def _bury(self, delivery: Delivery, why: JobError, told: JobError) -> None:
        """Keep the message as a dead letter and end what belongs to it: people are told less than the letter."""
        name, place = self._handler.name, (delivery.partition, delivery.offset)
        record = Record(delivery.topic, delivery.key, delivery.value, delivery.headers)
        giving_up = True
        for pause in backoff():
            try:
                async with self._database.transaction() as transaction:
                    job_id = await self._handler.give_up(transaction, delivery, told) if giving_up else None
                    await transaction.dead_letters.add(dead_letter(name, record, *place, why, job_id))
            except Unavailable as error:
                logger.warning("The dead letter waits for the database: %s", error)
                await asyncio.sleep(pause)
            except Exception:
                if not giving_up:
                    raise
                # the message must not be met again and again because giving it up has a bug as well
                logger.exception("The message becomes a dead letter, but what belongs to it can't be ended")
                giving_up = False
            else:
                reached(Point.BURIED)
                return
