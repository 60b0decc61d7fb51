"""What webhooks need of the outside: two tables, which database.Transaction has, and names that become addresses."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from mien_core.model.platform import Caller
from mien_core.model.webhooks import (
    Delivery,
    DeliveryBacklog,
    DisabledReason,
    NewWebhook,
    SecretOrigin,
    Webhook,
    WebhookPosition,
)


class Webhooks(Protocol):
    """The webhooks table."""

    async def add(self, webhook: NewWebhook, most: int) -> tuple[Webhook, bool] | None:
        """Save a webhook; its user appears on first sight. An id that was saved before is the webhook that it is.

        Gives it, and whether it is new; None if its owner, the user or the tenant itself, has that many already.
        """

    async def get(self, webhook_id: str) -> Webhook | None:
        """Read one."""

    async def seen_by(self, caller: Caller, *, after: WebhookPosition | None, limit: int) -> list[Webhook]:
        """What the caller may see, newest first, beginning after a position."""

    async def rotate(self, webhook_id: str, secret: SecretOrigin) -> Webhook:
        """Sign with another secret from now on, and with the present one, too, for a day; the same again is nothing.

        Raises:
            Missing: webhook_not_found.
        """

    async def mark_accepted(self, webhook_id: str) -> None:
        """Note that it accepted a message."""

    async def mark_failing(self, webhook_id: str) -> None:
        """Note that it did not accept a message; the first time since it last did is kept."""

    async def disable(self, webhook_id: str, reason: DisabledReason) -> int | None:
        """Send it nothing any more, and forget what waits for it: so many. None if it is disabled already, or gone."""

    async def remove(self, webhook_id: str) -> None:
        """Forget it, and what waits for it; what isn't there is no error."""


class WebhookDeliveries(Protocol):
    """The webhook_deliveries table: what is still to be sent.

    Its rows are made by Jobs.change, in the transaction that ends a job. They are announced on Channel.WEBHOOKS.
    """

    async def add_test(self, delivery_id: str, webhook_id: str) -> None:
        """Have a test message sent; an id that waits already is the message that it is."""

    async def claim(
        self, in_flight: Mapping[str, int], *, limit: int, per_webhook: int, lease_seconds: float
    ) -> list[Delivery]:
        """Take messages that are due, the longest overdue first. Nobody else gets them while the lease lasts.

        Args:
            in_flight: how many messages of which webhook the caller is sending already.
            limit: how many at most.
            per_webhook: how many of one webhook's may be in flight; of one that fails, one.
            lease_seconds: how long it may take to send them.
        """

    async def remove(self, delivery_id: str) -> bool:
        """Forget a message; False if somebody else did."""

    async def put_off(self, delivery: Delivery, seconds: float) -> None:
        """Have a message's next attempt made in so many seconds, unless somebody else has taken it since."""

    async def tidy(self) -> int:
        """Forget the messages of webhooks that are gone or disabled, and tell how many there were."""

    async def backlog(self) -> DeliveryBacklog:
        """How much waits, and for how long."""


class Resolver(Protocol):
    """The names of hosts."""

    async def addresses(self, host: str) -> Sequence[str]:
        """Look a name up, anew each time; give IP addresses, at least one.

        Raises:
            Unavailable: host_unresolved, also if there is no such name: tomorrow there may be.
        """
