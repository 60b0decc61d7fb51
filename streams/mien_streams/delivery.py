"""What an agent hands to a handler, and what it expects of one. Knows no Faust."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mien_core.ports import Transaction


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it came from a topic: raw bytes, where they lie, and the wall-clock times of its way here."""

    topic: str
    partition: int
    offset: int
    headers: tuple[tuple[str, bytes], ...]
    value: bytes
    published_at: datetime
    consumed_at: datetime


class Handler(Protocol):
    """What happens on a message. Deliveries may come more than once, and several are handled at the same time."""

    @property
    def name(self) -> str:
        """The handler's name: a role, a consumer group, the inbox's and the dead letters' first column."""

    async def handle(self, delivery: Delivery) -> None:
        """Deal with a message; return once the outcome is saved.

        Raises:
            Rejected: the message can't be understood, now or later: it becomes a dead letter.
            Unavailable: a part is away: the same message is handed over again.
        """

    async def note_bug(self, transaction: Transaction, delivery: Delivery) -> None:
        """Write down, in the transaction of its dead letter, that handling this message hit a bug."""
