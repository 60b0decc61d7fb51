"""The webhooks and webhook_deliveries tables in memory."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mien_core.adapters.memory.state import State, note_user
from mien_core.adapters.memory.webhook_rows import DeliveryRow, WebhookRow, new_delivery
from mien_core.errors import Missing
from mien_core.model.platform import Caller
from mien_core.model.webhooks import (
    TEST,
    Delivery,
    DeliveryBacklog,
    DisabledReason,
    NewWebhook,
    SecretOrigin,
    Webhook,
    WebhookPosition,
    position_of,
)
from mien_core.ports.signals import Channel

_PREVIOUS_COUNTS = timedelta(hours=24)


class MemoryWebhooks:
    """Meets ports.webhooks.Webhooks."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, webhook: NewWebhook, most: int) -> tuple[Webhook, bool] | None:
        """See ports.webhooks.Webhooks."""
        earlier = await self.get(webhook.id)
        if earlier is not None:
            return earlier, False
        owner = (webhook.tenant, webhook.user_id)
        webhooks = [row.webhook for row in self._state.webhooks.values()]
        if len([one for one in webhooks if (one.tenant, one.user_id) == owner]) >= most:
            return None
        if webhook.user_id is not None:
            note_user(self._state, webhook.tenant, webhook.user_id)
        fields = {name: getattr(webhook, name) for name in NewWebhook.__dataclass_fields__}
        added = Webhook(
            **fields, created_at=_now(), previous=None, failing_since=None, disabled_at=None, disabled_reason=None
        )
        self._state.webhooks[webhook.id] = WebhookRow(added)
        return added, True

    async def get(self, webhook_id: str) -> Webhook | None:
        """See ports.webhooks.Webhooks."""
        row = self._state.webhooks.get(webhook_id)
        return None if row is None else _read(row)

    async def seen_by(self, caller: Caller, *, after: WebhookPosition | None, limit: int) -> list[Webhook]:
        """See ports.webhooks.Webhooks."""
        seen = [_read(row) for row in self._state.webhooks.values() if caller.may_see(row.webhook)]
        wanted = [one for one in seen if after is None or position_of(one) < after]
        return sorted(wanted, key=position_of, reverse=True)[:limit]

    async def rotate(self, webhook_id: str, secret: SecretOrigin) -> Webhook:
        """See ports.webhooks.Webhooks."""
        row = self._state.webhooks.get(webhook_id)
        if row is None:
            raise Missing("webhook_not_found", "There is no such webhook.")
        if row.webhook.secret.salt != secret.salt:
            row = WebhookRow(replace(row.webhook, secret=secret, previous=row.webhook.secret), _now())
            self._state.webhooks[webhook_id] = row
        return _read(row)

    async def mark_accepted(self, webhook_id: str) -> None:
        """See ports.webhooks.Webhooks."""
        self._change(webhook_id, failing_since=None)

    async def mark_failing(self, webhook_id: str) -> None:
        """See ports.webhooks.Webhooks."""
        row = self._state.webhooks.get(webhook_id)
        if row is not None and row.webhook.failing_since is None:
            self._change(webhook_id, failing_since=_now())

    async def disable(self, webhook_id: str, reason: DisabledReason) -> int | None:
        """See ports.webhooks.Webhooks."""
        row = self._state.webhooks.get(webhook_id)
        if row is None or row.webhook.disabled_at is not None:
            return None
        self._change(webhook_id, disabled_at=_now(), disabled_reason=reason)
        return self._drop(webhook_id)

    async def remove(self, webhook_id: str) -> None:
        """See ports.webhooks.Webhooks."""
        self._state.webhooks.pop(webhook_id, None)
        self._drop(webhook_id)

    def _change(self, webhook_id: str, **fields: object) -> None:
        row = self._state.webhooks.get(webhook_id)
        if row is not None:
            changed: Webhook = replace(row.webhook, **fields)  # type: ignore[arg-type]  # each caller's are a webhook's
            self._state.webhooks[webhook_id] = replace(row, webhook=changed)

    def _drop(self, webhook_id: str) -> int:
        waiting = [row.id for row in self._state.webhook_deliveries.values() if row.webhook_id == webhook_id]
        for delivery_id in waiting:
            del self._state.webhook_deliveries[delivery_id]
        return len(waiting)


class MemoryWebhookDeliveries:
    """Meets ports.webhooks.WebhookDeliveries."""

    def __init__(self, state: State, signals: list[tuple[Channel, str]]) -> None:
        self._state = state
        self._rows = state.webhook_deliveries
        self._signals = signals

    async def add_test(self, delivery_id: str, webhook_id: str) -> None:
        """See ports.webhooks.WebhookDeliveries."""
        self._rows.setdefault(delivery_id, new_delivery(delivery_id, webhook_id, TEST, None, None))
        self._signals.append((Channel.WEBHOOKS, ""))

    async def claim(
        self, in_flight: Mapping[str, int], *, limit: int, per_webhook: int, lease_seconds: float
    ) -> list[Delivery]:
        """See ports.webhooks.WebhookDeliveries."""
        now = _now()
        taken = Counter(in_flight)
        claimed: list[Delivery] = []
        for row in sorted(self._rows.values(), key=lambda row: row.due_at):
            webhook = self._sendable(row.webhook_id)
            if webhook is None or row.due_at > now or len(claimed) == limit:
                continue
            if taken[webhook.id] >= (per_webhook if webhook.failing_since is None else 1):
                continue
            taken[webhook.id] += 1
            lease_ends = now + timedelta(seconds=lease_seconds)
            self._rows[row.id] = replace(row, claims=row.claims + 1, due_at=lease_ends)
            claimed.append(_claimed(self._rows[row.id], webhook))
        return claimed

    async def remove(self, delivery_id: str) -> bool:
        """See ports.webhooks.WebhookDeliveries."""
        return self._rows.pop(delivery_id, None) is not None

    async def put_off(self, delivery: Delivery, seconds: float) -> None:
        """See ports.webhooks.WebhookDeliveries."""
        row = self._rows.get(delivery.id)
        if row is not None and row.claims == delivery.claim:
            due_at = _now() + timedelta(seconds=seconds)
            self._rows[row.id] = replace(row, attempts=row.attempts + 1, due_at=due_at)

    async def tidy(self) -> int:
        """See ports.webhooks.WebhookDeliveries."""
        left_over = [row.id for row in self._rows.values() if self._sendable(row.webhook_id) is None]
        for delivery_id in left_over:
            del self._rows[delivery_id]
        return len(left_over)

    async def backlog(self) -> DeliveryBacklog:
        """See ports.webhooks.WebhookDeliveries."""
        now, rows = _now(), self._rows.values()
        oldest = max(((now - row.created_at).total_seconds() for row in rows), default=0.0)
        overdue = max(((now - row.due_at).total_seconds() for row in rows), default=0.0)
        return DeliveryBacklog(len(rows), max(0.0, oldest), max(0.0, overdue))

    def _sendable(self, webhook_id: str) -> Webhook | None:
        row = self._state.webhooks.get(webhook_id)
        return None if row is None or row.webhook.disabled_at is not None else _read(row)


def _claimed(row: DeliveryRow, webhook: Webhook) -> Delivery:
    return Delivery(
        id=row.id,
        webhook=webhook,
        type=row.type,
        job_id=row.job_id,
        seq=row.seq,
        created_at=row.created_at,
        attempt=row.attempts + 1,
        claim=row.claims,
    )


def _read(row: WebhookRow) -> Webhook:
    counts = row.rotated_at is not None and _now() - row.rotated_at < _PREVIOUS_COUNTS
    return row.webhook if counts else replace(row.webhook, previous=None)


def _now() -> datetime:
    return datetime.now(UTC)
