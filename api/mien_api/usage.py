"""What tenants call, counted in memory and written in batches, so that no request costs a statement.

What is counted reaches the table after a few seconds, and when the process stops. A process that is killed loses what
it counted since it last wrote: at most FLUSH_SECONDS' worth of calls and jobs. Where the database breaks off in the
very moment of its commit, that batch may count twice.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Final

from fastapi import Request
from prometheus_client import Counter
from starlette.types import Scope

from mien_core.errors import Rejected, Unavailable
from mien_core.model.platform import Caller
from mien_core.ports.database import Database
from mien_core.usage import Calls, UsageCount

logger = logging.getLogger(__name__)

BATCHES = Counter("mien_usage_batches_total", "Batches of counted calls.", ["outcome"])

FLUSH_SECONDS = 5.0
# Work on a photo ends within days. Who asks for a job after this counts it once more.
JOB_DAYS: Final = 30
# hours, but who knows how many processes there are
BATCHES_BETWEEN_FORGETTING: Final = 1000

USUAL_DAYS: Final = 30
MOST_DAYS: Final = 366


def note_job(request: Request, job_id: str) -> None:
    """Note that a call asked for this job; it counts once, however many calls ask for it."""
    request.state.job_ids = [*getattr(request.state, "job_ids", ()), job_id]


class UsageMeter:
    """Counts what callers' requests come to. One a process; all of it belongs to one event loop."""

    def __init__(self) -> None:
        self._calls: dict[Calls, list[int]] = {}
        self._jobs: dict[str, Calls] = {}

    def count(self, scope: Scope, status: int) -> None:
        """Count an answer, if it was its caller's: whoever has no valid credential is nobody's usage."""
        caller: Caller | None = scope["state"].get("caller")
        route = getattr(scope.get("route"), "path", None)
        if caller is None or route is None:
            return
        of = Calls(caller.tenant, datetime.now(UTC).date(), route, scope["method"])
        counts = self._calls.setdefault(of, [0, 0])
        counts[0] += 1
        counts[1] += status >= HTTPStatus.BAD_REQUEST
        for job_id in scope["state"].get("job_ids", ()):
            self._jobs.setdefault(job_id, of)

    @contextlib.asynccontextmanager
    async def writing(self, database: Database) -> AsyncIterator[None]:
        """Write what is counted as long as the block lasts, and the rest at its end."""
        stopping = asyncio.Event()
        writing = asyncio.create_task(self._write(database, stopping), name="usage")
        try:
            yield
        finally:
            # told, not cancelled: cut off in the middle of a commit, a batch would be written again
            stopping.set()
            await asyncio.wait({writing})

    async def flush(self, database: Database) -> None:
        """Write what was counted since the last time; if that fails, it is kept for the next time.

        Raises:
            Unavailable: database_unavailable.
        """
        calls, self._calls = self._calls, {}
        jobs, self._jobs = self._jobs, {}
        if not calls:
            return
        counts = [UsageCount(of, calls=number, errors=errors) for of, (number, errors) in calls.items()]
        try:
            async with database.transaction() as transaction:
                await transaction.usage.add(counts, list(jobs.items()))
        except BaseException:
            for of, numbers in calls.items():
                so_far = self._calls.setdefault(of, [0, 0])
                so_far[0] += numbers[0]
                so_far[1] += numbers[1]
            self._jobs = jobs | self._jobs
            raise

    async def _write(self, database: Database, stopping: asyncio.Event) -> None:
        batches = 0
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await stopping.wait()
            await self._try_to_flush(database)
            batches += 1
            if batches % BATCHES_BETWEEN_FORGETTING == 0:
                await self._forget_jobs(database)

    async def _try_to_flush(self, database: Database) -> None:
        try:
            await self.flush(database)
        except Unavailable as error:
            BATCHES.labels("kept").inc()
            logger.warning("Usage can't be written and is kept: %s", error)
        except Exception:
            # without this task nothing would be written any more
            BATCHES.labels("kept").inc()
            logger.exception("A bug in writing usage: it is kept")
        else:
            BATCHES.labels("written").inc()

    async def _forget_jobs(self, database: Database) -> None:
        # nothing depends on it: the next time it is as many more
        with contextlib.suppress(Unavailable):
            async with database.transaction() as transaction:
                await transaction.usage.forget_jobs(JOB_DAYS)


async def usage_of(
    database: Database, caller: Caller, first: date | None, last: date | None
) -> tuple[date, date, list[UsageCount]]:
    """Read what the caller's tenant called; gives the days that were meant, and what there is of them.

    Args:
        database: where it was written.
        caller: one that speaks for the tenant.
        first: the first day; None means USUAL_DAYS up to the last one.
        last: the last day, itself included; None means today (UTC).

    Raises:
        Rejected: tenant_credential_required, days_reversed, too_many_days.
    """
    if caller.user_id is not None:
        raise Rejected("tenant_credential_required", "Usage is the tenant's. Ask with one of its API keys.")
    last = last or datetime.now(UTC).date()
    if first is None:
        # the calendar begins with its first day
        first = last - min(timedelta(days=USUAL_DAYS - 1), last - date.min)
    if first > last:
        raise Rejected("days_reversed", f"The first day, {first}, is after the last one, {last}. Exchange them.")
    if (last - first).days >= MOST_DAYS:
        raise Rejected("too_many_days", f"At most {MOST_DAYS} days can be asked for at once. Ask for fewer.")
    async with database.reading() as reading:
        return first, last, await reading.usage.of_tenant(caller.tenant, first, last)
