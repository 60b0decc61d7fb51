"""One message's way: make it, sign it, send it, and note what came of it.

A message stays in its table until it was accepted, so a crash between any two lines has it sent again, under the same
id, when its lease is over.
"""

import logging
import random
import time
from dataclasses import dataclass
from enum import StrEnum

import prometheus_client

from mien_core.model.webhooks import TEST, Delivery, DisabledReason
from mien_core.ports.database import Database, Transaction
from mien_core.rules.jobs import as_of
from mien_core.rules.webhooks import (
    SecretKeys,
    Verdict,
    body_of,
    delay_after,
    headers_of,
    is_hopeless,
    job_data,
    verdict_on,
)
from mien_streams.webhooks.sender import NotAnsweredError, WebhookSender

logger = logging.getLogger(__name__)

ATTEMPTS = prometheus_client.Counter("mien_webhook_attempts_total", "Attempts to send a message.", ["outcome"])
DROPPED = prometheus_client.Counter("mien_webhook_dropped_total", "Messages that are not sent any more.", ["reason"])
DISABLED = prometheus_client.Counter("mien_webhooks_disabled_total", "Webhooks that were disabled.", ["reason"])

ACTOR = "webhooks"


class Dropped(StrEnum):
    """Why a message isn't sent any more."""

    ERASED = "erased"
    USED_UP = "used_up"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: its name in the metrics, what it means, and for how many seconds to leave it."""

    name: str
    verdict: Verdict
    advised: float = 0.0


class Courier:
    """Delivers messages that were claimed.

    Args:
        database: where they are; its units of work share no transaction with others'.
        sender: how they get out.
        keys: what the secrets are made of.
    """

    def __init__(self, database: Database, sender: WebhookSender, keys: SecretKeys) -> None:
        self._database = database
        self._sender = sender
        self._keys = keys

    async def deliver(self, delivery: Delivery) -> None:
        """Send a message and note the outcome.

        Raises:
            Unavailable: the database is away, or the key that signs isn't set; it is sent again after the lease.
        """
        body = await self._body(delivery)
        if body is None:
            await self._drop(delivery)
            return
        await self._note(delivery, await self._sent(delivery, body))

    async def _body(self, delivery: Delivery) -> bytes | None:
        """The message, the same for each attempt; None if its job was erased."""
        if delivery.job_id is None or delivery.seq is None:
            return body_of(TEST, delivery.created_at, {"id": delivery.webhook.id})
        async with self._database.reading() as reading:
            found = await reading.jobs.histories([delivery.job_id])
            upload_id = found[0].job.upload_id if found else None
            upload = await reading.uploads.get(upload_id) if upload_id else None
        if not found:
            return None
        told = as_of(found[0], delivery.seq)
        return body_of(delivery.type, told.steps[-1].at, job_data(told, upload))

    async def _sent(self, delivery: Delivery, body: bytes) -> Outcome:
        webhook = delivery.webhook
        origins = [webhook.secret, *([] if webhook.previous is None else [webhook.previous])]
        secrets = [self._keys.secret(origin) for origin in origins]
        try:
            answer = await self._sender.send(webhook.url, headers_of(delivery.id, body, secrets, time.time()), body)
        except NotAnsweredError as error:
            logger.info("A webhook was not reached: %s", error)
            return Outcome(error.outcome, Verdict.AGAIN)
        verdict = verdict_on(answer.status)
        logger.info("A webhook answered %d", answer.status)
        return Outcome(verdict if verdict is not Verdict.AGAIN else "refused", verdict, answer.advised)

    async def _note(self, delivery: Delivery, outcome: Outcome) -> None:
        ATTEMPTS.labels(outcome.name).inc()
        async with self._database.transaction() as transaction:
            match outcome.verdict:
                case Verdict.ACCEPTED:
                    await transaction.webhook_deliveries.remove(delivery.id)
                    await transaction.webhooks.mark_accepted(delivery.webhook.id)
                case Verdict.GONE:
                    await _disable(transaction, delivery, "gone")
                case Verdict.AGAIN:
                    await self._put_off(transaction, delivery, outcome.advised)

    async def _put_off(self, transaction: Transaction, delivery: Delivery, advised: float) -> None:
        luck = random.random()  # noqa: S311 - spreads load, guards nothing
        delay = delay_after(delivery.attempt, luck, advised)
        await transaction.webhooks.mark_failing(delivery.webhook.id)
        if delay is not None:
            await transaction.webhook_deliveries.put_off(delivery, delay)
            return
        if await transaction.webhook_deliveries.remove(delivery.id):
            logger.warning("A message had all its attempts and is dropped")
            DROPPED.labels(Dropped.USED_UP).inc()
        webhook = await transaction.webhooks.get(delivery.webhook.id)
        if webhook is not None and is_hopeless(webhook.failing_since, await transaction.now()):
            await _disable(transaction, delivery, "failing")

    async def _drop(self, delivery: Delivery) -> None:
        """Forget a message of which there is nothing to tell any more."""
        async with self._database.transaction() as transaction:
            await transaction.webhook_deliveries.remove(delivery.id)
        DROPPED.labels(Dropped.ERASED).inc()


async def _disable(transaction: Transaction, delivery: Delivery, reason: DisabledReason) -> None:
    dropped = await transaction.webhooks.disable(delivery.webhook.id, reason)
    if dropped is None:
        return
    await transaction.audit_log.add(ACTOR, "webhook.disabled", f"{delivery.webhook.id}: {reason}")
    logger.warning("A webhook is disabled, and %d messages for it are dropped: %s", dropped, reason)
    DISABLED.labels(reason).inc()
    DROPPED.labels(Dropped.DISABLED).inc(dropped)
