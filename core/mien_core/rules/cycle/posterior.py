"""What a user's intervals say of their cycles: mean length, dispersion and skips, by quadrature on a grid.

The length of an interval with s skipped logs is gamma distributed with mean (s + 1) m and variance (s + 1) m v, where m
is the mean length and v the dispersion: a sum of s + 1 independent cycles is again of that form, and v = 1 is as wide
as a Poisson. s is truncated geometric with probability p (Li et al. 2022).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from mien_core.rules.cycle import priors

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Steps of the grid. In the root of the mean, a posterior is as wide for long cycles as for short ones. A step of 1.4
# deviations is enough: the error of equal steps falls with exp(-2 (pi deviation / step)^2).
_MEANS: Final = 289
_DISPERSIONS: Final = 11
_SKIPS: Final = 12
# Every fourth mean is looked at first. Where fewer than so many of them count, those between are needed, too.
_COARSE: Final = 4
_FEW: Final = 24
# A point counts if the logarithm of its weight is not that much below the likeliest one's.
_NEGLIGIBLE: Final = 16.0


@dataclass(frozen=True, slots=True)
class Grid:
    """Points of mean and dispersion, and of the skip probability, with the logarithms of their prior weights.

    log_weight: shape (means, dispersions), the others accordingly. skip_chance: shape (skip probabilities, MOST_SKIPS +
    1), how probable so many skips in a row are; rows sum to 1.
    """

    mean: Floats
    dispersion: Floats
    log_weight: Floats
    skip: Floats
    log_skip_weight: Floats
    skip_chance: Floats


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed of a user's cycles.

    mean, dispersion: shape (points,). weight: shape (skip probabilities, points), sums to 1. skip: shape (skip
    probabilities,). skipped: how many logs were left out in the intervals, for each its likeliest number.
    """

    mean: Floats
    dispersion: Floats
    weight: Floats
    skip: Floats
    skipped: int


@cache
def grid() -> Grid:
    """The grid and its prior, the same for all."""
    roots = np.linspace(priors.SHORTEST_MEAN**0.5, priors.LONGEST_MEAN**0.5, _MEANS)
    logs = np.linspace(np.log(priors.LEAST_DISPERSION), np.log(priors.GREATEST_DISPERSION), _DISPERSIONS)
    of_mean = np.zeros(_MEANS)
    for part, mean, deviation in priors.MEANS:
        # times the derivative: the steps are steps of the root
        of_mean += part * roots * np.exp(log_density(roots**2, mean, deviation**2 / mean))
    of_dispersion = ((logs - np.log(priors.DISPERSION_MEDIAN)) / priors.DISPERSION_LOG_SD) ** 2 / -2
    # Gauss-Legendre is exact for polynomials of a degree below 24. Beta's density is one, the likelihood nearly.
    nodes, steps = np.polynomial.legendre.leggauss(_SKIPS)
    skip = (nodes + 1) / 2
    powers = skip[:, None] ** np.arange(priors.MOST_SKIPS + 1)
    return Grid(
        mean=roots**2,
        dispersion=np.exp(logs),
        log_weight=np.log(of_mean)[:, None] + of_dispersion,
        skip=skip,
        log_skip_weight=(
            np.log(steps) + (priors.SKIP_ALPHA - 1) * np.log(skip) + (priors.SKIP_BETA - 1) * np.log(1 - skip)
        ),
        skip_chance=powers / powers.sum(axis=1, keepdims=True),
    )


def log_density(length: Floats, mean: Floats | float, dispersion: Floats | float) -> Floats:
    """The logarithm of the gamma density at lengths above 0, with this mean and the variance mean times dispersion.

    The arguments are broadcast against each other.
    """
    shape = np.divide(mean, dispersion)
    constant = shape * np.log(dispersion) + gammaln(shape)
    density: Floats = (shape - 1) * np.log(length) - length / dispersion - constant
    return density


def posterior(lengths: Sequence[int], stated_length: int | None = None) -> Posterior:
    """What follows from a user's intervals, the same for the same intervals.

    Args:
        lengths: days from one logged period to the next, the oldest first.
        stated_length: what the user says their cycles last; counts as one cycle without skips.
    """
    used = lengths[-priors.CYCLES_USED :]
    counted: defaultdict[int, float] = defaultdict(float)
    for age, length in enumerate(reversed(used)):
        counted[length] += 2 ** (-age / priors.HALF_LIFE_CYCLES)
    distinct = sorted(counted)
    times = np.array([counted[length] for length in distinct])

    mask = np.zeros((_MEANS, _DISPERSIONS), dtype=bool)
    mask[::_COARSE] = True
    weighed = _weigh(mask, distinct, times, stated_length)
    mask[mask] = weighed.counts
    if mask.any(axis=1).sum() < _FEW:
        for row, column in np.argwhere(mask):
            # as far as the next coarse ones: the peak may lie between two
            mask[max(row - _COARSE, 0) : row + _COARSE + 1, column] = True
        weighed = _weigh(mask, distinct, times, stated_length)
        mask[mask] = weighed.counts
    kept = weighed.counts
    weight = np.exp(weighed.logs[:, kept] - weighed.logs.max())
    weight /= weight.sum()

    # for each number of skips and each length, how probable that number is
    share = weight[:, :, None] / weighed.likelihood[:, kept]
    likeliest = np.einsum("ps,pgl,sgl->sl", grid().skip_chance, share, weighed.density[:, kept]).argmax(axis=0)
    skips = dict(zip(distinct, likeliest.tolist(), strict=True))
    means, dispersions = np.nonzero(mask)
    return Posterior(
        mean=grid().mean[means],
        dispersion=grid().dispersion[dispersions],
        weight=weight,
        skip=grid().skip,
        skipped=sum(skips[length] for length in used),
    )


@dataclass(frozen=True, slots=True)
class _Weighed:
    """Points of the grid in the light of lengths.

    logs: unnormalised log posterior, shape (skip probabilities, points). counts: which points aren't negligible, shape
    (points,). density: shape (MOST_SKIPS + 1, points, lengths), likelihood: shape (skip
    probabilities, points, lengths).
    """

    logs: Floats
    counts: Mask
    density: Floats
    likelihood: Floats


def _weigh(mask: Mask, lengths: Sequence[int], times: Floats, stated_length: int | None) -> _Weighed:
    """Weigh the points of the mask by lengths, each of which counts as so many."""
    points = grid()
    means, dispersions = np.nonzero(mask)
    mean, dispersion = points.mean[means], points.dispersion[dispersions]
    sums = np.arange(1, priors.MOST_SKIPS + 2)[:, None] * mean
    density = np.exp(log_density(np.array(lengths, dtype=float), sums[..., None], dispersion[:, None]))
    # einsum calls no BLAS, whose threads wait for each other longer than this takes
    likelihood = _with_strays(np.einsum("ps,sgl->pgl", points.skip_chance, density))
    logs = points.log_skip_weight[:, None] + points.log_weight[mask] + np.log(likelihood) @ times
    if stated_length is not None:
        logs += np.log(_with_strays(np.exp(log_density(np.array(float(stated_length)), mean, dispersion))))
    return _Weighed(logs, logs.max(axis=0) >= logs.max() - _NEGLIGIBLE, density, likelihood)


def _with_strays(likelihood: Floats) -> Floats:
    return (1 - priors.STRAY) * likelihood + priors.STRAY * priors.STRAY_DENSITY
