"""What processes tell each other through the database: that something changed, and who leads."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Leadership(Protocol):
    """The right to be the only active one; it lasts as long as its connection."""

    async def confirm(self) -> None:
        """Prove that the right still holds.

        Raises:
            Unavailable: leadership_lost.
        """


class Channel(StrEnum):
    """What there are signals about."""

    JOB_ENDS = "mien_job_ends"
    OUTBOX = "mien_outbox"
    WEBHOOKS = "mien_webhooks"


class Subscription(Protocol):
    """Signals of one topic since the subscription began."""

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - a signal may get lost, so every wait is bounded
        """Return True at the next signal, at once if one came since the last wait; False after timeout seconds."""


@dataclass(frozen=True, slots=True)
class Signalled:
    """Topics of one channel; missed means that there may have been others, and nobody knows which."""

    topics: frozenset[str] = frozenset()
    missed: bool = False


class ChannelSubscription(Protocol):
    """Signals of all topics of a channel since the subscription began."""

    async def wait(self, timeout: float) -> Signalled:  # noqa: ASYNC109 - a signal may get lost, so every wait is bounded
        """Return what was signalled since the last wait, once there is something; nothing after timeout seconds."""
