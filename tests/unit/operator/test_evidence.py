"""Evidence holds at any time: who looks again and again is misled no more often than allowed.

Each test looks at many courses of requests, each at 120 lengths, at the edge of what is harmless. The seeds are
fixed; the bound is the promise itself, so that it leaves room only where the promise is kept with room.
"""

from collections.abc import Callable

import numpy as np
import pytest

from mien_operator.rollouts import evidence
from mien_operator.rollouts.evidence import Floats

COURSES, REQUESTS = 400, 1200
LOOKS = slice(9, None, 10)
ALLOWED = 0.05
COUNT = np.arange(1.0, REQUESTS + 1)[LOOKS]
ENOUGH = float(np.log(1 / ALLOWED))

Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]


def misled(capital: Floats) -> float:
    """The share of courses in which the evidence was enough at any length."""
    return float((capital >= ENOUGH).any(axis=1).mean())


def lengths(rng: np.random.Generator, draw: Draw) -> tuple[Floats, Floats, Floats]:
    """Count, sum and sum of squares of each course at each length."""
    values = draw(rng, (COURSES, REQUESTS))
    return COUNT, values.cumsum(axis=1)[:, LOOKS], (values * values).cumsum(axis=1)[:, LOOKS]


def heavy(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return 1.0 + rng.standard_t(3, shape)


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return rng.normal(1.0, 4.0, shape)


@pytest.mark.parametrize("draw", [heavy, normal])
@pytest.mark.parametrize("pace", [0.01, 0.12, 2.0])
def test_means_at_their_margin_mislead_nobody(draw: Draw, pace: float) -> None:
    """Differences whose mean is what is just harmless are rarely taken for more, whatever their tails and the pace."""
    count, total, squares = lengths(np.random.default_rng(1), draw)
    assert misled(evidence.of_mean(count, total, squares, 1.0, pace)) <= ALLOWED


def test_a_test_that_isnt_made_for_it_would_mislead() -> None:
    """The same looks with an ordinary t-test mislead in a fifth of the courses: this is what evidence is for."""
    count, total, squares = lengths(np.random.default_rng(1), normal)
    variance = np.maximum(squares / count - (total / count) ** 2, 1e-9)
    ordinary = np.where(count >= 30, (total / count - 1.0) / np.sqrt(variance / count), 0.0)
    assert (ordinary > 1.645).any(axis=1).mean() > 0.2


def test_means_beyond_their_margin_are_seen() -> None:
    """Two points beyond it with a deviation of four are seen within 100 pairs in nearly all courses."""
    count, total, squares = lengths(np.random.default_rng(2), lambda rng, shape: rng.normal(3.0, 4.0, shape))
    capital = evidence.of_mean(count, total, squares, 1.0, 0.12)
    assert (capital[:, 9] >= ENOUGH).mean() > 0.95


@pytest.mark.parametrize(("against", "for_it"), [(0.02, 0.0), (0.025, 0.005), (0.12, 0.10), (0.51, 0.49)])
def test_net_shares_at_their_margin_mislead_nobody(against: float, for_it: float) -> None:
    """Flips to one side that exceed those to the other by what is just harmless are rarely taken for more."""
    drawn = np.random.default_rng(3).random((COURSES, REQUESTS))
    lost, gained = (one.cumsum(axis=1)[:, LOOKS] for one in (drawn < against, drawn > 1 - for_it))
    assert misled(evidence.of_share(COUNT, lost, gained, 0.02, loss=1.0, gain=1.0)) <= ALLOWED


@pytest.mark.parametrize("margin", [0.0, 0.01, 0.1, 0.5])
def test_whole_shares_at_their_margin_mislead_nobody(margin: float) -> None:
    """So do changes that nothing can make up for."""
    changed = (np.random.default_rng(4).random((COURSES, REQUESTS)) < margin).cumsum(axis=1)[:, LOOKS]
    assert misled(evidence.of_share(COUNT, changed, 0.0, margin, loss=1.0, gain=0.0)) <= ALLOWED


def test_shares_beyond_their_margin_are_seen() -> None:
    """A condition that is lost in a tenth of the photos, net, is seen within 500 of them in nearly all courses."""
    drawn = np.random.default_rng(5).random((COURSES, 500))
    lost, gained = (drawn < 0.12).sum(axis=1), (drawn > 0.98).sum(axis=1)
    assert (evidence.of_share(500, lost, gained, 0.02, loss=1.0, gain=1.0) >= ENOUGH).mean() > 0.95


@pytest.mark.parametrize("weight", [0.02, 0.05, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("rate", [0.0, 0.005, 0.05])
def test_failures_of_different_requests_mislead_nobody(weight: float, rate: float) -> None:
    """Also where one revision gets few of the requests, failures at the margin are rarely taken for more."""
    rng = np.random.default_rng(6)
    mine = rng.random((COURSES, 4 * REQUESTS)) < weight
    failed = rng.random(mine.shape) < np.where(mine, rate + 0.005, rate)
    asked, broken, took, lost = (one.cumsum(axis=1)[:, 39::40] for one in (~mine, ~mine & failed, mine, mine & failed))
    assert misled(evidence.of_two_shares(asked, broken, took, lost, 0.005)) <= ALLOWED


def test_failures_are_seen_without_pairs() -> None:
    """2 % more failures are seen within 1,000 requests of a candidate with a quarter of them, in most courses."""
    rng = np.random.default_rng(7)
    stable, candidate = rng.binomial(3000, 0.005, COURSES), rng.binomial(1000, 0.025, COURSES)
    assert (evidence.of_two_shares(3000, stable, 1000, candidate, 0.002) >= ENOUGH).mean() > 0.8


@pytest.mark.parametrize("weight", [0.05, 0.5])
def test_times_of_different_requests_mislead_nobody(weight: float) -> None:
    """A candidate that is slower by what is just harmless is rarely taken for slower."""
    rng = np.random.default_rng(8)
    mine = rng.random((COURSES, 4 * REQUESTS)) < weight
    times = rng.normal(4.0, 0.4, mine.shape) + np.where(mine, 0.1, 0.0) + (rng.random(mine.shape) < 0.01) * 2.0
    stable, candidate = (
        np.stack([side, times * side, times * times * side], axis=-1).cumsum(axis=1)[:, 39::40]
        for side in (~mine, mine)
    )
    assert misled(evidence.of_two_means(stable, candidate, 0.1, 0.1)) <= ALLOWED


def test_nothing_seen_is_no_evidence() -> None:
    """Without requests the capital is what it was, or what was kept of it, and never a reason to abort."""
    nothing = np.zeros(3)
    assert evidence.of_mean(0, 0.0, 0.0, 1.0, 0.1) < 0
    assert evidence.of_share(0, 0, 0, 0.1, loss=1.0, gain=1.0) == pytest.approx(0.0)
    assert evidence.of_two_shares(0, 0, 50, 50, 0.005) == 0.0
    assert evidence.of_two_means(nothing, np.array([100, 700.0, 5000.0]), 0.1, 0.1) == 0.0
