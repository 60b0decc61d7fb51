"""The webhook_deliveries table."""

from collections.abc import Mapping
from typing import Final

from mien_core.adapters.postgres.statements import Row, Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.adapters.postgres.webhooks import COLUMNS, webhook_of
from mien_core.model.platform import Job
from mien_core.model.webhooks import TEST, Delivery, DeliveryBacklog
from mien_core.ports.signals import Channel
from mien_core.rules.webhooks import event_of

# Whom has_webhook, a function of the schema, found. job_events has the job's last step by now: it was written by an
# earlier statement of this transaction.
_TELL: Final = """
    INSERT INTO webhook_deliveries (webhook_id, type, job_id, seq)
    SELECT webhooks.id, %(type)s, jobs.id, (SELECT max(seq) FROM job_events WHERE job_id = jobs.id)
    FROM jobs JOIN webhooks ON webhooks.tenant = jobs.tenant AND webhooks.disabled_at IS NULL
        AND coalesce(webhooks.user_id, '') IN ('', coalesce(jobs.user_id, '')) AND %(type)s = ANY(webhooks.events)
    WHERE jobs.id = %(job_id)s
"""
# First the webhooks for which something waits, each found by one look into the index, however much waits for it; then
# what is due of each, as far as it may get more. now() and not the clock, so that the index ends where nothing is due.
_CLAIM: Final = f"""
    WITH RECURSIVE waiting AS (
        (SELECT webhook_id FROM webhook_deliveries ORDER BY webhook_id LIMIT 1)
        UNION ALL
        SELECT (
            SELECT further.webhook_id FROM webhook_deliveries AS further
            WHERE further.webhook_id > waiting.webhook_id ORDER BY further.webhook_id LIMIT 1
        )
        FROM waiting WHERE waiting.webhook_id IS NOT NULL
    ), due AS (
        SELECT first.id
        FROM waiting
        JOIN webhooks ON webhooks.id = waiting.webhook_id AND webhooks.disabled_at IS NULL
        LEFT JOIN unnest(%(webhook_ids)s::uuid[], %(in_flight)s::integer[]) AS own (webhook_id, in_flight)
            ON own.webhook_id = webhooks.id
        CROSS JOIN LATERAL (
            SELECT id, due_at FROM webhook_deliveries
            WHERE webhook_id = webhooks.id AND due_at <= now()
            ORDER BY due_at
            LIMIT greatest(
                0,
                CASE WHEN webhooks.failing_since IS NULL THEN %(per_webhook)s ELSE 1 END - coalesce(own.in_flight, 0)
            )
            FOR UPDATE SKIP LOCKED
        ) AS first
        ORDER BY first.due_at LIMIT %(limit)s
    )
    UPDATE webhook_deliveries AS claimed
    SET claims = claimed.claims + 1, due_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
    FROM due, webhooks
    WHERE claimed.id = due.id AND webhooks.id = claimed.webhook_id
    RETURNING {COLUMNS}, claimed.id AS delivery_id, claimed.type, claimed.job_id, claimed.seq, claimed.attempts,
        claimed.claims, claimed.created_at AS delivery_created_at
"""  # noqa: S608 - of constants
_TIDY: Final = """
    DELETE FROM webhook_deliveries WHERE NOT EXISTS (
        SELECT FROM webhooks WHERE webhooks.id = webhook_deliveries.webhook_id AND webhooks.disabled_at IS NULL
    )
"""
_BACKLOG: Final = """
    SELECT count(*) AS count, coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS oldest,
        coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0)::float8 AS overdue
    FROM webhook_deliveries
"""


class PostgresWebhookDeliveries:
    """Meets ports.webhooks.WebhookDeliveries; signals is where the transaction collects what to announce."""

    def __init__(self, statements: Statements, signals: list[tuple[Channel, str]]) -> None:
        self._statements = statements
        self._signals = signals

    async def add_test(self, delivery_id: str, webhook_id: str) -> None:
        """See ports.webhooks.WebhookDeliveries."""
        await self._statements.write(
            "INSERT INTO webhook_deliveries (id, webhook_id, type) VALUES (%s, %s, %s) ON CONFLICT (id) DO NOTHING",
            (delivery_id, webhook_id, TEST),
        )
        self._signals.append((Channel.WEBHOOKS, ""))

    async def claim(
        self, in_flight: Mapping[str, int], *, limit: int, per_webhook: int, lease_seconds: float
    ) -> list[Delivery]:
        """See ports.webhooks.WebhookDeliveries."""
        cursor = await self._statements.execute(
            _CLAIM,
            {
                "webhook_ids": [as_uuid(webhook_id) for webhook_id in in_flight],
                "in_flight": list(in_flight.values()),
                "limit": limit,
                "per_webhook": per_webhook,
                "lease_seconds": lease_seconds,
            },
        )
        return [_delivery(row) for row in await cursor.fetchall()]

    async def remove(self, delivery_id: str) -> bool:
        """See ports.webhooks.WebhookDeliveries."""
        cursor = await self._statements.execute("DELETE FROM webhook_deliveries WHERE id = %s", (as_uuid(delivery_id),))
        return cursor.rowcount == 1

    async def put_off(self, delivery: Delivery, seconds: float) -> None:
        """See ports.webhooks.WebhookDeliveries."""
        await self._statements.write(
            """
            UPDATE webhook_deliveries
            SET attempts = attempts + 1, due_at = clock_timestamp() + make_interval(secs => %s)
            WHERE id = %s AND claims = %s
            """,
            (seconds, as_uuid(delivery.id), delivery.claim),
        )

    async def tidy(self) -> int:
        """See ports.webhooks.WebhookDeliveries."""
        return (await self._statements.execute(_TIDY)).rowcount

    async def backlog(self) -> DeliveryBacklog:
        """See ports.webhooks.WebhookDeliveries."""
        row = await (await self._statements.execute(_BACKLOG)).fetchone()
        assert row is not None  # noqa: S101 - an aggregate has one row; tells mypy so
        return DeliveryBacklog(row["count"], max(0.0, row["oldest"]), max(0.0, row["overdue"]))


async def tell(statements: Statements, signals: list[tuple[Channel, str]], job: Job) -> None:
    """Have a job's end told to all webhooks that are for it."""
    await statements.write(_TELL, {"type": event_of(job.status), "job_id": as_uuid(job.id)})
    signals.append((Channel.WEBHOOKS, ""))


def _delivery(row: Row) -> Delivery:
    return Delivery(
        id=str(row["delivery_id"]),
        webhook=webhook_of(row),
        type=row["type"],
        job_id=None if row["job_id"] is None else str(row["job_id"]),
        seq=row["seq"],
        created_at=row["delivery_created_at"],
        attempt=row["attempts"] + 1,
        claim=row["claims"],
    )
