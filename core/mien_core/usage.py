"""What tenants have called: the nouns and the port."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Protocol


class Calls(NamedTuple):
    """Whose calls are counted together: a tenant's, of one day (UTC), of one operation by its route's template."""

    tenant: str
    day: date
    route: str
    method: str


@dataclass(frozen=True, slots=True)
class UsageCount:
    """How many calls there were, how many were answered with 400 and above, and how many jobs they asked for."""

    of: Calls
    calls: int
    errors: int
    jobs: int = 0


class Usage(Protocol):
    """The usage table."""

    async def add(self, counts: Sequence[UsageCount], jobs: Sequence[tuple[str, Calls]]) -> None:
        """Add to what was counted so far.

        Args:
            counts: with the calls and their errors.
            jobs: the jobs' ids, and which calls asked for them. Each job counts once, however often it comes: where it
                came first.
        """

    async def of_tenant(self, tenant: str, first: date, last: date) -> list[UsageCount]:
        """Read a tenant's days from the first to the last, by day, route and method; days without calls lack."""

    async def forget_jobs(self, days: int) -> None:
        """Forget which jobs were counted longer ago than so many days; the numbers stay."""
