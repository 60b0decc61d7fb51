"""Which day of the cycle a date is."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from mien_core.rules.cycle.log import PAUSE_DAYS

# Cycles of adults are at most 38 days long (FIGO 2018), and from 90 days on a missing period is examined (ACOG
# Committee Opinion 651). What was logged before is more likely followed by a forgotten log than by one such cycle.
LAST_CYCLE_DAY: Final = 90

# How long before a day its cycle may have begun, and the pause before that, which tells that it began there.
LOOK_BACK: Final = timedelta(days=LAST_CYCLE_DAY + PAUSE_DAYS)


def cycle_day(day: date, starts: Sequence[date]) -> int | None:
    """Tell which day of its cycle a day is, counted from 1, the first day of bleeding.

    A log that was skipped isn't guessed: the number counts from the last logged period.

    Args:
        day: the day asked about.
        starts: as period_starts gives them; those from the LOOK_BACK before the day suffice, others change nothing.

    Returns:
        None where no period began before, or none within LAST_CYCLE_DAY days.
    """
    begun = bisect_right(starts, day)
    if not begun:
        return None
    number = (day - starts[begun - 1]).days + 1
    return number if number <= LAST_CYCLE_DAY else None
