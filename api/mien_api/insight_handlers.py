"""What insights do: note what is asked for, have it done, read what was written. No HTTP in here."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from mien_api.cursors import Cursors, Page
from mien_api.handlers import Handlers
from mien_api.ids import new_id
from mien_api.waiting import wait_for_end
from mien_core.errors import Missing
from mien_core.events import insight_requested, to_record
from mien_core.intake import DEADLINE_SECONDS
from mien_core.model.insights import Insight, InsightPosition, NewInsight, position_of
from mien_core.model.platform import Caller, Job, JobKind, NewJob, require_user
from mien_core.rules.insights.spans import asked_span
from mien_core.telemetry import current_traceparent

_INSIGHTS: Final = Cursors("insights", InsightPosition)


@dataclass(frozen=True)
class InsightHandlers:
    """The endpoints' handlers; Missing (user_not_found) where the caller may not act for the user."""

    platform: Handlers

    async def ask(
        self, caller: Caller, user_id: str, *, first: date | None, last: date | None, wait_seconds: float
    ) -> tuple[Job, Insight | None]:
        """Have a user's diary of some days put into words, and wait for it; the last 30 days if none are named.

        Raises:
            Rejected: days_reversed or too_many_days.
        """
        require_user(caller, user_id)
        span = asked_span(first, last, datetime.now(UTC).date())
        asked = NewInsight(new_id(), caller.tenant, user_id, span)
        new_job = NewJob(
            id=asked.id,
            tenant=asked.tenant,
            user_id=user_id,
            kind=JobKind.WRITE_INSIGHT,
            upload_id=None,
            deadline_seconds=DEADLINE_SECONDS,
        )
        async with self.platform.database.transaction() as transaction:
            await transaction.insights.ask(asked)
            job, created = await transaction.jobs.create(new_job)
            if created:
                await transaction.outbox.add(to_record(insight_requested(job.id, current_traceparent())))
        return await wait_for_end(self.platform.database, job, wait_seconds, self._written)

    async def insights(self, caller: Caller, user_id: str, *, cursor: str | None, limit: int) -> Page[Insight]:
        """A page of a user's insights, newest first.

        Raises:
            Rejected: invalid_cursor.
        """
        binding = (caller.tenant, require_user(caller, user_id))
        after = _INSIGHTS.read(cursor, *binding)
        async with self.platform.database.reading() as reading:
            found = await reading.insights.of_user(*binding, after=after, limit=limit + 1)
        return _INSIGHTS.page(found, limit, position_of, *binding)

    async def _written(self, job: Job) -> Insight | None:
        async with self.platform.database.reading() as reading:
            return await reading.insights.get(job.id)


def require_insight(insight: Insight | None) -> Insight:
    """What a completed job has come to.

    Raises:
        Missing: insight_not_found, if it was erased meanwhile.
    """
    if insight is None:
        raise Missing("insight_not_found", "There is no such insight; perhaps it was erased. Ask for another one.")
    return insight
