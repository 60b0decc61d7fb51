"""From what was logged to when periods began."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

# Who logs bleeding after a week without any logs the next period: a period lasts up to 8 days and cycles at least 24
# (FIGO 2018), while days of the same period are at times left out.
PAUSE_DAYS: Final = 7
SHORTEST_INTERVAL_DAYS: Final = PAUSE_DAYS + 1
# Half a year without a period is a secondary amenorrhoea, as usually defined, even where cycles were irregular: what
# lasts longer is a break, in bleeding or in logging, that has no length to learn from.
LONGEST_INTERVAL_DAYS: Final = 183
# Time zones are up to 14 hours ahead of UTC: there, tomorrow has begun.
AHEAD: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LoggedPeriod:
    """A day of bleeding that a user logged, perhaps with the length in days that they say their cycles have."""

    date: date
    cycle_length: int | None = None


def period_starts(days: Iterable[date]) -> tuple[date, ...]:
    """When periods began, in order, from days of bleeding in any order.

    A day begins a period if none was logged in the week before. So it doesn't matter whether a user logs each day of a
    bleeding, the first, or the first and the last; and what was logged longer ago changes nothing.
    """
    starts: list[date] = []
    last: date | None = None
    for day in sorted(set(days)):
        if last is None or (day - last).days > PAUSE_DAYS:
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
        lengths=tuple(length for length in lengths if length <= LONGEST_INTERVAL_DAYS),
        stated_length=stated[-1] if stated and SHORTEST_INTERVAL_DAYS <= stated[-1] <= LONGEST_INTERVAL_DAYS else None,
    )
