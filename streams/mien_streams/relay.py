"""The relay: carries what transactions left in the outbox to Kafka, in the order of its ids.

One relay is active at a time. A record is removed only after Kafka has it, so a crash in between publishes it twice,
never not at all; its event id stays the same, and whoever handles it knows it by that. A record that Kafka refuses for
good becomes a dead letter, so that it doesn't keep all others from being published.
"""

import asyncio
import logging
import time

import prometheus_client

from mien_core.errors import Rejected, Unavailable
from mien_core.faults import Point, reached
from mien_core.ports.database import Database
from mien_core.ports.messages import EventPublisher, OutboxRow
from mien_core.ports.signals import Channel, Leadership, Subscription
from mien_streams import refused
from mien_streams.background import BackgroundRole
from mien_streams.backlogs import Backlogs
from mien_streams.retry import backoff

logger = logging.getLogger(__name__)

PUBLISHED = prometheus_client.Counter("mien_outbox_published_total", "Records carried from the outbox to Kafka.")
REFUSED = prometheus_client.Counter("mien_outbox_refused_total", "Records that Kafka refused and nobody will get.")
LEADING = prometheus_client.Gauge("mien_relay_leading", "1 if this process's relay is the active one.")

LEADERSHIP = "mien-relay"
BATCH = 500
# signals may get lost, and rows become due by time alone
POLL_SECONDS = 1.0
MEASURE_SECONDS = 5.0
# how often a standby asks whether it may take over
STANDBY_SECONDS = 1.0


class Relay(BackgroundRole):
    """A role. Give it a publisher that nobody else closes while it runs."""

    name = "relay"

    def __init__(self, database: Database, publisher: EventPublisher) -> None:
        super().__init__()
        self._database = database
        self._publisher = publisher
        self._backlogs = Backlogs(database)
        self._measured_at = 0.0

    async def _run(self) -> None:
        pauses = backoff()
        while not self._stopping.is_set():
            try:
                async with self._database.leadership(LEADERSHIP) as leadership:
                    pauses = backoff()
                    if leadership is None:
                        await self._pause(STANDBY_SECONDS)
                        continue
                    await self._lead(leadership)
            except Unavailable as error:
                logger.warning("The relay stepped down and tries again: %s", error)
                await self._pause(next(pauses))

    async def _lead(self, leadership: Leadership) -> None:
        """Publish until stopped.

        Raises:
            Unavailable: the database or the leadership is gone.
        """
        logger.info("This relay is the active one")
        LEADING.set(1)
        self._measured_at = 0.0
        try:
            async with self._database.subscribe(Channel.OUTBOX) as subscription:
                pauses = backoff()
                while not self._stopping.is_set():
                    await self._measure()
                    rows, _ = await asyncio.gather(self._due(), leadership.confirm())
                    if not rows:
                        await self._wait(subscription)
                    elif await self._published(rows):
                        pauses = backoff()
                    else:
                        await self._pause(next(pauses))
        finally:
            LEADING.set(0)
            self._backlogs.forget()

    async def _due(self) -> list[OutboxRow]:
        async with self._database.reading() as transaction:
            return await transaction.outbox.due(BATCH)

    async def _measure(self) -> None:
        if time.monotonic() - self._measured_at >= MEASURE_SECONDS:
            await self._backlogs.measure()
            self._measured_at = time.monotonic()

    async def _published(self, rows: list[OutboxRow]) -> bool:
        """Publish rows and then remove them; False if Kafka is away."""
        reached(Point.RELAY_READ)
        try:
            await self._publisher.publish([row.record for row in rows])
        except Unavailable as error:
            async with self._database.reading() as transaction:
                waiting = await transaction.outbox.oldest_due_seconds()
            logger.warning("Records wait in the outbox, the oldest for %.1f s: %s", waiting, error)
            return False
        except Rejected as error:
            if len(rows) > 1:
                return await self._published_singly(rows)
            await self._bury(rows[0], error)
            return True
        reached(Point.RELAY_PUBLISHED)
        async with self._database.transaction() as transaction:
            await transaction.outbox.remove([row.id for row in rows])
        reached(Point.RELAY_REMOVED)
        PUBLISHED.inc(len(rows))
        return True

    async def _published_singly(self, rows: list[OutboxRow]) -> bool:
        """Publish rows of which Kafka refuses some, nobody knows which; False if Kafka is away."""
        for row in rows:
            if self._stopping.is_set() or not await self._published([row]):
                return False
        return True

    async def _bury(self, row: OutboxRow, error: Rejected) -> None:
        """Make a refused record a dead letter."""
        logger.warning("The record %d for %s becomes a dead letter: %s", row.id, row.record.topic, error)
        async with self._database.transaction() as transaction:
            await refused.bury(transaction, self.name, row, error)
        REFUSED.inc()

    async def _wait(self, subscription: Subscription) -> None:
        """Wait for a signal, the poll's time or the stop, whichever comes first."""
        waits = {
            asyncio.create_task(subscription.wait(POLL_SECONDS)),
            asyncio.create_task(self._stopping.wait()),
        }
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        await asyncio.wait(waits)
