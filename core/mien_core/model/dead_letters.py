"""Dead letters: messages that nobody could take, kept until a person decides what becomes of them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeadLetter:
    """A message that its handler could not take, to be kept: its bytes as they came, where it lay, and why.

    handler is whose inbox and whose retries it had; the relay's letters are records that Kafka refused, with -1 as
    partition and the outbox row's id as offset. code is stable; detail is for whoever looks into it. attempts counts
    this one and those before it. job_id is the job whose work the message asks for; the letter goes with it.
    """

    handler: str
    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    code: str
    detail: str
    attempts: int
    traceparent: str | None
    job_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter(NewDeadLetter):
    """A kept letter; ids grow, so their order is the order of writing."""

    id: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which dead letters are meant: those that meet every criterion that is given; without any, all."""

    ids: tuple[int, ...] | None = None
    handler: str | None = None
    topic: str | None = None
    code: str | None = None
    job_id: str | None = None
    older_than_seconds: float | None = None


EVERY_LETTER = Selection()


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits, and how long the oldest of it has waited."""

    count: int
    oldest_seconds: float
