"""Which phase of its cycle a day lies in, as well as a log of periods can tell."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Final, Literal

from mien_core.rules.cycle import priors
from mien_core.rules.cycle.days import cycle_day
from mien_core.rules.cycle.log import LoggedPeriod, history

Phase = Literal["menstrual", "follicular", "ovulatory", "luteal"]

# Many log only the first day of a bleeding, so its length is a convention: the days before any ovulation, as predicted.
BLEEDING_DAYS: Final = priors.DAYS_BEFORE_OVULATION
# The luteal phase, from which ovulation is counted back, has a standard deviation of 2.4 days (priors).
OVULATORY_REACH: Final = 2
# The longest cycles that are usual at any age, the first years' (ACOG Committee Opinion 651): between two periods that
# are farther apart a log is more likely missing.
LONGEST_CYCLE: Final = 45
# Cycles change over the years: as many as of one year count.
_CYCLES_COUNTED: Final = 12


@dataclass(frozen=True, slots=True)
class CycleLog:
    """When a user's periods began, in order, and how many days their cycles usually have."""

    starts: tuple[date, ...]
    usual_length: float

    def phase_of(self, day: date, said: int | None = None) -> Phase | None:
        """Tell a day's phase.

        Args:
            day: the day asked about.
            said: which day of the cycle it is, where the user said so; else the log tells.

        Returns:
            None where the day of the cycle isn't known, or so high that a log is probably missing.
        """
        logged = cycle_day(day, self.starts)
        number = said or logged
        if number is None or number > LONGEST_CYCLE:
            return None
        return phase_of_day(number, self._length_at(day) if number == logged else self.usual_length)

    def _length_at(self, day: date) -> float:
        """The length of the day's own cycle, if it is over, else the usual one."""
        following = bisect_right(self.starts, day)
        if following == len(self.starts):
            return self.usual_length
        length = (self.starts[following] - self.starts[following - 1]).days
        return length if length <= LONGEST_CYCLE else self.usual_length


def cycle_log(log: Iterable[LoggedPeriod], today: date) -> CycleLog:
    """What a log says of phases.

    The usual length is the median of the last twelve cycles, else what the user says, else what is usual among all.
    """
    known = history(log, today)
    lengths = [length for length in known.lengths if length <= LONGEST_CYCLE][-_CYCLES_COUNTED:]
    _, usual_of_all, _ = priors.MEANS[0]
    return CycleLog(known.starts, median(lengths) if lengths else known.stated_length or usual_of_all)


def phase_of_day(number: int, length: float) -> Phase:
    """Tell the phase of a numbered day in a cycle of this many days.

    Ovulation lies as many days before the next period as the luteal phase has on average (Bull et al. 2019), and never
    in the bleeding. The bounds are a convention: no log shows when a user really ovulated.
    """
    ovulation = max(round(length - priors.LUTEAL_MEAN), BLEEDING_DAYS + 1)
    bounds: Sequence[tuple[int, Phase]] = (
        (BLEEDING_DAYS, "menstrual"),
        (ovulation - OVULATORY_REACH - 1, "follicular"),
        (ovulation + OVULATORY_REACH, "ovulatory"),
    )
    return next((phase for last, phase in bounds if number <= last), "luteal")
