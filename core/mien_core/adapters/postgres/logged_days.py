"""Days of bleeding that come along with a line of a diary.

Whoever shows a line whose day of the cycle nobody said asks for the days before it next: a round trip, which costs a
short request as much as the rest of its work in the database.
"""

from datetime import date

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


class LoggedDays:
    """What came along in a unit of work, for periods.days."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, Days], list[date]] = {}

    def note(self, thing: JournalEntry | SkinScan, logged: list[date] | None) -> None:
        """Keep what came along with this."""
        if logged is not None:
            days = Days(thing.date - LOOK_BACK, thing.date)
            self._found[thing.tenant, thing.user_id, days] = sorted(logged)

    def find(self, tenant: str, user_id: str, days: Days) -> list[date] | None:
        """Which of exactly these days the user logged, oldest first; None if they didn't come along."""
        return self._found.get((tenant, user_id, days))

    def forget(self) -> None:
        """Have them read anew, since the log is written."""
        self._found.clear()
