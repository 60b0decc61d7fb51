"""Webhooks: where somebody wants to be told of the ends of jobs, and what they have yet to be told."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, NamedTuple
from uuid import UUID

# What is sent when it is asked for, whatever events the webhook is for.
TEST: Final = "test"

# Why nothing is sent any more: it answered 410, or nothing was accepted for days.
DisabledReason = Literal["gone", "failing"]


class WebhookEvent(StrEnum):
    """What a webhook can be for: the three ends of a job."""

    JOB_COMPLETED = "job.completed"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"


class SecretOrigin(NamedTuple):
    """What a signing secret is made of, beside the platform's key that key_id names; salt is a UUID."""

    key_id: str
    salt: str


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """A webhook to be saved. user_id None means that it is told of all the tenant's jobs, else of that user's."""

    id: str
    tenant: str
    user_id: str | None
    url: str
    events: frozenset[WebhookEvent]
    secret: SecretOrigin


@dataclass(frozen=True, slots=True)
class Webhook(NewWebhook):
    """A saved webhook.

    previous is the secret before the last rotation, as long as it still signs. failing_since is when it first did not
    accept a message, with none accepted since.
    """

    created_at: datetime
    previous: SecretOrigin | None
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: DisabledReason | None


class WebhookPosition(NamedTuple):
    """Where a webhook stands among its owner's, by age."""

    created_at: datetime
    id: UUID


def position_of(webhook: Webhook) -> WebhookPosition:
    """Tell where a webhook stands in its list."""
    return WebhookPosition(webhook.created_at, UUID(webhook.id))


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that somebody has taken to send: its attempt-th attempt, those without an outcome not counted.

    id is the message's, the same for all attempts. type is a WebhookEvent or TEST; job_id and seq name the step of the
    job that it tells of, and are None for a test. claim is the number of times that it was taken.
    """

    id: str
    webhook: Webhook
    type: str
    job_id: str | None
    seq: int | None
    created_at: datetime
    attempt: int
    claim: int


@dataclass(frozen=True, slots=True)
class DeliveryBacklog:
    """How many messages wait, for how many seconds the oldest has, and how late the one is that is most overdue."""

    count: int
    oldest_seconds: float
    overdue_seconds: float
