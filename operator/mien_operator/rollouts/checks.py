"""Which questions a set of metrics asks, and how much error each may make.

Together they may abort 5 % of the rollouts whose candidates lie at their margins (Bonferroni's inequality): each metric
gets an equal part of that, each of its questions an equal part of the metric's. Of a question that is asked by tone one
half belongs to everybody and a sixth to each tone, so that looking at tones makes it hardly harder to see what concerns
everybody.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien_core.model.comparisons import LANDMARKS, POSES, SCORES, TONES, VERDICTS
from mien_operator.rollouts import evidence
from mien_operator.rollouts.analysis_spec import AnalysisMetric, Comparator
from mien_operator.rollouts.evidence import Floats
from mien_operator.rollouts.sums import CROWDS, MEANS, SHARES, Question, Row, Sums

FALSE_ABORTS: Final = 0.05

_FACE: Final = ("face.found",)
_NET: Final = frozenset({Question.LOST, Question.GAINED, Question.SLOW, Question.FAILING})
_VERDICTS: Final = tuple(name for name in VERDICTS if name not in _FACE)
_PARTS: Final = MappingProxyType({crowd: 1 / 2 if crowd == "everybody" else 1 / 6 for crowd in CROWDS})
# The point that only 5 % lie beyond is so much further off than the mean one.
_WORST: Final = 2.0
# Latency and Errors ask one more question, of the requests that each revision was given by weight.
_OF_TRAFFIC: Final = frozenset({Comparator.LATENCY, Comparator.ERRORS})


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question of a comparator; whether its limit is the metric's margin or its max_share, and the bets' pace."""

    question: Question
    subjects: tuple[str, ...]
    by_share: bool = False
    pace: float = 1.0
    by_tone: bool = True


def _changes(subjects: tuple[str, ...], pace: float) -> tuple[_Asked, ...]:
    return (
        _Asked(Question.HIGHER, subjects, pace=pace),
        _Asked(Question.LOWER, subjects, pace=pace),
        _Asked(Question.LARGE, subjects, by_share=True),
    )


# A pace is about the difference that matters, beyond the margin, over the differences' variance: 2 points with a
# deviation of 4, 0.015 inter-ocular distances with one of 0.015, a tenth of the time with one of a third.
_QUESTIONS: Final[Mapping[Comparator, tuple[_Asked, ...]]] = MappingProxyType(
    {
        Comparator.LANDMARKS: (
            _Asked(Question.HIGHER, LANDMARKS, pace=60.0),
            _Asked(Question.LARGE, LANDMARKS, by_share=True),
        ),
        Comparator.SCORES: _changes(SCORES, 0.12),
        Comparator.CONDITIONS: (
            _Asked(Question.LOST, _VERDICTS),
            _Asked(Question.GAINED, _VERDICTS),
            _Asked(Question.CHANGED, _VERDICTS, by_share=True),
        ),
        Comparator.TONE: _changes(TONES, 0.12),
        Comparator.POSE: _changes(POSES, 0.2),
        Comparator.ANSWERS: (
            _Asked(Question.MISSED, _FACE),
            _Asked(Question.UNMEASURED, (*SCORES, *TONES), by_share=True),
        ),
        Comparator.LATENCY: (
            _Asked(Question.SLOWER, ("time",), pace=1.0, by_tone=False),
            _Asked(Question.SLOW, ("time",), by_share=True, by_tone=False),
        ),
        Comparator.ERRORS: (_Asked(Question.FAILING, ("calls",), by_tone=False),),
    }
)


@dataclass(frozen=True, slots=True)
class Check:
    """One question of one row: what is harmless, and how much evidence (as a logarithm) says that it isn't so."""

    comparator: Comparator
    row: Row
    limit: float
    enough: float
    pace: float


@dataclass(frozen=True, slots=True)
class _Batch:
    """Checks of one table, and their numbers as arrays."""

    checks: tuple[Check, ...]
    places: NDArray[np.intp]
    limits: Floats
    paces: Floats
    gains: Floats
    enough: Floats

    @classmethod
    def of(cls, checks: Sequence[Check], table: Mapping[Row, int]) -> "_Batch":
        mine = tuple(check for check in checks if check.row in table)
        return cls(
            mine,
            np.array([table[check.row] for check in mine], np.intp),
            np.array([check.limit for check in mine], float),
            np.array([check.pace for check in mine], float),
            np.array([check.row.question in _NET for check in mine], float),
            np.array([check.enough for check in mine], float),
        )


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A check whose evidence is enough, by how much it exceeds that, and the row's sums."""

    check: Check
    excess: float
    sums: Floats


@dataclass(frozen=True, slots=True)
class Checks:
    """All checks that a set of metrics means."""

    means: _Batch
    shares: _Batch

    def suspicions(self, sums: Sums) -> list[Suspicion]:
        """All checks whose evidence is enough, the strongest first."""
        found: list[Suspicion] = []
        rows = sums.means[self.means.places]
        count, total, squares = rows.T
        found += _enough(self.means, evidence.of_mean(count, total, squares, self.means.limits, self.means.paces), rows)
        rows = sums.shares[self.shares.places]
        count, against, for_it = rows.T
        capital = evidence.of_share(count, against, for_it, self.shares.limits, loss=1.0, gain=self.shares.gains)
        found += _enough(self.shares, capital, rows)
        return sorted(found, key=lambda one: -one.excess)


def checks_of(metrics: tuple[AnalysisMetric, ...]) -> Checks:
    """The checks of these metrics."""
    return _checks_of(metrics)


def enough_for_traffic(metric: AnalysisMetric, metrics: int) -> float:
    """How much evidence (as a logarithm) a metric's question about traffic by weight needs."""
    return math.log(metrics * _questions(metric.comparator) / FALSE_ABORTS)


@lru_cache(maxsize=64)
def _checks_of(metrics: tuple[AnalysisMetric, ...]) -> Checks:
    checks = [check for metric in metrics for check in _of_metric(metric, len(metrics))]
    return Checks(_Batch.of(checks, MEANS), _Batch.of(checks, SHARES))


def _of_metric(metric: AnalysisMetric, metrics: int) -> list[Check]:
    part = FALSE_ABORTS / (metrics * _questions(metric.comparator))
    checks: list[Check] = []
    for asked in _QUESTIONS[metric.comparator]:
        for crowd in CROWDS if asked.by_tone else CROWDS[:1]:
            share = _PARTS[crowd] if asked.by_tone else 1.0
            for subject in asked.subjects:
                enough = math.log(len(asked.subjects) / (part * share))
                row = Row(asked.question, subject, crowd)
                checks.append(Check(metric.comparator, row, _limit(metric, asked, subject), enough, asked.pace))
    return checks


def _questions(comparator: Comparator) -> int:
    return len(_QUESTIONS[comparator]) + (comparator in _OF_TRAFFIC)


def _limit(metric: AnalysisMetric, asked: _Asked, subject: str) -> float:
    margin, max_share = metric.tolerance
    if asked.by_share:
        return max_share
    if asked.question is Question.SLOWER:
        return math.log1p(margin)
    return margin * _WORST if subject == "landmarks.worst" else margin


def _enough(batch: _Batch, against: Floats, rows: Floats) -> list[Suspicion]:
    excess = against - batch.enough
    return [Suspicion(batch.checks[place], float(excess[place]), rows[place]) for place in np.flatnonzero(excess >= 0)]
