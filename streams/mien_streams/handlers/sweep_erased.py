"""On MediaErased: delete what came to the object store after it had been erased."""

import asyncio
import logging
from typing import Final

from opentelemetry.trace import SpanKind

from mien_core import telemetry
from mien_core.errors import Rejected
from mien_core.events import MediaErased, from_record
from mien_core.ports.database import Database
from mien_core.ports.objects import ObjectStore
from mien_streams.delivery import Delivery, Handler

logger = logging.getLogger(__name__)

BATCH: Final = 20


class SweepErased(Handler):
    """MediaErased comes when nothing can bring an object any more, so this look is the last one."""

    name = "sweep-erased"
    topic = MediaErased.topic

    def __init__(self, database: Database, object_store: ObjectStore) -> None:
        self._database = database
        self._object_store = object_store

    async def handle(self, delivery: Delivery) -> None:
        """See Handler. What was swept is forgotten afterwards, so a repeat finds the rest, or nothing."""
        event = from_record(delivery.headers, delivery.value)
        if not isinstance(event.data, MediaErased):
            raise Rejected("malformed_event", f"The message is a {event.type}, which doesn't belong on {self.topic}.")
        job_id = str(event.data.job_id)
        with (
            telemetry.log_context(job_id=job_id),
            telemetry.start_span(f"process {self.topic}", traceparent=event.traceparent, kind=SpanKind.CONSUMER),
        ):
            await self._sweep(job_id)

    async def _sweep(self, job_id: str) -> None:
        while True:
            async with self._database.reading() as reading:
                prefixes = await reading.erasures.watched(job_id, BATCH)
            if not prefixes:
                return
            found = sum(await asyncio.gather(*map(self._object_store.erase, prefixes)))
            if found:
                logger.info("What came after its erasure is erased", extra={"objects": found})
            async with self._database.transaction() as transaction:
                await transaction.erasures.unwatch(job_id, prefixes)
