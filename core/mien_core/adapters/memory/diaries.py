"""Glow Cycle's tables in memory."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from typing import TypeVar

from mien_core.adapters.memory.holds import keep_held
from mien_core.adapters.memory.state import State, note_user
from mien_core.model.cycle import (
    Days,
    DiaryPosition,
    JournalContent,
    JournalEntry,
    NewJournalEntry,
    NewPeriod,
    NewSkinScan,
    Period,
    SkinScan,
    may_write_over,
    position_of,
)
from mien_core.model.data_classes import DataClass
from mien_core.model.platform import Caller

AnyThing = TypeVar("AnyThing", JournalEntry, Period, SkinScan)


class MemoryJournal:
    """Meets ports.cycle.Journal."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._entries = state.journal_entries

    async def add(self, entry: NewJournalEntry) -> JournalEntry:
        """See ports.cycle.Journal."""
        note_user(self._state, entry.tenant, entry.user_id)
        now = _now()
        added = JournalEntry(
            id=entry.id,
            tenant=entry.tenant,
            user_id=entry.user_id,
            content=entry.content,
            version=1,
            created_at=now,
            updated_at=now,
        )
        return self._entries.setdefault(entry.id, added)

    async def get(self, entry_id: str) -> JournalEntry | None:
        """See ports.cycle.Journal."""
        return self._entries.get(entry_id)

    async def rewrite(
        self, caller: Caller, entry_id: str, content: JournalContent, versions: Collection[int] | None
    ) -> JournalEntry | None:
        """See ports.cycle.Journal."""
        entry = self._of_version(caller, entry_id, versions)
        if entry is None:
            return None
        keep_held(self._state, entry, DataClass.JOURNAL)
        rewritten = replace(entry, content=content, version=entry.version + 1, updated_at=_now())
        self._entries[entry_id] = rewritten
        return rewritten

    async def remove(self, caller: Caller, entry_id: str, versions: Collection[int] | None) -> bool:
        """See ports.cycle.Journal."""
        entry = self._of_version(caller, entry_id, versions)
        if entry is None:
            return False
        keep_held(self._state, entry, DataClass.JOURNAL)
        return self._entries.pop(entry.id, None) is not None

    async def of_user(
        self, tenant: str, user_id: str, *, days: Days, tag: str | None, after: DiaryPosition | None, limit: int
    ) -> list[JournalEntry]:
        """See ports.cycle.Journal."""
        tagged = (one for one in self._entries.values() if tag is None or tag in one.content.tags)
        return _page(tagged, (tenant, user_id), days, after, limit)

    def _of_version(self, caller: Caller, entry_id: str, versions: Collection[int] | None) -> JournalEntry | None:
        entry = self._entries.get(entry_id)
        known = entry is not None and caller.may_see(entry) and may_write_over(entry.version, versions)
        return entry if known else None


class MemoryPeriods:
    """Meets ports.cycle.Periods."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._periods = state.periods

    async def log(self, period: NewPeriod) -> tuple[Period, bool]:
        """See ports.cycle.Periods."""
        note_user(self._state, period.tenant, period.user_id)
        logged = Period(**asdict(period), created_at=_now())
        key = (period.tenant, period.user_id, period.date)
        before = next((one for one in self._periods.values() if (one.tenant, one.user_id, one.date) == key), None)
        if before is not None:
            logged = replace(logged, id=before.id, created_at=before.created_at)
            if logged != before:
                keep_held(self._state, before, DataClass.PERIODS)
        self._periods[logged.id] = logged
        return logged, before is None

    async def remove(self, caller: Caller, period_id: str) -> bool:
        """See ports.cycle.Periods."""
        return _remove(self._state, self._periods, caller, period_id, DataClass.PERIODS)

    async def of_user(
        self, tenant: str, user_id: str, *, days: Days, after: DiaryPosition | None, limit: int
    ) -> list[Period]:
        """See ports.cycle.Periods."""
        return _page(self._periods.values(), (tenant, user_id), days, after, limit)

    async def days(self, tenant: str, user_id: str, days: Days) -> list[date]:
        """See ports.cycle.Periods."""
        logged = await self.of_user(tenant, user_id, days=days, after=None, limit=len(self._periods))
        return sorted(one.date for one in logged)


class MemorySkinScans:
    """Meets ports.cycle.SkinScans."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._scans = state.skin_scans

    async def add(self, scan: NewSkinScan) -> SkinScan:
        """See ports.cycle.SkinScans."""
        note_user(self._state, scan.tenant, scan.user_id)
        fields = {**asdict(scan), "metrics": scan.metrics}
        added = SkinScan(**fields, created_at=_now())
        return self._scans.setdefault(scan.id, added)

    async def get(self, scan_id: str) -> SkinScan | None:
        """See ports.cycle.SkinScans."""
        return self._scans.get(scan_id)

    async def remove(self, caller: Caller, scan_id: str) -> bool:
        """See ports.cycle.SkinScans."""
        return _remove(self._state, self._scans, caller, scan_id, DataClass.SKIN_SCANS)

    async def of_user(
        self, tenant: str, user_id: str, *, days: Days, after: DiaryPosition | None, limit: int
    ) -> list[SkinScan]:
        """See ports.cycle.SkinScans."""
        return _page(self._scans.values(), (tenant, user_id), days, after, limit)


class MemoryPhotoDays:
    """Meets ports.cycle.PhotoDays."""

    def __init__(self, state: State) -> None:
        self._days = state.photo_days

    async def add(self, upload_id: str, day: date) -> None:
        """See ports.cycle.PhotoDays."""
        self._days.setdefault(upload_id, day)

    async def of_upload(self, upload_id: str) -> date | None:
        """See ports.cycle.PhotoDays."""
        return self._days.get(upload_id)


def _page(
    things: Iterable[AnyThing], owner: tuple[str, str], days: Days, after: DiaryPosition | None, limit: int
) -> list[AnyThing]:
    placed = [(position_of(one), one) for one in things if (one.tenant, one.user_id) == owner]
    wanted = [(at, one) for at, one in placed if at.date in days and (after is None or at < after)]
    return [one for _, one in sorted(wanted, key=lambda pair: pair[0], reverse=True)[:limit]]


def _remove(state: State, things: dict[str, AnyThing], caller: Caller, thing_id: str, data_class: DataClass) -> bool:
    thing = things.get(thing_id)
    if thing is None or not caller.may_see(thing):
        return False
    keep_held(state, thing, data_class)
    return things.pop(thing_id, None) is not None


def _now() -> datetime:
    return datetime.now(UTC)
