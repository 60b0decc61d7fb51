"""From what was logged to when periods began."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

# FIGO's limit of what is usual: a bleeding lasts at most 8 days (Munro et al. 2018).
BLEEDING_DAYS: Final = 8
# Logs of one bleeding may leave out a day.
PAUSE_DAYS: Final = 2
# Six months without a period are an amenorrhoea even for irregular cycles (Munro et al. 2018): what lasts longer is a
# break, in bleeding or in logging, and no cycle. So it has no length to learn from and its days have no number.
LONGEST_CYCLE_DAYS: Final = 183
# Time zones are up to 14 hours ahead of UTC: there, tomorrow has begun.
AHEAD: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LoggedPeriod:
    """A day of bleeding that a user logged, perhaps with the length in days that they say their cycles have."""

    date: date
    cycle_length: int | None = None


def period_starts(days: Iterable[date]) -> tuple[date, ...]:
    """When periods began, in order, from days of bleeding in any order.

    Days belong to the same bleeding as the one before if at most one day lies between them, or if they lie within the
    first 8 days of the bleeding. So it doesn't matter whether a user logs each day of it, the first, or the first and
    the last.
    """
    starts: list[date] = []
    last: date | None = None
    for day in sorted(set(days)):
        if last is None or ((day - last).days > PAUSE_DAYS and (day - starts[-1]).days >= BLEEDING_DAYS):
            starts.append(day)
        last = day
    return tuple(starts)


@dataclass(frozen=True, slots=True)
class History:
    """What a log says of the time up to a day.

    today is that day, starts are the periods' first days up to it, lengths the days from one to the next, the oldest
    first and without breaks, stated_length the cycle length that the user gave last.
    """

    today: date
    starts: tuple[date, ...]
    lengths: tuple[int, ...]
    stated_length: int | None


def history(log: Iterable[LoggedPeriod], today: date) -> History:
    """What a log says of the time up to today.

    What lies in the future is a plan and not an observation, so it is left out; a log of tomorrow comes from where
    that day has begun, so it makes that day today. A stated length that no cycle has is left out, too.
    """
    known = sorted((one for one in log if one.date <= today + AHEAD), key=lambda one: one.date)
    starts = period_starts(one.date for one in known)
    lengths = ((after - before).days for before, after in pairwise(starts))
    stated = [one.cycle_length for one in known if one.cycle_length is not None]
    return History(
        today=max([today, *(one.date for one in known[-1:])]),
        starts=starts,
        lengths=tuple(length for length in lengths if length <= LONGEST_CYCLE_DAYS),
        stated_length=stated[-1] if stated and BLEEDING_DAYS <= stated[-1] <= LONGEST_CYCLE_DAYS else None,
    )
