"""The role: takes messages that are due and has them delivered, many at a time and few of each webhook.

Any number of replicas may run. What one has taken the others leave alone until its lease is over, so what a killed one
was sending is sent again by whoever comes next.
"""

import asyncio
import logging
import time
from collections import Counter
from typing import Final

import prometheus_client

from mien_core import telemetry
from mien_core.errors import Unavailable
from mien_core.model.webhooks import Delivery
from mien_core.ports.database import Database
from mien_core.ports.signals import Channel, Subscription
from mien_streams.retry import backoff
from mien_streams.webhooks.courier import ATTEMPTS, DROPPED, Courier, Dropped
from mien_streams.webhooks.sender import TIMEOUT_SECONDS

logger = logging.getLogger(__name__)

WAITING = prometheus_client.Gauge("mien_webhook_messages", "Messages that were not accepted yet.")
OLDEST = prometheus_client.Gauge("mien_webhook_oldest_seconds", "Age of the oldest message that was not accepted yet.")
OVERDUE = prometheus_client.Gauge("mien_webhook_overdue_seconds", "How late the most overdue attempt is.")

# Messages in flight in this process, and of one webhook. So 64 webhooks that don't answer are needed to hold up others,
# and they do it once: of a webhook that fails only one message is in flight.
IN_FLIGHT: Final = 256
OF_ONE: Final = 4
# more than a message takes, its notes in the database included
LEASE_SECONDS: Final = 4 * TIMEOUT_SECONDS
# signals may get lost, and messages become due by time alone
POLL_SECONDS: Final = 1.0
MEASURE_SECONDS: Final = 5.0
# longer than a message takes
STOP_SECONDS: Final = TIMEOUT_SECONDS + 2.0


class WebhookRole:
    """A role. Give it a database whose units of work share no transaction, and a courier on the same one."""

    name = "webhooks"

    def __init__(self, database: Database, courier: Courier) -> None:
        self._database = database
        self._courier = courier
        self._in_flight: dict[asyncio.Task[None], str] = {}
        self._woken = asyncio.Event()
        self._stopping = False
        self._measured_at = -MEASURE_SECONDS
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def watch(self) -> None:
        """Stay as long as it works; a bug in it comes out here."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Take nothing more, and let what is in flight arrive."""
        self._stopping = True
        self._woken.set()
        tasks = {*self._in_flight, *([] if self._task is None else [self._task])}
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        WAITING.set(0)
        OLDEST.set(0)
        OVERDUE.set(0)

    async def _run(self) -> None:
        pauses = backoff()
        while not self._stopping:
            try:
                async with self._database.subscribe(Channel.WEBHOOKS) as subscription:
                    while not self._stopping:
                        await self._round(subscription)
                        pauses = backoff()
            except Unavailable as error:
                logger.warning("Webhooks wait for the database: %s", error)
                await asyncio.sleep(next(pauses))

    async def _round(self, subscription: Subscription) -> None:
        """Begin to deliver what is due and fits; wait if that was nothing."""
        await self._measure()
        # before the look: what ends after it makes room, and another look
        self._woken.clear()
        claimed = await self._claim()
        for delivery in claimed:
            task = asyncio.create_task(self._delivered(delivery))
            self._in_flight[task] = delivery.webhook.id
            task.add_done_callback(self._landed)
        if not claimed and not self._stopping:
            await self._wait(subscription)

    async def _claim(self) -> list[Delivery]:
        room = IN_FLIGHT - len(self._in_flight)
        if room == 0:
            return []
        async with self._database.transaction() as transaction:
            return await transaction.webhook_deliveries.claim(
                Counter(self._in_flight.values()), limit=room, per_webhook=OF_ONE, lease_seconds=LEASE_SECONDS
            )

    async def _delivered(self, delivery: Delivery) -> None:
        """Deliver a message; the edge at which bugs are caught: they are one message's, and it is sent again."""
        with telemetry.log_context(webhook_id=delivery.webhook.id, message_id=delivery.id):
            try:
                await self._courier.deliver(delivery)
            except Unavailable as error:
                logger.warning("A message is sent again after its lease: %s", error)
                ATTEMPTS.labels("unavailable").inc()
            except Exception:
                logger.exception("A bug: the message is sent again after its lease")
                ATTEMPTS.labels("bug").inc()

    def _landed(self, task: asyncio.Task[None]) -> None:
        del self._in_flight[task]
        self._woken.set()

    async def _measure(self) -> None:
        if time.monotonic() - self._measured_at < MEASURE_SECONDS:
            return
        async with self._database.transaction() as transaction:
            left_over = await transaction.webhook_deliveries.tidy()
        DROPPED.labels(Dropped.DISABLED).inc(left_over)
        async with self._database.reading() as reading:
            backlog = await reading.webhook_deliveries.backlog()
        WAITING.set(backlog.count)
        OLDEST.set(backlog.oldest_seconds)
        OVERDUE.set(backlog.overdue_seconds)
        self._measured_at = time.monotonic()

    async def _wait(self, subscription: Subscription) -> None:
        """Wait for a signal, a message's end, the poll's time or the stop, whichever comes first."""
        waits = {asyncio.create_task(subscription.wait(POLL_SECONDS)), asyncio.create_task(self._woken.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
