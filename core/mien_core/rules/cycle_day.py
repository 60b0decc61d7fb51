"""Which day of the cycle a day is, told by the log of periods."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final

# Who logs bleeding after a week without any logs the next period: a period lasts up to 8 days and cycles at least 24
# (FIGO 2018), while days of the same period are at times left out.
_PAUSE: Final = timedelta(days=7)

# Cycles of adults are at most 38 days long (FIGO 2018), and from 90 days on a missing period is examined (ACOG
# Committee Opinion 651). What was logged before is more likely followed by a forgotten log than by one such cycle.
LONGEST_CYCLE_DAYS: Final = 90

# How long before a day its cycle may have begun, and the pause before that, which tells that it began there.
LOOK_BACK: Final = timedelta(days=LONGEST_CYCLE_DAYS) + _PAUSE


def cycle_starts(logged: Iterable[date]) -> list[date]:
    """The days on which a period began, oldest first, from the days of bleeding in any order."""
    starts: list[date] = []
    last: date | None = None
    for bleeding in sorted(logged):
        if last is None or bleeding - last > _PAUSE:
            starts.append(bleeding)
        last = bleeding
    return starts


def cycle_day(day: date, starts: Sequence[date]) -> int | None:
    """Tell which day of its cycle a day is, counted from 1, the first day of bleeding.

    Args:
        day: the day asked about.
        starts: as cycle_starts gives them; those from the LOOK_BACK before the day suffice, others change nothing.

    Returns:
        None where no period began before, or none within LONGEST_CYCLE_DAYS.
    """
    begun = bisect_right(starts, day)
    if not begun:
        return None
    number = (day - starts[begun - 1]).days + 1
    return number if number <= LONGEST_CYCLE_DAYS else None
