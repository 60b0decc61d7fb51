"""The port behind the Idempotency-Key: which requests were begun under a key, by whom, and what they were answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do a request's work, until its lease ends and somebody else takes it.

    key is the 32 bytes that stand for caller and Idempotency-Key; attempt is the UUID of this one try. seed is a random
    UUID that all attempts at one request have in common: what is made with ids from it is made once.
    """

    key: bytes
    attempt: str
    seed: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The work is done: this is its answer, as it was handed in, and how long it has been there."""

    answer: bytes
    age_seconds: float


@dataclass(frozen=True, slots=True)
class InFlight:
    """Somebody is doing the work."""


@dataclass(frozen=True, slots=True)
class OtherRequest:
    """The key was first seen with another request."""


class IdempotencyKeys(Protocol):
    """The idempotency_keys table.

    Each method is one statement that is committed by itself, outside of any unit of work: what is claimed must be
    seen by others before the work begins. Every method raises Unavailable (database_unavailable).
    """

    async def claim(
        self, key: bytes, request_digest: bytes, *, lease_seconds: float, keep_seconds: float
    ) -> Claim | Answered | InFlight | OtherRequest:
        """Begin a request's work, or learn why not.

        A claim without an answer whose lease is over goes to whoever asks for the same request. What was kept for
        keep_seconds since its claim is as if it had never been, whether it had an answer or not.
        """

    async def complete(self, claim: Claim, answer: bytes) -> bool:
        """Keep the answer; False, and nothing is kept, if the claim is somebody else's by now, or has an answer."""

    async def release(self, claim: Claim) -> None:
        """Forget a request that did nothing; of no effect if the claim is somebody else's, or has an answer."""

    async def renew(self, claims: Sequence[Claim], lease_seconds: float) -> None:
        """Have the leases end lease_seconds from now; of no effect on those that are somebody else's.

        With 0 the next attempt may begin at once.
        """

    async def purge(self, limit: int) -> int:
        """Forget at most so many of those that were kept for long enough; give their number."""
