"""The quadrature against slower ways to the same numbers."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from mien_core.rules.cycle import priors
from mien_core.rules.cycle.forecast import next_period
from mien_core.rules.cycle.log import LONGEST_INTERVAL_DAYS
from mien_core.rules.cycle.posterior import Floats, Posterior, posterior

LOGS: Sequence[Sequence[int]] = (
    [],
    [31],
    [28, 29, 57, 28, 30],
    [28] * 36,
    [24, 41, 33, 62, 29, 38, 90, 27, 35, 44],
    [120, 118, 125, 119],
)


def by_brute_force(lengths: Sequence[int]) -> tuple[float, float, float]:
    """Mean and deviation of the personal mean, and the mean dispersion, on a far finer grid of another spacing."""
    mean = np.linspace(priors.SHORTEST_MEAN, priors.LONGEST_MEAN, 1500)[:, None, None]
    dispersion = np.geomspace(priors.LEAST_DISPERSION, priors.GREATEST_DISPERSION, 25)[None, :, None]
    skip = ((np.arange(20) + 0.5) / 20)[None, None, :]
    weight = stats.lognorm.pdf(dispersion, priors.DISPERSION_LOG_SD, scale=priors.DISPERSION_MEDIAN) * dispersion
    weight = weight * stats.beta.pdf(skip, priors.SKIP_ALPHA, priors.SKIP_BETA)
    weight = weight * sum(
        part * stats.gamma.pdf(mean, (usual / deviation) ** 2, scale=deviation**2 / usual)
        for part, usual, deviation in priors.MEANS
    )
    numbers = range(priors.MOST_SKIPS + 1)
    total = sum(skip**number for number in numbers)
    for distinct in set(lengths):
        likelihood = sum(
            skip**number / total * stats.gamma.pdf(distinct, (number + 1) * mean / dispersion, scale=dispersion)
            for number in numbers
        )
        likelihood = (1 - priors.STRAY) * likelihood + priors.STRAY * priors.STRAY_DENSITY
        ages = [age for age, length in enumerate(reversed(lengths)) if length == distinct]
        weight = weight * likelihood ** sum(2 ** (-age / priors.HALF_LIFE_CYCLES) for age in ages)
    weight = weight / weight.sum()
    centre = float((weight * mean).sum())
    return centre, float((weight * (mean - centre) ** 2).sum() ** 0.5), float((weight * dispersion).sum())


@pytest.mark.parametrize("lengths", LOGS, ids=str)
def test_the_grid_is_fine_enough(lengths: Sequence[int]) -> None:
    """Many times as many points move nothing by more than the tenth of a deviation."""
    believed = posterior(lengths)
    weight = believed.weight.sum(axis=0)
    mean = weight @ believed.mean
    deviation = (weight @ (believed.mean - mean) ** 2) ** 0.5
    exact, exact_deviation, exact_dispersion = by_brute_force(lengths)
    assert mean == pytest.approx(exact, abs=exact_deviation / 10)
    assert deviation == pytest.approx(exact_deviation, rel=0.1)
    assert weight @ believed.dispersion == pytest.approx(exact_dispersion, rel=0.1)
    assert believed.weight.sum() == pytest.approx(1)


def certain(mean: float, dispersion: float, skip: float) -> Posterior:
    """What is believed of a user whose cycles are known."""
    return Posterior(
        mean=np.array([mean]),
        dispersion=np.array([dispersion]),
        weight=np.array([[1.0]]),
        skip=np.array([skip]),
        skipped=0,
    )


def simulated(mean: float, dispersion: float, skip: float, elapsed: int) -> Floats:
    """The next period's distribution, counted among many users without a log in the elapsed days."""
    source = np.random.default_rng(7)
    users, cycles = 100_000, 10
    periods = np.cumsum(source.gamma(mean / dispersion, dispersion, (users, cycles)), axis=1)
    paused = source.random((users, 1)) < priors.STRAY
    logged = (source.random((users, cycles)) >= skip) & ~paused
    silent = ~(logged & (periods <= elapsed + 0.5)).any(axis=1)
    following = np.where(periods > elapsed + 0.5, periods, np.inf).min(axis=1)[silent]
    counted = np.bincount(np.rint(following).astype(int), minlength=elapsed + LONGEST_INTERVAL_DAYS + 1)
    share: Floats = counted[elapsed + 1 : elapsed + LONGEST_INTERVAL_DAYS + 1] / len(following)
    return share


@pytest.mark.parametrize("elapsed", [0, 29, 45, 80])
@pytest.mark.parametrize(("mean", "dispersion", "skip"), [(29.0, 0.4, 0.3), (24.0, 2.0, 0.5)])
def test_the_forecast_is_that_of_simulated_users(mean: float, dispersion: float, skip: float, elapsed: int) -> None:
    """Also after periods that came unlogged; the distributions differ by what the simulation's luck explains."""
    forecast = next_period(certain(mean, dispersion, skip), elapsed)
    assert forecast.sum() == pytest.approx(1)
    assert np.abs(forecast - simulated(mean, dispersion, skip, elapsed)).sum() / 2 < 0.05


def test_a_likelier_skip_is_expected_more() -> None:
    """After the day a period was due, who often skips has probably skipped."""
    late = [next_period(certain(29.0, 0.4, skip), 36)[:10].sum() for skip in (0.02, 0.2, 0.6)]
    assert late == sorted(late, reverse=True)
