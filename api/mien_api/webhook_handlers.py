"""What the endpoints of webhooks do: load, decide, save. No HTTP in here."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mien_api.cursors import Cursors, Page
from mien_api.ids import new_id
from mien_core.errors import Conflict, Rejected, Unavailable
from mien_core.model.platform import Caller, require_owned
from mien_core.model.webhooks import NewWebhook, Webhook, WebhookEvent, WebhookPosition, position_of
from mien_core.ports.database import Database
from mien_core.ports.webhooks import Resolver
from mien_core.rules.egress import check_url, is_public
from mien_core.rules.webhooks import SecretKeys
from mien_core.settings import WebhookSettings

# of one owner: a user, or a tenant for all of its users
MOST_WEBHOOKS: Final = 100
# whoever waits for a name server that doesn't answer is told no more than who names a host that doesn't exist yet
RESOLVE_SECONDS: Final = 2.0

_WEBHOOKS: Final = Cursors("webhooks", WebhookPosition)


@dataclass(frozen=True)
class WebhookRules:
    """What this platform has set for webhooks, and how it finds hosts."""

    keys: SecretKeys
    allow_private: bool
    resolver: Resolver

    @classmethod
    def of(cls, settings: WebhookSettings, resolver: Resolver) -> "WebhookRules":
        """Take them from the settings."""
        older = [key.get_secret_value() for key in settings.older_keys]
        return cls(SecretKeys(settings.key.get_secret_value(), older), settings.allow_private, resolver)

    async def check(self, url: str) -> None:
        """Refuse a URL to which nothing would be sent.

        A name that has no address yet passes, as one does that is going to have another address: where a message goes
        is decided when it is sent.

        Raises:
            Rejected: webhook_url_invalid or webhook_address_refused.
        """
        host = check_url(url, allow_private=self.allow_private)
        if self.allow_private:
            return
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                addresses = await self.resolver.addresses(host)
        except (Unavailable, TimeoutError):
            return
        if not all(map(is_public, addresses)):
            detail = f"The host {host} has an address that not everybody can reach. Webhooks go to public ones only."
            raise Rejected("webhook_address_refused", detail)


@dataclass(frozen=True)
class WebhookHandlers:
    """The endpoints' handlers; a webhook that the caller may not see is Missing (webhook_not_found)."""

    database: Database
    rules: WebhookRules

    async def register(self, caller: Caller, url: str, events: Iterable[WebhookEvent]) -> tuple[Webhook, str]:
        """Have the ends of jobs told there: a user's own, or all of the tenant's; the second value is the secret.

        Raises:
            Rejected: webhook_url_invalid or webhook_address_refused.
            Conflict: too_many_webhooks.
        """
        await self.rules.check(url)
        webhook_id = new_id()
        # the id is the first secret's salt, so that another attempt at the same request shows the same secret
        secret = self.rules.keys.origin(webhook_id)
        new = NewWebhook(webhook_id, caller.tenant, caller.user_id, url, frozenset(events), secret)
        async with self.database.transaction() as transaction:
            added = await transaction.webhooks.add(new, MOST_WEBHOOKS)
            if added is None:
                detail = f"There are {MOST_WEBHOOKS} webhooks already, as many as there may be. Delete one of them."
                raise Conflict("too_many_webhooks", detail)
            webhook, is_new = added
            if is_new:
                await transaction.audit_log.add(caller.tenant, "webhook.registered", webhook.id)
        return webhook, self.rules.keys.shown(webhook.secret)

    async def webhooks(self, caller: Caller, *, cursor: str | None, limit: int) -> Page[Webhook]:
        """A page of what the caller may see, newest first.

        Raises:
            Rejected: invalid_cursor.
        """
        binding = (caller.tenant, caller.user_id)
        after = _WEBHOOKS.read(cursor, *binding)
        async with self.database.reading() as reading:
            found = await reading.webhooks.seen_by(caller, after=after, limit=limit + 1)
        return _WEBHOOKS.page(found, limit, position_of, *binding)

    async def rotate(self, caller: Caller, webhook_id: str) -> tuple[Webhook, str]:
        """Have messages signed with another secret, the second value; for a day with the one before it, too."""
        secret = self.rules.keys.origin(new_id())
        async with self.database.transaction() as transaction:
            require_owned(await transaction.webhooks.get(webhook_id), caller, "webhook")
            webhook = await transaction.webhooks.rotate(webhook_id, secret)
        return webhook, self.rules.keys.shown(webhook.secret)

    async def test(self, caller: Caller, webhook_id: str) -> str:
        """Have a test message sent; gives its id.

        Raises:
            Conflict: webhook_disabled.
        """
        message_id = new_id()
        async with self.database.transaction() as transaction:
            webhook = require_owned(await transaction.webhooks.get(webhook_id), caller, "webhook")
            if webhook.disabled_at is not None:
                detail = "The webhook is disabled, so nothing is sent there. Delete it and register it again."
                raise Conflict("webhook_disabled", detail)
            await transaction.webhook_deliveries.add_test(message_id, webhook.id)
        return message_id

    async def remove(self, caller: Caller, webhook_id: str) -> None:
        """Forget a webhook; what waits for it isn't sent any more."""
        async with self.database.transaction() as transaction:
            require_owned(await transaction.webhooks.get(webhook_id), caller, "webhook")
            await transaction.webhooks.remove(webhook_id)
            await transaction.audit_log.add(caller.tenant, "webhook.deleted", webhook_id)
