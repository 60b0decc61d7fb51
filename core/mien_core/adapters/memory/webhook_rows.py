"""The rows of the tables of webhooks in memory, and what the end of a job adds to them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from mien_core.model.platform import Job
from mien_core.model.webhooks import Webhook
from mien_core.rules.webhooks import event_of


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A webhook, and when its secret was rotated last."""

    webhook: Webhook
    rotated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A message that waits until due_at."""

    id: str
    webhook_id: str
    type: str
    job_id: str | None
    seq: int | None
    created_at: datetime
    due_at: datetime
    attempts: int = 0
    claims: int = 0


def told(rows: Iterable[WebhookRow], job: Job, seq: int) -> list[DeliveryRow]:
    """The messages that come of a job's end, its step seq."""
    event = event_of(job.status)
    webhooks = [row.webhook for row in rows if row.webhook.disabled_at is None and event in row.webhook.events]
    return [
        new_delivery(str(uuid4()), webhook.id, event.value, job.id, seq)
        for webhook in webhooks
        if webhook.tenant == job.tenant and webhook.user_id in {None, job.user_id}
    ]


def new_delivery(
    delivery_id: str, webhook_id: str, event_type: str, job_id: str | None, seq: int | None
) -> DeliveryRow:
    """A message that is due at once."""
    now = datetime.now(UTC)
    return DeliveryRow(delivery_id, webhook_id, event_type, job_id, seq, now, now)
