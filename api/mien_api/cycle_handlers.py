"""What Glow Cycle's diaries do: load, decide, save. No HTTP in here."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Generic, TypeVar

from mien_api.cursors import Cursors, Page
from mien_api.ids import new_id
from mien_core.errors import Conflict, Missing
from mien_core.model.cycle import (
    Days,
    DiaryMetrics,
    DiaryPosition,
    Flow,
    JournalContent,
    JournalEntry,
    NewJournalEntry,
    NewPeriod,
    NewSkinScan,
    Period,
    SkinScan,
    position_of,
)
from mien_core.model.platform import Caller, require_owned, require_user
from mien_core.ports.database import Database, Transaction
from mien_core.rules.cycle.days import LOOK_BACK, cycle_day
from mien_core.rules.cycle.log import period_starts

Diarised = TypeVar("Diarised", JournalEntry, SkinScan)

_JOURNAL: Final = Cursors("journal", DiaryPosition)
_PERIODS: Final = Cursors("periods", DiaryPosition)
_SCANS: Final = Cursors("skin", DiaryPosition)


@dataclass(frozen=True, slots=True)
class Shown(Generic[Diarised]):
    """Something of a diary, and the day of the cycle as it is shown: what the user said, else what the log tells."""

    thing: Diarised
    cycle_day: int | None


@dataclass(frozen=True)
class CycleHandlers:
    """The endpoints' handlers.

    Whatever names a user raises Missing (user_not_found) where the caller may not act for that user, and whatever
    names a thing Missing (entry_not_found, period_not_found, scan_not_found) where the caller has none such.
    """

    database: Database

    async def write_entry(self, caller: Caller, user_id: str, content: JournalContent) -> Shown[JournalEntry]:
        """Write a journal entry."""
        new = NewJournalEntry(new_id(), caller.tenant, require_user(caller, user_id), content)
        async with self.database.writing() as transaction:
            entry = await transaction.journal.add(new)
            return (await show(transaction, [entry]))[0]

    async def entry(self, caller: Caller, entry_id: str) -> Shown[JournalEntry]:
        """Find an entry."""
        async with self.database.reading() as reading:
            entry = require_owned(await reading.journal.get(entry_id), caller, "entry")
            return (await show(reading, [entry]))[0]

    async def rewrite_entry(
        self, caller: Caller, entry_id: str, content: JournalContent, versions: Collection[int] | None
    ) -> Shown[JournalEntry]:
        """Write an entry anew, if it is one of these versions; None is whichever there is.

        Raises:
            Conflict: etag_mismatch.
        """
        async with self.database.transaction() as transaction:
            entry = await transaction.journal.rewrite(caller, entry_id, content, versions)
            if entry is None:
                raise _changed(await transaction.journal.get(entry_id), caller)
            return (await show(transaction, [entry]))[0]

    async def remove_entry(self, caller: Caller, entry_id: str, versions: Collection[int] | None) -> None:
        """Delete an entry, if it is one of these versions; None is whichever there is.

        Raises:
            Conflict: etag_mismatch.
        """
        async with self.database.transaction() as transaction:
            if not await transaction.journal.remove(caller, entry_id, versions):
                raise _changed(await transaction.journal.get(entry_id), caller)

    async def journal(
        self, caller: Caller, user_id: str, *, days: Days, tag: str | None, cursor: str | None, limit: int
    ) -> Page[Shown[JournalEntry]]:
        """A page of a user's journal, newest first.

        Raises:
            Rejected: invalid_cursor.
        """
        binding = (*_binding(caller, user_id, days), tag)
        after = _JOURNAL.read(cursor, *binding)
        async with self.database.reading() as reading:
            found = await reading.journal.of_user(
                caller.tenant, user_id, days=days, tag=tag, after=after, limit=limit + 1
            )
            page = _JOURNAL.page(found, limit, position_of, *binding)
            return Page(await show(reading, page.things), page.next_cursor)

    async def log_period(
        self,
        caller: Caller,
        user_id: str,
        *,
        day: date,
        cycle_length: int | None,
        flow: Flow | None,
        symptoms: Sequence[str],
    ) -> tuple[Period, bool]:
        """Log a day of bleeding; False says that the day was logged before, and is replaced now."""
        new = NewPeriod(
            id=new_id(),
            tenant=caller.tenant,
            user_id=require_user(caller, user_id),
            date=day,
            cycle_length=cycle_length,
            flow=flow,
            symptoms=tuple(symptoms),
        )
        async with self.database.writing() as transaction:
            return await transaction.periods.log(new)

    async def remove_period(self, caller: Caller, period_id: str) -> None:
        """Take a day out of the log."""
        async with self.database.writing() as transaction:
            if not await transaction.periods.remove(caller, period_id):
                raise Missing("period_not_found", "There is no such period. Check the id and the credential.")

    async def periods(
        self, caller: Caller, user_id: str, *, days: Days, cursor: str | None, limit: int
    ) -> Page[Period]:
        """A page of a user's log of periods, newest first.

        Raises:
            Rejected: invalid_cursor.
        """
        binding = _binding(caller, user_id, days)
        after = _PERIODS.read(cursor, *binding)
        async with self.database.reading() as reading:
            found = await reading.periods.of_user(caller.tenant, user_id, days=days, after=after, limit=limit + 1)
        return _PERIODS.page(found, limit, position_of, *binding)

    async def add_scan(
        self, caller: Caller, user_id: str, *, day: date, metrics: DiaryMetrics, cycle_day: int | None
    ) -> Shown[SkinScan]:
        """Write a line into the skin diary."""
        new = NewSkinScan(
            id=new_id(),
            tenant=caller.tenant,
            user_id=require_user(caller, user_id),
            date=day,
            metrics=metrics,
            cycle_day=cycle_day,
        )
        async with self.database.writing() as transaction:
            scan = await transaction.skin_scans.add(new)
            return (await show(transaction, [scan]))[0]

    async def remove_scan(self, caller: Caller, scan_id: str) -> None:
        """Take a line out of the skin diary."""
        async with self.database.writing() as transaction:
            if not await transaction.skin_scans.remove(caller, scan_id):
                raise Missing("scan_not_found", "There is no such scan. Check the id and the credential.")

    async def scans(
        self, caller: Caller, user_id: str, *, days: Days, cursor: str | None, limit: int
    ) -> Page[Shown[SkinScan]]:
        """A page of a user's skin diary, newest first.

        Raises:
            Rejected: invalid_cursor.
        """
        binding = _binding(caller, user_id, days)
        after = _SCANS.read(cursor, *binding)
        async with self.database.reading() as reading:
            found = await reading.skin_scans.of_user(caller.tenant, user_id, days=days, after=after, limit=limit + 1)
            page = _SCANS.page(found, limit, position_of, *binding)
            return Page(await show(reading, page.things), page.next_cursor)


def _binding(caller: Caller, user_id: str, days: Days) -> tuple[str, str, str, str]:
    return (caller.tenant, require_user(caller, user_id), str(days.first), str(days.last))


def _changed(entry: JournalEntry | None, caller: Caller) -> Conflict:
    require_owned(entry, caller, "entry")
    return Conflict("etag_mismatch", "The entry was written since you read it. Read it again and repeat your change.")


async def show(reading: Transaction, things: Sequence[Diarised]) -> list[Shown[Diarised]]:
    """Show things of one user; the log is asked only where a day of the cycle is left to it."""
    asked = [one.date for one in things if one.cycle_day is None]
    if not asked:
        return [Shown(one, one.cycle_day) for one in things]
    days = Days(min(asked) - LOOK_BACK, max(asked))
    starts = period_starts(await reading.periods.days(things[0].tenant, things[0].user_id, days))
    return [Shown(one, one.cycle_day or cycle_day(one.date, starts)) for one in things]
