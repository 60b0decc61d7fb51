"""Which day of the cycle a date is."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date

from mien_core.rules.cycle.log import LONGEST_CYCLE_DAYS, period_starts


def cycle_day(days: Iterable[date], on: date) -> int | None:
    """The day of the cycle, 1 on the first day of a period; None where the log doesn't tell.

    That is before the first logged period, and from day 184 on: half a year without a period is no cycle, whatever the
    reason. A log that was skipped in between isn't guessed: the number counts from the last logged period.

    Args:
        days: days of bleeding as the user logged them, in any order; those after the date don't matter.
        on: the date.
    """
    starts = period_starts(days)
    before = bisect_right(starts, on)
    if not before:
        return None
    passed = (on - starts[before - 1]).days
    return passed + 1 if passed < LONGEST_CYCLE_DAYS else None
