"""What an agent hands to a handler, and what it expects of one. Knows no Faust."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime

from mien_core.model.platform import JobError
from mien_core.ports.database import Transaction


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it came from a topic: raw bytes, where they lie, and the wall-clock times of its way here."""

    topic: str
    partition: int
    offset: int
    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes
    published_at: datetime
    consumed_at: datetime


class Handler(ABC):
    """What happens on the messages of a topic. They may come more than once, and several are handled at a time.

    name is a role, a consumer group, and the inbox's and the dead letters' first column; it never changes. The edge
    around a handler deals with retries and dead letters; see docs/agents.md.
    """

    name: str
    topic: str

    @abstractmethod
    async def handle(self, delivery: Delivery) -> None:
        """Deal with a message; return once the outcome is saved.

        Raises:
            Rejected: the message can't be understood, now or later: it becomes a dead letter.
            Unavailable: a part is away: the same message is handed over again, in a moment or later.
        """

    async def put_off(self, transaction: Transaction, delivery: Delivery) -> float | None:  # noqa: ARG002 - for those who have a job
        """Show, in the transaction that puts a message off, that what belongs to it waits.

        Returns:
            Seconds after which a later attempt has no sense any more, if there is such a moment.
        """
        return None

    async def give_up(self, transaction: Transaction, delivery: Delivery, error: JobError) -> str | None:  # noqa: ARG002 - for those who have a job
        """End, in the transaction of its dead letter, what belongs to a message that couldn't be handled.

        Returns:
            The id of the job whose work the message asks for, if it exists: the dead letter goes with it.
        """
        return None
