"""Webhooks as they are registered and shown."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from mien_api.cursors import Page
from mien_api.schemas import RequestSchema, Schema
from mien_core.model.webhooks import DisabledReason, Webhook, WebhookEvent
from mien_core.rules.egress import LONGEST_URL, URL_PATTERN

# The pattern is shown and not checked here: the rule says what is wrong, and in development allows more.
Url = Annotated[
    str,
    Field(
        max_length=LONGEST_URL,
        examples=["https://shop.example/mien"],
        description="https, a host's name with a public address, the port 443 or one from 1024 on",
        json_schema_extra={"format": "uri", "pattern": URL_PATTERN},
    ),
]


class NewWebhookBody(RequestSchema):
    """Where to tell of what; job.processing is none of the events: a webhook is told of ends."""

    url: Url
    events: Annotated[
        list[WebhookEvent], Field(min_length=1, max_length=10, examples=[["job.completed", "job.failed"]])
    ]


class WebhookBody(Schema):
    """A webhook.

    userId is whose jobs it is told of, null for those of all the tenant's users. failingSince is when it first did not
    accept a message, with none accepted since. disabledAt and disabledReason say since when and why nothing is sent.
    """

    id: str
    url: str
    events: list[WebhookEvent]
    user_id: str | None
    created_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: DisabledReason | None


class WebhookWithSecretBody(WebhookBody):
    """A webhook with its secret, which is shown this once."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="])


class WebhooksPage(Schema):
    """A part of the webhooks that the credential may see, newest first; nextCursor is null at their end."""

    webhooks: list[WebhookBody]
    next_cursor: str | None


class SentTestBody(Schema):
    """The test message that is going to be sent: its webhook-id."""

    id: str


def webhook_body(webhook: Webhook) -> WebhookBody:
    """Show a webhook."""
    return WebhookBody(
        id=webhook.id,
        url=webhook.url,
        events=sorted(webhook.events),
        user_id=webhook.user_id,
        created_at=webhook.created_at,
        failing_since=webhook.failing_since,
        disabled_at=webhook.disabled_at,
        disabled_reason=webhook.disabled_reason,
    )


def webhook_with_secret(webhook: Webhook, secret: str) -> WebhookWithSecretBody:
    """Show a webhook with its secret."""
    return WebhookWithSecretBody(**webhook_body(webhook).model_dump(), secret=secret)


def webhooks_page(page: Page[Webhook]) -> WebhooksPage:
    """Show a part of the webhooks."""
    return WebhooksPage(webhooks=[webhook_body(one) for one in page.things], next_cursor=page.next_cursor)
