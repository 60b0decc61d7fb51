"""The prediction of periods and ovulation from a log: docs/cycle.md."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from mien_core.errors import Rejected
from mien_core.rules.cycle import priors
from mien_core.rules.cycle.days import cycle_day
from mien_core.rules.cycle.forecast import next_period
from mien_core.rules.cycle.log import LONGEST_INTERVAL_DAYS, LoggedPeriod, history
from mien_core.rules.cycle.posterior import Floats, Posterior, posterior

LEVEL: Final = 0.8
METHOD: Final = "skip-aware-gamma-renewal-1"
NOTICE: Final = "An estimate from the logged periods; not a diagnosis, and not for contraception."
# Dates of ovulation that are less probable aren't listed.
_UNLISTED: Final = 0.001


@dataclass(frozen=True, slots=True)
class Interval:
    """The days from `start` to `end`, both included, in which something falls with probability `level`, nearly.

    Whole days have no run of exactly that probability; this is the nearest.
    """

    level: float
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class NextPeriod:
    """The first day of the next period: the median of its distribution, and an interval."""

    date: date
    interval: Interval


@dataclass(frozen=True, slots=True)
class Chance:
    """The probability that something falls on a date."""

    date: date
    p: float


@dataclass(frozen=True, slots=True)
class Ovulation:
    """The ovulation before the next period, which may have passed: the median, and each date that isn't improbable.

    The listed probabilities sum to 1.
    """

    date: date
    distribution: tuple[Chance, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """The days from `start` to `end`, both included."""

    start: date
    end: date


@dataclass(frozen=True, slots=True)
class CycleLength:
    """What the next cycle lasts, in days: its mean and standard deviation, what isn't known of the user included."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class Basis:
    """What a prediction rests on: how many intervals between logged periods, and how many logs they probably lack."""

    cycles: int
    skips_likely: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a log says of the cycles; what it can't say is None.

    cycle_day is as in the diaries. The dates are None without a period in the last half year.
    """

    cycle_day: int | None
    next_period: NextPeriod | None
    ovulation: Ovulation | None
    fertile_window: Window | None
    cycle_length: CycleLength
    based_on: Basis
    method: str = METHOD
    notice: str = NOTICE


def predict(log: Iterable[LoggedPeriod], today: date, level: float = LEVEL) -> Prediction:
    """Predict from a log, in any order and with whatever is in it; the same log gives the same prediction.

    Args:
        log: days of bleeding.
        today: the user's day. No period began since the last logged one, or its log was skipped.
        level: the probability that intervals shall have.

    Raises:
        Rejected: level_out_of_range, if the level isn't between 0.5 and 0.99.
    """
    if not 0.5 <= level <= 0.99:  # noqa: PLR2004  # the range stands in the message, too
        raise Rejected("level_out_of_range", "Ask for a level between 0.5 and 0.99.")
    past = history(log, today)
    believed = posterior(past.lengths, past.stated_length)
    length = _cycle_length(believed)
    basis = Basis(cycles=min(len(past.lengths), priors.CYCLES_USED), skips_likely=believed.skipped)
    elapsed = (past.today - past.starts[-1]).days if past.starts else LONGEST_INTERVAL_DAYS
    if elapsed >= LONGEST_INTERVAL_DAYS:
        return Prediction(None, None, None, None, length, basis)
    ahead = next_period(believed, elapsed)
    first = past.today + timedelta(days=1)
    ovulations = _ovulations(ahead, elapsed)
    return Prediction(
        cycle_day=cycle_day(past.today, past.starts),
        next_period=NextPeriod(date=first + timedelta(days=_median(ahead)), interval=_interval(ahead, first, level)),
        ovulation=_ovulation(ovulations, past.starts[-1]),
        fertile_window=_fertile(_interval(ovulations, past.starts[-1], level), past.starts[-1]),
        cycle_length=length,
        based_on=basis,
    )


def _cycle_length(believed: Posterior) -> CycleLength:
    weight = believed.weight.sum(axis=0)
    mean = weight @ believed.mean
    variance = weight @ ((believed.mean - mean) ** 2 + believed.mean * believed.dispersion)
    return CycleLength(mean=float(mean), sd=float(variance**0.5))


def _median(probability: Floats) -> int:
    """The first index up to which half of the probability lies."""
    return int(np.searchsorted(np.cumsum(probability), 0.5))


def _interval(probability: Floats, first: date, level: float) -> Interval:
    """The run of whole days whose probability is nearest to the level: of each number of days, the likeliest run.

    With at least the level's probability instead, runs would be too wide: the last day brings more than is missing.

    Args:
        probability: of each day.
        first: the date of the first one.
        level: how probable.
    """
    total = np.concatenate(([0.0], np.cumsum(probability)))
    widths = range(1, len(total))
    starts = [int(np.argmax(total[width:] - total[:-width])) for width in widths]
    masses = np.array([total[start + width] - total[start] for start, width in zip(starts, widths, strict=True)])
    best = int(np.argmin(np.abs(masses - level)))
    start = first + timedelta(days=starts[best])
    return Interval(level, start, start + timedelta(days=best))


def _ovulations(ahead: Floats, elapsed: int) -> Floats:
    """The distribution of the ovulation before the next period; index 0 is the first day of the last logged period.

    Args:
        ahead: the distribution of the next period, from tomorrow on.
        elapsed: days since the first day of that one.
    """
    luteal = np.arange(priors.LUTEAL_SHORTEST, priors.LUTEAL_LONGEST + 1)
    usual = np.exp(-0.5 * ((luteal - priors.LUTEAL_MEAN) / priors.LUTEAL_SD) ** 2)
    period = elapsed + 1 + np.arange(len(ahead))[:, None]
    on = period - 1 - luteal
    weight = np.where(on >= priors.DAYS_BEFORE_OVULATION, usual, 0.0)
    # too short for a cycle with an ovulation after the bleeding: for want of better, the middle
    short = weight.sum(axis=1) == 0
    on = np.where(short[:, None], period // 2, on)
    weight[short] = 1.0
    weight *= (ahead / weight.sum(axis=1))[:, None]
    # what is before the first day has no weight
    offsets = np.maximum(on, 0).ravel()
    return np.bincount(offsets, weight.ravel()).astype(np.float64)


def _ovulation(probability: Floats, first: date) -> Ovulation:
    listed = np.flatnonzero(probability >= _UNLISTED)
    shares = probability[listed] / probability[listed].sum()
    return Ovulation(
        date=first + timedelta(days=_median(probability)),
        distribution=tuple(
            Chance(first + timedelta(days=offset), p)
            for offset, p in zip(listed.tolist(), shares.tolist(), strict=True)
        ),
    )


def _fertile(ovulation: Interval, period: date) -> Window:
    """The days on which a conception is possible if the ovulation falls into its interval; none before the period."""
    return Window(max(ovulation.start - timedelta(days=priors.FERTILE_DAYS_BEFORE), period), ovulation.end)
