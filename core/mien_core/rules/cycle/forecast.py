"""When the next period comes, from what is believed of the cycles and the days without a logged period."""

from dataclasses import replace
from typing import Final

import numpy as np

from mien_core.rules.cycle import priors
from mien_core.rules.cycle.log import LONGEST_INTERVAL_DAYS
from mien_core.rules.cycle.posterior import Floats, Posterior, log_density

# Periods that may have passed unlogged in the running interval, at most: as many as fit with the shortest cycles.
_MOST_PASSED: Final = 24
# A sum of cycles isn't further from its mean than so many standard deviations.
_FAR: Final = 5.0
# Points that weigh less than this part of the weightiest one are left out.
_LIGHT: Final = 1e-4
# Lengths of Fourier transforms that are multiples of it are fast.
_FAST: Final = 64


def next_period(believed: Posterior, elapsed: int) -> Floats:
    """The distribution of the next period's first day, given that none was logged in so many days.

    True periods are a renewal process, and the sum of j cycles is gamma distributed again. The first j periods have
    passed unlogged with probability p^j, or because the log has paused (priors.STRAY). So, with f_j the density of the
    sum of j cycles,

        P(day d) ~ f_1(d) + sum over j >= 1 and u <= elapsed of ((1 - stray) p^j + stray) f_j(u) f_1(d - u),

    averaged over what is believed, for d > elapsed.

    Args:
        believed: what the user's intervals say.
        elapsed: days since the first day of the last logged period, at least 0.

    Returns:
        Shape (LONGEST_INTERVAL_DAYS,), sums to 1; the first is the day after the elapsed ones.
    """
    believed = _without_light_points(believed)
    weight = believed.weight.sum(axis=0)
    horizon = elapsed + LONGEST_INTERVAL_DAYS
    cycle = _density(believed.mean, believed.dispersion, horizon)
    days = weight @ cycle
    unlogged = _unlogged(believed, elapsed)
    some = unlogged.any(axis=1)
    if some.any():
        # A product of transforms is a convolution that wraps around; at this size, onto days that have passed.
        size = -(-horizon // _FAST) * _FAST
        product = np.fft.rfft(unlogged[some], size) * np.fft.rfft(cycle[some], size)
        # the first columns are day 1, and their sum is day 2
        days[1:] += np.fft.irfft(product.sum(axis=0), size)[: horizon - 1]
    # the transforms leave rounding errors below 0
    ahead: Floats = np.maximum(days[elapsed:], 0.0)
    ahead /= ahead.sum()
    return ahead


def _without_light_points(believed: Posterior) -> Posterior:
    weight = believed.weight.sum(axis=0)
    kept = weight > _LIGHT * weight.max()
    return replace(
        believed, mean=believed.mean[kept], dispersion=believed.dispersion[kept], weight=believed.weight[:, kept]
    )


def _unlogged(believed: Posterior, elapsed: int) -> Floats:
    """How probable it is that a period came on a day, unlogged like all before it, and no other one since.

    Nearly: periods that are certainly not the last one before today are left out. Shape (points, elapsed), from day 1.
    """
    unlogged = np.zeros((len(believed.mean), elapsed))
    weight = believed.weight.sum(axis=0)
    deviation = _FAR * np.sqrt(believed.mean * believed.dispersion)
    for passed in range(1, _MOST_PASSED + 1):
        begun = passed * believed.mean - passed**0.5 * deviation < elapsed
        if not begun.any():
            break
        lasting = (passed + 1) * believed.mean + (passed + 1) ** 0.5 * deviation > elapsed
        rows = np.flatnonzero(begun & lasting)
        skipped = believed.skip**passed @ believed.weight[:, rows]
        chance = (1 - priors.STRAY) * skipped + priors.STRAY * weight[rows]
        unlogged[rows] += chance[:, None] * _density(passed * believed.mean[rows], believed.dispersion[rows], elapsed)
    return unlogged


def _density(mean: Floats, dispersion: Floats, days: int) -> Floats:
    """The gamma density on day 1 and the following ones, for each mean and dispersion: shape (len(mean), days)."""
    length = np.arange(1.0, days + 1)
    return np.exp(log_density(length, mean[:, None], dispersion[:, None]))
