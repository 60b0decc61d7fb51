"""The idempotency_keys table of the in-memory database."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from mien_core.idempotency import Answered, Claim, InFlight, OtherRequest


@dataclass(frozen=True)
class _Row:
    request_digest: bytes
    attempt: str
    seed: str
    leased_until: float
    expires_at: float
    answer: bytes | None = None
    answered_at: float = 0.0


class MemoryIdempotencyKeys:
    """Meets idempotency.IdempotencyKeys."""

    def __init__(self) -> None:
        self._rows: dict[bytes, _Row] = {}

    async def claim(
        self, key: bytes, request_digest: bytes, *, lease_seconds: float, keep_seconds: float
    ) -> Claim | Answered | InFlight | OtherRequest:
        """See idempotency.IdempotencyKeys."""
        now = time.monotonic()
        row = self._rows.get(key)
        if row is not None and row.expires_at > now:
            if row.request_digest != request_digest:
                return OtherRequest()
            if row.answer is not None:
                return Answered(row.answer, now - row.answered_at)
            if row.leased_until > now:
                return InFlight()
        seed = row.seed if row is not None and row.expires_at > now else str(uuid4())
        claim = Claim(key, str(uuid4()), seed)
        self._rows[key] = _Row(request_digest, claim.attempt, seed, now + lease_seconds, now + keep_seconds)
        return claim

    async def complete(self, claim: Claim, answer: bytes) -> bool:
        """See idempotency.IdempotencyKeys."""
        row = self._held(claim)
        if row is None:
            return False
        self._rows[claim.key] = replace(row, answer=answer, answered_at=time.monotonic())
        return True

    async def release(self, claim: Claim) -> None:
        """See idempotency.IdempotencyKeys."""
        if self._held(claim) is not None:
            del self._rows[claim.key]

    async def renew(self, claims: Sequence[Claim], lease_seconds: float) -> None:
        """See idempotency.IdempotencyKeys."""
        leased_until = time.monotonic() + lease_seconds
        for claim in claims:
            row = self._held(claim)
            if row is not None:
                self._rows[claim.key] = replace(row, leased_until=leased_until)

    async def purge(self, limit: int) -> int:
        """See idempotency.IdempotencyKeys."""
        now = time.monotonic()
        old = [key for key, row in self._rows.items() if row.expires_at <= now][:limit]
        for key in old:
            del self._rows[key]
        return len(old)

    def _held(self, claim: Claim) -> _Row | None:
        row = self._rows.get(claim.key)
        return row if row is not None and row.attempt == claim.attempt and row.answer is None else None
