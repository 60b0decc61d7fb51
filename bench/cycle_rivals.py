"""Other ways to say how long the next cycle lasts, from the intervals between logs, the oldest first."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from scipy.special import gammaln

# Prior of the Poisson models' mean: a gamma distribution with mean 29.3 and standard deviation 3 days.
_SHAPE: Final = 29.3**2 / 9
_RATE: Final = 29.3 / 9
# Prior of the skips: Beta(1, 6).
_SKIP_BETA: Final = 6.0
_MOST_SKIPS: Final = 6


def mean_of_cycles(intervals: Sequence[int]) -> float:
    """What period trackers commonly show."""
    return statistics.fmean(intervals)


def median_of_cycles(intervals: Sequence[int]) -> float:
    """The same, less moved by single skips."""
    return statistics.median(intervals)


def poisson(intervals: Sequence[int]) -> float:
    """Poisson lengths with a gamma prior, without skips."""
    return (_SHAPE + sum(intervals)) / (_RATE + len(intervals))


def skip_aware_poisson(intervals: Sequence[int]) -> float:
    """Li et al. 2022: an interval with s skips is Poisson with (s + 1) times the mean, s truncated geometric."""
    mean = np.linspace(8.0, 120.0, 800)
    skip = (np.arange(12) + 0.5) / 12
    cycles = np.arange(1, _MOST_SKIPS + 2)
    days = np.array(intervals, dtype=float)
    rate = (cycles[:, None] * mean)[..., None]
    density = np.exp(days * np.log(rate) - rate - gammaln(days + 1))
    chance = skip[:, None] ** (cycles - 1)
    chance /= chance.sum(axis=1, keepdims=True)
    # intervals far from any multiple of a mean have a likelihood of 0 there, and that is right
    with np.errstate(divide="ignore"):
        logs = np.log(np.tensordot(chance, density, axes=1)).sum(axis=-1)
    logs += (_SHAPE - 1) * np.log(mean) - _RATE * mean + ((_SKIP_BETA - 1) * np.log(1 - skip))[:, None]
    weight = np.exp(logs - logs.max()).sum(axis=0)
    return float(weight @ mean / weight.sum())


RIVALS: Final[Mapping[str, Callable[[Sequence[int]], float]]] = {
    "mean": mean_of_cycles,
    "median": median_of_cycles,
    "poisson": poisson,
    "skip_aware_poisson": skip_aware_poisson,
}
