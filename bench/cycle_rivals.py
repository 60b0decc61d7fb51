"""Other ways to say how long the next cycle lasts, from the intervals between logs, the oldest first."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from mien_core.rules.cycle import priors
from mien_core.rules.cycle.posterior import log_density

# The Poisson models' prior of the mean is that of the model, so that only the likelihoods differ.
_MEAN: Final = np.linspace(8.0, 120.0, 800)
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
    """Poisson lengths without skips."""
    days = np.array(intervals, dtype=float)
    return _mean_of((days[:, None] * np.log(_MEAN) - _MEAN).sum(axis=0))


def skip_aware_poisson(intervals: Sequence[int]) -> float:
    """Li et al. 2022: an interval with s skips is Poisson with (s + 1) times the mean, s truncated geometric."""
    skip = (np.arange(12) + 0.5) / 12
    cycles = np.arange(1, _MOST_SKIPS + 2)
    days = np.array(intervals, dtype=float)
    rate = (cycles[:, None] * _MEAN)[..., None]
    density = np.exp(days * np.log(rate) - rate - gammaln(days + 1))
    chance = skip[:, None] ** (cycles - 1)
    chance /= chance.sum(axis=1, keepdims=True)
    # intervals far from any multiple of a mean have a likelihood of 0 there, and that is right
    with np.errstate(divide="ignore"):
        logs = np.log(np.einsum("ps,sml->pml", chance, density)).sum(axis=-1)
        logs += ((_SKIP_BETA - 1) * np.log(1 - skip))[:, None]
        return _mean_of(np.log(np.exp(logs - logs.max()).sum(axis=0)))


def _mean_of(log_likelihood: NDArray[np.float64]) -> float:
    """The posterior mean, from the log likelihood of each of _MEAN."""
    logs = log_likelihood + np.log(
        sum(part * np.exp(log_density(_MEAN, mean, deviation**2 / mean)) for part, mean, deviation in priors.MEANS)
    )
    weight = np.exp(logs - logs.max())
    return float(weight @ _MEAN / weight.sum())


RIVALS: Final[Mapping[str, Callable[[Sequence[int]], float]]] = {
    "mean": mean_of_cycles,
    "median": median_of_cycles,
    "poisson": poisson,
    "skip_aware_poisson": skip_aware_poisson,
}
