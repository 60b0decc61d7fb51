"""How strongly sums speak against "it differs by no more than the margin", at any time and however often asked.

Each function gives the logarithm of an e-value: the capital of somebody who began with 1 and bet against that claim,
fairly if it is true. Whoever's claim is true sees the capital reach 1/alpha at any time at all with a probability of at
most alpha (Ville's inequality), so asking after every poll costs nothing, needs no plan of looks, and needs nothing to
be remembered between two looks. All of them work on arrays, element by element; -inf is no capital.

Sources: means as the normal mixture over self-normalised sums of Robbins and de la Peña (Howard, Ramdas, McAuliffe and
Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49, 2021), which holds
for differences that are symmetric around their mean, whatever their tails; shares by bets on bounded values
(Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86, 2024), which holds
always; means of two groups as the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
("Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 52, 2024).
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# Shares of the largest possible bet; the mixture of them does nearly as well as the best of them.
_BETS: Final = np.geomspace(0.005, 0.95, 16)
# This much of the capital is never bet, so that evidence from one step can't be eaten up by another one.
_KEPT: Final = 0.25
_FEWEST: Final = 30
_LEAST_RISK: Final = 1e-3


def of_mean(count: ArrayLike, total: ArrayLike, squares: ArrayLike, margin: ArrayLike, pace: ArrayLike) -> Floats:
    """Against "the mean is at most margin", from the sums of differences and of their squares.

    Args:
        count: how many differences.
        total: their sum.
        squares: the sum of their squares.
        margin: what is harmless.
        pace: the standard deviation of the bets: about the effect that matters over the variance. A wrong guess makes
            the answer later, never wrong.
    """
    n, s, q, m, rho = map(np.asarray, (count, total, squares, margin, pace))
    return _normal_mixture(s - n * m, np.maximum(q - 2 * m * s + n * m * m, 0.0), rho)


def of_share(
    count: ArrayLike, against: ArrayLike, for_it: ArrayLike, margin: ArrayLike, *, loss: ArrayLike, gain: ArrayLike
) -> Floats:
    """Against "what speaks against the candidate exceeds what speaks for it by at most margin, a request".

    Args:
        count: how many requests.
        against: how many of them speak against the candidate.
        for_it: how many speak for it.
        margin: what is harmless.
        loss: how much each counts that is against.
        gain: how much each counts that is for it; 0 where nothing can be, which leaves more to bet.
    """
    n, a, f, m, lost, gained = (
        np.asarray(one, float)[..., None] for one in (count, against, for_it, margin, loss, gain)
    )
    bets = _BETS / np.maximum(gained + m, _LEAST_RISK)
    capital = a * np.log1p(bets * (lost - m)) + f * np.log1p(-bets * (gained + m)) + (n - a - f) * np.log1p(-bets * m)
    return _hedged(np.logaddexp.reduce(capital, axis=-1) - np.log(len(_BETS)))


def of_two_shares(
    stable: ArrayLike, stable_failed: ArrayLike, candidate: ArrayLike, candidate_failed: ArrayLike, margin: ArrayLike
) -> Floats:
    """Against "the candidate's share of failures exceeds the stable one's by at most margin", of different requests.

    Each failure counts by the inverse of the share of requests that its side got, as these say. Without requests of
    both nobody bets, and the capital stays what it was.
    """
    n, a, m, b = (np.asarray(one, float) for one in (stable, stable_failed, candidate, candidate_failed))
    both = n + m
    usable = (n > 0) & (m > 0)
    loss, gain = (np.where(usable, both / np.maximum(one, 1.0), 1.0) for one in (m, n))
    return np.where(usable, of_share(both, b, a, margin, loss=loss, gain=gain), 0.0)


def of_two_means(stable: Floats, candidate: Floats, margin: ArrayLike, pace: ArrayLike) -> Floats:
    """Against "the candidate's mean exceeds the stable one's by at most margin", of different requests.

    With fewer than 30 requests of either nobody bets.

    Args:
        stable: (..., 3): count, sum, and sum of squares.
        candidate: likewise.
        margin: what is harmless.
        pace: the standard deviation of the expected difference.
    """
    (n, mean, spread), (m, other, its_spread) = _moments(stable), _moments(candidate)
    usable = (n >= _FEWEST) & (m >= _FEWEST)
    information = np.where(usable, 1 / (spread / np.maximum(n, 1) + its_spread / np.maximum(m, 1)), 0.0)
    capital = _normal_mixture((other - mean - np.asarray(margin)) * information, information, np.asarray(pace))
    return np.where(usable, capital, 0.0)


def _moments(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """Count, mean and variance; the floor is below everything that is measured, and above nothing."""
    count = sums[..., 0]
    mean = sums[..., 1] / np.maximum(count, 1)
    return count, mean, np.maximum(sums[..., 2] / np.maximum(count, 1) - mean * mean, 1e-6)


def _normal_mixture(total: Floats, variance: Floats, pace: Floats) -> Floats:
    """The bets' sizes mixed by half a normal distribution of that pace; from below, which spares its integral."""
    spread = 1 + variance * pace * pace
    half = np.square(pace * np.maximum(total, 0.0)) / (2 * spread)
    capital = half + np.log(2 - np.exp(-half)) - np.log(spread) / 2
    return _hedged(np.where(total > 0, capital, -np.inf))


def _hedged(capital: Floats) -> Floats:
    return np.asarray(np.logaddexp(np.log(_KEPT), np.log1p(-_KEPT) + capital))
