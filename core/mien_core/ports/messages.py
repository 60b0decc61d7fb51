"""What goes to Kafka and comes from it: saved with what it tells of, taken once, kept when nobody can take it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mien_core.model.dead_letters import EVERY_LETTER, Backlog, DeadLetter, NewDeadLetter, Selection


@dataclass(frozen=True, slots=True)
class Record:
    """A message as it lies on a topic."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A record that waits for its publication; ids grow, so their order is the order of writing."""

    id: int
    record: Record
    created_at: datetime


class EventPublisher(Protocol):
    """The way onto the topics; only the relay uses it."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when every in-sync replica has every record.

        Raises:
            Unavailable: broker_unavailable; some of the records may have been published.
            Rejected: record_refused; one of the records can't be published, now or later: it is too large or its
                topic doesn't exist. Some of the others may have been published.
        """


class Outbox(Protocol):
    """Records that a transaction wants published. Additions are announced on Channel.OUTBOX after the commit."""

    async def add(self, record: Record, delay_seconds: float = 0) -> None:
        """Publish the record once this transaction has committed, not before delay_seconds from now."""

    async def due(self, limit: int) -> list[OutboxRow]:
        """Read the rows that may be published now, oldest id first."""

    async def remove(self, row_ids: Sequence[int]) -> None:
        """Forget rows that were published."""

    async def due_count(self) -> int:
        """How many rows may be published now."""

    async def oldest_due_seconds(self) -> float:
        """The age of the oldest row that may be published, in seconds; 0 if there is none."""


class Inbox(Protocol):
    """Which handler has dealt with which event. A row is written only with an outcome, in its transaction."""

    async def add(self, handler: str, event_id: str) -> bool:
        """Claim the event for this transaction; False means that another one dealt with it already."""

    async def has(self, handler: str, event_id: str) -> bool:
        """Tell whether the event was dealt with."""

    async def forget(self, handler: str, event_id: str) -> None:
        """Have the event count as not dealt with; only for whoever sends it to the handler again."""


class DeadLetters(Protocol):
    """The dead_letters table."""

    async def add(self, letter: NewDeadLetter) -> None:
        """Keep a message; the same handler, topic, partition and offset are kept once."""

    async def select(self, selection: Selection = EVERY_LETTER, limit: int | None = None) -> list[DeadLetter]:
        """The selected letters, oldest first, at most limit."""

    async def ids(self, selection: Selection = EVERY_LETTER, limit: int | None = None) -> list[int]:
        """The selected letters' ids, oldest first, at most limit: a list that stays small."""

    async def count(self, selection: Selection = EVERY_LETTER) -> int:
        """How many are selected."""

    async def lock(self, letter_id: int) -> DeadLetter | None:
        """Read one and keep others from taking it until the transaction ends."""

    async def remove(self, letter_id: int) -> None:
        """Take one away; what isn't there is no error."""

    async def backlogs(self) -> dict[str, Backlog]:
        """How many wait for somebody, and for how long, by handler; without those who have none."""
