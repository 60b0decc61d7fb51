"""On InsightRequested: read the user's diary, have it put into words, and save them."""

from datetime import timedelta
from typing import Final

from mien_core.errors import Missing
from mien_core.events import InsightRequested
from mien_core.model.cycle import Days
from mien_core.model.insights import Diary, NewInsight, Words
from mien_core.ports.database import Database, Transaction
from mien_streams.insight_writer import InsightWriter
from mien_streams.job_agent import Assignment, JobAgent

# How long before its span a diary's log of periods is read: what the usual length of a cycle is learnt from.
LOOK_BACK: Final = timedelta(days=2 * 366)
# Of a diary that has more, the newest lines count.
MOST_LINES: Final = 2000


class WriteInsight(JobAgent[Words]):
    """One row in insights gets its words."""

    name = "write-insight"
    takes = InsightRequested
    hop = "writing"

    def __init__(self, database: Database, writer: InsightWriter) -> None:
        self._database = database
        self._writer = writer

    async def work(self, assignment: Assignment) -> Words:
        """See JobAgent."""
        async with self._database.reading() as reading:
            asked = await reading.insights.asked(assignment.job.id)
            if asked is None:
                raise Missing("insight_not_found", "What was asked for is gone, perhaps erased. Ask for it again.")
            diary = await _diary(reading, asked)
        return await self._writer.write(diary)

    async def save(self, transaction: Transaction, assignment: Assignment, result: Words) -> None:
        """See JobAgent."""
        await transaction.insights.write(assignment.job.id, result)


async def _diary(reading: Transaction, asked: NewInsight) -> Diary:
    owner, span = (asked.tenant, asked.user_id), asked.span
    days, and_before = Days(span.first, span.last), Days(span.first - LOOK_BACK, span.last)
    entries = await reading.journal.of_user(*owner, days=days, tag=None, after=None, limit=MOST_LINES)
    periods = await reading.periods.of_user(*owner, days=and_before, after=None, limit=MOST_LINES)
    scans = await reading.skin_scans.of_user(*owner, days=days, after=None, limit=MOST_LINES)
    # lists are newest first
    return Diary(span, [entry.content for entry in entries[::-1]], periods[::-1], scans[::-1])
