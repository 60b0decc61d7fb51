"""Days of bleeding that come along with a line of a diary.

Whoever shows a line whose day of the cycle nobody said asks for the days before it next: a round trip, which costs a
short request as much as the rest of its work in the database.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from mien_core.model.cycle import Days, JournalEntry, SkinScan
from mien_core.rules.cycle.days import LOOK_BACK


def logged_days_of(table: str) -> str:
    """A column `logged` for a statement that gives rows of a diary's table; null where the user said the day."""
    return f"""
        CASE WHEN {table}.cycle_day IS NULL THEN ARRAY(
            SELECT periods.date FROM periods
            WHERE periods.tenant = {table}.tenant AND periods.user_id = {table}.user_id
            AND periods.date BETWEEN {table}.date - {LOOK_BACK.days} AND {table}.date
        ) END AS logged
    """  # noqa: S608 - names of tables, and a number


def listed_with_logged_days(listing: str) -> str:
    """A statement that gives a user's rows, and in one of them the column `logged` for all; null in the others.

    Args:
        listing: the statement for the rows, newest first. Its parameters tenant and user_id say whose they are.
    """
    return f"""
        WITH listed AS ({listing}), asked AS (SELECT date FROM listed WHERE cycle_day IS NULL)
        SELECT listed.*, CASE WHEN row_number() OVER () = 1 THEN ARRAY(
            SELECT periods.date FROM periods
            WHERE periods.tenant = %(tenant)s AND periods.user_id = %(user_id)s
            AND periods.date BETWEEN (SELECT min(date) FROM asked) - {LOOK_BACK.days} AND (SELECT max(date) FROM asked)
        ) END AS logged
        FROM listed ORDER BY date DESC, created_at DESC, id DESC
    """  # noqa: S608 - a statement of this package, and a number


class LoggedDays:
    """What came along in a unit of work, for periods.days."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[tuple[Days, list[date]]]] = {}

    def note(self, thing: JournalEntry | SkinScan, logged: list[date] | None) -> None:
        """Keep what came along with this."""
        if logged is not None:
            self._keep(thing, Days(thing.date - LOOK_BACK, thing.date), logged)

    def note_all(self, things: Sequence[JournalEntry | SkinScan], rows: Sequence[dict[str, Any]]) -> None:
        """Keep what came along with things of a list, and their rows."""
        asked = [thing.date for thing in things if thing.cycle_day is None]
        if asked:
            logged = next(row["logged"] for row in rows if row["logged"] is not None)
            self._keep(things[0], Days(min(asked) - LOOK_BACK, max(asked)), logged)

    def find(self, tenant: str, user_id: str, days: Days) -> list[date] | None:
        """Which of these days the user logged, oldest first; None if not all of them came along."""
        for known, logged in self._found.get((tenant, user_id), ()):
            if days == known:
                return logged
            if days.first is not None and days.last is not None and days.first in known and days.last in known:
                return [day for day in logged if days.first <= day <= days.last]
        return None

    def forget(self) -> None:
        """Have them read anew, since the log is written."""
        self._found.clear()

    def _keep(self, thing: JournalEntry | SkinScan, days: Days, logged: list[date]) -> None:
        self._found.setdefault((thing.tenant, thing.user_id), []).append((days, sorted(logged)))
