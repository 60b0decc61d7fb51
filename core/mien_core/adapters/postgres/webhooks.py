"""The webhooks table."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from mien_core.adapters.postgres.statements import Row, Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.adapters.postgres.uploads import note_user
from mien_core.errors import Missing
from mien_core.model.platform import Caller
from mien_core.model.webhooks import (
    DisabledReason,
    NewWebhook,
    SecretOrigin,
    Webhook,
    WebhookEvent,
    WebhookPosition,
)

# What a webhook is read from. The secret before the last rotation counts for a day.
COLUMNS: Final = """
    webhooks.id, webhooks.tenant, webhooks.user_id, webhooks.url, webhooks.events, webhooks.key_id, webhooks.salt,
    CASE WHEN webhooks.rotated_at > clock_timestamp() - interval '24 hours' THEN webhooks.previous_key_id END
        AS previous_key_id, webhooks.previous_salt,
    webhooks.created_at, webhooks.failing_since, webhooks.disabled_at, webhooks.disabled_reason
"""
# Counted behind a lock, so that of two at once one sees the other. An id that is there counts as itself.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('webhooks of ' || %s, 0))"
_ADD: Final = f"""
    INSERT INTO webhooks (id, tenant, user_id, url, events, key_id, salt)
    SELECT %(id)s, %(tenant)s, %(user_id)s, %(url)s, %(events)s, %(key_id)s, %(salt)s
    WHERE %(most)s > (
        SELECT count(*) FROM webhooks
        WHERE tenant = %(tenant)s AND user_id IS NOT DISTINCT FROM %(user_id)s AND id <> %(id)s
    )
    ON CONFLICT (id) DO NOTHING
    RETURNING {COLUMNS}
"""  # noqa: S608 - a constant of this module
_GET: Final = f"SELECT {COLUMNS} FROM webhooks WHERE id = %s"  # noqa: S608 - a constant of this module
_LIST: Final = f"""
    SELECT {COLUMNS} FROM webhooks
    WHERE tenant = %(tenant)s {{}} AND (created_at, id) < (%(after_created_at)s, %(after_id)s)
    ORDER BY created_at DESC, id DESC LIMIT %(limit)s
"""  # noqa: S608 - a constant of this module
OF_TENANT: Final = _LIST.format("")
OF_USER: Final = _LIST.format("AND user_id = %(user_id)s")
_ROTATE: Final = """
    UPDATE webhooks SET previous_key_id = key_id, previous_salt = salt, rotated_at = clock_timestamp(),
        key_id = %(key_id)s, salt = %(salt)s
    WHERE id = %(id)s AND salt <> %(salt)s
"""
# one statement, so that no message is left over or counted twice
_DISABLE: Final = """
    WITH disabled AS (
        UPDATE webhooks SET disabled_at = clock_timestamp(), disabled_reason = %s
        WHERE id = %s AND disabled_at IS NULL RETURNING id
    ), dropped AS (
        DELETE FROM webhook_deliveries USING disabled WHERE webhook_id = disabled.id RETURNING 1
    )
    SELECT (SELECT count(*) FROM dropped) AS dropped FROM disabled
"""
# with a condition that lets everything pass the list is one statement, which the server plans once
_NEWEST: Final = WebhookPosition(datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


class PostgresWebhooks:
    """Meets ports.webhooks.Webhooks."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, webhook: NewWebhook, most: int) -> tuple[Webhook, bool] | None:
        """See ports.webhooks.Webhooks."""
        if webhook.user_id is not None:
            await note_user(self._statements, webhook.tenant, webhook.user_id)
        # a statement of its own: the next one then sees what the lock's last holder added
        await self._statements.execute(_LOCK, (webhook.tenant,))
        values = {
            "id": as_uuid(webhook.id),
            "tenant": webhook.tenant,
            "user_id": webhook.user_id,
            "url": webhook.url,
            "events": sorted(event.value for event in webhook.events),
            "key_id": webhook.secret.key_id,
            "salt": as_uuid(webhook.secret.salt),
            "most": most,
        }
        row = await (await self._statements.execute(_ADD, values)).fetchone()
        if row is not None:
            return webhook_of(row), True
        earlier = await self.get(webhook.id)
        return None if earlier is None else (earlier, False)

    async def get(self, webhook_id: str) -> Webhook | None:
        """See ports.webhooks.Webhooks."""
        row = await (await self._statements.execute(_GET, (as_uuid(webhook_id),))).fetchone()
        return webhook_of(row) if row else None

    async def seen_by(self, caller: Caller, *, after: WebhookPosition | None, limit: int) -> list[Webhook]:
        """See ports.webhooks.Webhooks."""
        position = after or _NEWEST
        values = {
            "tenant": caller.tenant,
            "user_id": caller.user_id,
            "after_created_at": position.created_at,
            "after_id": position.id,
            "limit": limit,
        }
        cursor = await self._statements.execute(OF_TENANT if caller.user_id is None else OF_USER, values)
        return [webhook_of(row) for row in await cursor.fetchall()]

    async def rotate(self, webhook_id: str, secret: SecretOrigin) -> Webhook:
        """See ports.webhooks.Webhooks."""
        values = {"id": as_uuid(webhook_id), "key_id": secret.key_id, "salt": as_uuid(secret.salt)}
        await self._statements.write(_ROTATE, values)
        rotated = await self.get(webhook_id)
        if rotated is None:
            raise Missing("webhook_not_found", "There is no such webhook.")
        return rotated

    async def mark_accepted(self, webhook_id: str) -> None:
        """See ports.webhooks.Webhooks. Mostly there is nothing to write."""
        await self._statements.write(
            "UPDATE webhooks SET failing_since = NULL WHERE id = %s AND failing_since IS NOT NULL",
            (as_uuid(webhook_id),),
        )

    async def mark_failing(self, webhook_id: str) -> None:
        """See ports.webhooks.Webhooks."""
        await self._statements.write(
            "UPDATE webhooks SET failing_since = clock_timestamp() WHERE id = %s AND failing_since IS NULL",
            (as_uuid(webhook_id),),
        )

    async def disable(self, webhook_id: str, reason: DisabledReason) -> int | None:
        """See ports.webhooks.Webhooks."""
        row = await (await self._statements.execute(_DISABLE, (reason, as_uuid(webhook_id)))).fetchone()
        return None if row is None else int(row["dropped"])

    async def remove(self, webhook_id: str) -> None:
        """See ports.webhooks.Webhooks."""
        await self._statements.write("DELETE FROM webhooks WHERE id = %s", (as_uuid(webhook_id),))
        await self._statements.write("DELETE FROM webhook_deliveries WHERE webhook_id = %s", (as_uuid(webhook_id),))


def webhook_of(row: Row) -> Webhook:
    """Read a webhook from its COLUMNS."""
    previous = SecretOrigin(row["previous_key_id"], str(row["previous_salt"])) if row["previous_key_id"] else None
    return Webhook(
        id=str(row["id"]),
        tenant=row["tenant"],
        user_id=row["user_id"],
        url=row["url"],
        events=frozenset(map(WebhookEvent, row["events"])),
        secret=SecretOrigin(row["key_id"], str(row["salt"])),
        previous=previous,
        created_at=row["created_at"],
        failing_since=row["failing_since"],
        disabled_at=row["disabled_at"],
        disabled_reason=row["disabled_reason"],
    )
