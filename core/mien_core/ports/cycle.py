"""What Glow Cycle's diaries need of the database; database.Transaction has all four.

Lists are newest first: by day, and within a day by when the thing was saved. A list that goes on after a position
neither repeats nor leaves out what was there all the while, whatever was added or deleted in between.
"""

from collections.abc import Collection
from datetime import date
from typing import Protocol

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
)
from mien_core.model.platform import Caller


class Journal(Protocol):
    """The journal_entries table.

    versions are those that may be written over, None for whichever is there; the comparison and the writing are one
    step, so of two that name the same version at once one fails.
    """

    async def add(self, entry: NewJournalEntry) -> JournalEntry:
        """Save an entry; its user appears on first sight. An id that was saved before is the entry that it is."""

    async def get(self, entry_id: str) -> JournalEntry | None:
        """Read one."""

    async def rewrite(
        self, caller: Caller, entry_id: str, content: JournalContent, versions: Collection[int] | None
    ) -> JournalEntry | None:
        """Write an entry anew; None, and nothing written, if the caller has none of these versions under the id."""

    async def remove(self, caller: Caller, entry_id: str, versions: Collection[int] | None) -> bool:
        """Delete an entry; False, and nothing deleted, if the caller has none of these versions under the id."""

    async def of_user(
        self, tenant: str, user_id: str, *, days: Days, tag: str | None, after: DiaryPosition | None, limit: int
    ) -> list[JournalEntry]:
        """A user's entries of these days, with this tag unless it is None, beginning after a position."""


class Periods(Protocol):
    """The periods table: a row for each day that a user logged."""

    async def log(self, period: NewPeriod) -> tuple[Period, bool]:
        """Save a day; its user appears on first sight. False if the day was logged before.

        What was logged before is replaced then, and keeps its id and created_at.
        """

    async def remove(self, caller: Caller, period_id: str) -> bool:
        """Delete a day; False if the caller has none under the id."""

    async def of_user(
        self, tenant: str, user_id: str, *, days: Days, after: DiaryPosition | None, limit: int
    ) -> list[Period]:
        """A user's log of these days, beginning after a position."""

    async def days(self, tenant: str, user_id: str, days: Days) -> list[date]:
        """Which of these days the user logged, oldest first."""


class SkinScans(Protocol):
    """The skin_scans table: the skin diary."""

    async def add(self, scan: NewSkinScan) -> SkinScan:
        """Save a line; its user appears on first sight. An id that was saved before is the line that it is."""

    async def get(self, scan_id: str) -> SkinScan | None:
        """Read one."""

    async def remove(self, caller: Caller, scan_id: str) -> bool:
        """Delete a line; False if the caller has none under the id."""

    async def of_user(
        self, tenant: str, user_id: str, *, days: Days, after: DiaryPosition | None, limit: int
    ) -> list[SkinScan]:
        """A user's lines of these days, beginning after a position."""


class PhotoDays(Protocol):
    """The photo_days table: which day of the skin diary a photo is taken in for. A day goes with its photo."""

    async def add(self, upload_id: str, day: date) -> None:
        """Save a photo's day; what was saved first counts."""

    async def of_upload(self, upload_id: str) -> date | None:
        """Read a photo's day."""
