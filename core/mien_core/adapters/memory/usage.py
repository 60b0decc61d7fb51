"""The usage table in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from mien_core.adapters.memory.state import State
from mien_core.usage import Calls, UsageCount


class MemoryUsage:
    """Meets mien_core.usage.Usage."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, counts: Sequence[UsageCount], jobs: Sequence[tuple[str, Calls]]) -> None:
        """See Usage."""
        for count in counts:
            self._add(count)
        for job_id, calls in jobs:
            if job_id not in self._state.usage_jobs:
                self._state.usage_jobs[job_id] = datetime.now(UTC)
                self._add(UsageCount(calls, calls=0, errors=0, jobs=1))

    async def of_tenant(self, tenant: str, first: date, last: date) -> list[UsageCount]:
        """See Usage."""
        counts = (count for of, count in self._state.usage.items() if of.tenant == tenant and first <= of.day <= last)
        return sorted(counts, key=lambda count: (count.of.day, count.of.route, count.of.method))

    async def forget_jobs(self, days: int) -> None:
        """See Usage."""
        oldest = datetime.now(UTC) - timedelta(days=days)
        self._state.usage_jobs = {job_id: at for job_id, at in self._state.usage_jobs.items() if at >= oldest}

    def _add(self, more: UsageCount) -> None:
        so_far = self._state.usage.get(more.of, UsageCount(more.of, calls=0, errors=0))
        self._state.usage[more.of] = replace(
            so_far,
            calls=so_far.calls + more.calls,
            errors=so_far.errors + more.errors,
            jobs=so_far.jobs + more.jobs,
        )
