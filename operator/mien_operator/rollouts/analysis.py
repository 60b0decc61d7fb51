"""Whether a candidate may take more requests, from what serving compared. Pure.

It may be asked after every poll: what decides is evidence that holds at any time (mien_operator.rollouts.evidence).
Pairs are judged over all steps of the rollout, since what a photo's outputs differ by doesn't depend on weights;
requests by weight step by step, since latency and errors may, and the capital of one step's bets is the next one's
start.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Final

import numpy as np

from mien_core.model.comparisons import ComparisonWindow, Latencies, Tally, ToneGroup, Traffic
from mien_operator.rollouts import evidence
from mien_operator.rollouts.analysis_spec import AnalysisMetric, Comparator, OnNoData
from mien_operator.rollouts.checks import checks_of, enough_for_traffic
from mien_operator.rollouts.judgement import Finding, Judgement, Outcome
from mien_operator.rollouts.sums import Sums, sums_of
from mien_operator.rollouts.wording import failing, percent, slower, worded

_MOST_FINDINGS: Final = 3
_TONES: Final[tuple[ToneGroup, ...]] = ("light", "medium", "dark")
_RANK: Final = (Outcome.FAIL, Outcome.HOLD, Outcome.INCONCLUSIVE, Outcome.PASS)
_TIME_PACE: Final = 0.1
_NO_DATA: Final[Mapping[OnNoData, Outcome]] = {
    OnNoData.HOLD: Outcome.HOLD,
    OnNoData.INCONCLUSIVE: Outcome.INCONCLUSIVE,
    OnNoData.FAIL: Outcome.FAIL,
}
_WITHOUT_PAIRS: Final = frozenset({Comparator.LATENCY, Comparator.ERRORS})


def judge(
    metrics: Sequence[AnalysisMetric], windows: Sequence[ComparisonWindow], step: int, waited_seconds: float
) -> Judgement:
    """What the windows of one rollout come to.

    A metric fails as soon as the evidence is enough that the candidate differs by more than is harmless, also before
    it has its samples. It passes once it has them and doesn't fail. Until then it holds and, when its time is over,
    does what it says of too few samples.

    Args:
        metrics: what is compared; at least one.
        windows: all that serving still knows of this rollout's present candidate, in any order.
        step: the present step, whose samples count.
        waited_seconds: since when the present step collects samples; 0 where nobody waits for them, so that too few
            are no reason for anything.
    """
    asked = tuple(metrics)
    tallies = [one.tally for one in windows]
    present = _together([one.tally for one in windows if one.comparison.step == step])
    failures = _failures(asked, tallies)
    findings: list[Finding] = []
    for metric in asked:
        failed = failures.get(metric.comparator, [])
        findings += failed or [_unfailed(metric, tallies, present, waited_seconds)]
    findings.sort(key=lambda finding: _RANK.index(finding.outcome))
    outcome = findings[0].outcome if findings else Outcome.HOLD
    return Judgement(outcome, tuple(findings), max((_samples(metric, present) for metric in asked), default=0))


def _together(tallies: Sequence[Tally]) -> Tally:
    return reduce(Tally.plus, tallies) if tallies else Tally()


def _failures(metrics: tuple[AnalysisMetric, ...], tallies: Sequence[Tally]) -> dict[Comparator, list[Finding]]:
    failures: dict[Comparator, list[Finding]] = {}

    def fails(comparator: Comparator, message: str) -> None:
        findings = failures.setdefault(comparator, [])
        if len(findings) < _MOST_FINDINGS:
            findings.append(Finding(comparator, Outcome.FAIL, message))

    for metric in metrics:
        for message in (_unsound(metric, tallies), _of_traffic(metric, len(metrics), tallies)):
            if message is not None:
                fails(metric.comparator, message)
    if tallies:
        sums = reduce(Sums.plus, map(sums_of, tallies))
        for suspicion in checks_of(metrics).suspicions(sums):
            fails(suspicion.check.comparator, worded(suspicion))
    return failures


def _unsound(metric: AnalysisMetric, tallies: Sequence[Tally]) -> str | None:
    """A single number that is none is one too many: no reader of reports is prepared for it."""
    lost, count = (sum(getattr(tally.unsound, side) for tally in tallies) for side in ("lost", "count"))
    if metric.comparator is not Comparator.ANSWERS or not lost:
        return None
    return (
        f"{lost} of {count} answers ({percent(lost / count)}) have numbers that are none, or lack parts, where the "
        "stable revision's are whole."
    )


def _of_traffic(metric: AnalysisMetric, metrics: int, tallies: Sequence[Tally]) -> str | None:
    """What is wrong with the requests that the revisions were given by weight, or None."""
    judged = _TRAFFIC.get(metric.comparator)
    if judged is None:
        return None
    against, message = judged
    enough = enough_for_traffic(metric, metrics)
    margin = metric.tolerance.margin
    if sum(against(tally, margin) for tally in tallies) < enough:
        return None
    return message(_together(tallies), margin)


def _errors_against(tally: Tally, margin: float) -> float:
    stable, candidate = tally.traffic.stable, tally.traffic.candidate
    return float(evidence.of_two_shares(stable.requests, stable.errors, candidate.requests, candidate.errors, margin))


def _time_against(tally: Tally, margin: float) -> float:
    stable, candidate = tally.traffic.stable.latencies, tally.traffic.candidate.latencies
    return float(evidence.of_two_means(_sums(stable), _sums(candidate), np.log1p(margin), _TIME_PACE))


def _sums(latencies: Latencies) -> evidence.Floats:
    return np.array([latencies.count, latencies.log_total, latencies.log_squares], float)


def _errors_worded(tally: Tally, margin: float) -> str:
    stable, candidate = tally.traffic.stable, tally.traffic.candidate
    return failing(_rate(candidate) - _rate(stable), candidate.requests, margin)


def _rate(traffic: Traffic) -> float:
    return traffic.errors / max(traffic.requests, 1)


def _time_worded(tally: Tally, margin: float) -> str:
    stable, candidate = tally.traffic.stable.latencies, tally.traffic.candidate.latencies
    ratio = candidate.log_total / max(candidate.count, 1) - stable.log_total / max(stable.count, 1)
    return slower(ratio, candidate.count, float(np.log1p(margin)))


_TRAFFIC: Final[Mapping[Comparator, tuple[Callable[[Tally, float], float], Callable[[Tally, float], str]]]] = {
    Comparator.LATENCY: (_time_against, _time_worded),
    Comparator.ERRORS: (_errors_against, _errors_worded),
}


def _unfailed(metric: AnalysisMetric, tallies: Sequence[Tally], present: Tally, waited_seconds: float) -> Finding:
    missing = _missing(metric, tallies, present)
    if missing is None:
        message = f"{metric.comparator}: nothing beyond what is harmless in {_samples(metric, present)} samples."
        return Finding(metric.comparator, Outcome.PASS, message)
    if waited_seconds < metric.no_data_after_seconds:
        return Finding(metric.comparator, Outcome.HOLD, f"{metric.comparator}: collecting samples, {missing}.")
    return Finding(
        metric.comparator,
        _NO_DATA[metric.on_no_data],
        f"{metric.comparator}: too few samples after {waited_seconds:.0f} s, {missing}. {_advice(metric)}",
    )


def _missing(metric: AnalysisMetric, tallies: Sequence[Tally], present: Tally) -> str | None:
    samples = _samples(metric, present)
    if samples < metric.min_samples:
        return f"{samples} of {metric.min_samples}"
    if metric.comparator in _WITHOUT_PAIRS:
        return None
    for tone in _TONES:
        photos = sum(tally.groups[tone].pairs for tally in tallies if tone in tally.groups)
        if photos < metric.min_samples_per_tone:
            return f"{photos} of {metric.min_samples_per_tone} photos of {tone} skin"
    return None


def _samples(metric: AnalysisMetric, tally: Tally) -> int:
    traffic = tally.traffic
    match metric.comparator:
        case Comparator.ERRORS:
            return max(tally.asked, min(traffic.stable.requests, traffic.candidate.requests))
        case Comparator.LATENCY:
            by_weight = min(traffic.stable.latencies.count, traffic.candidate.latencies.count)
            return max(tally.slowdown.count, by_weight)
        case _:
            return sum(group.pairs for group in tally.groups.values())


def _advice(metric: AnalysisMetric) -> str:
    if metric.comparator in _WITHOUT_PAIRS:
        return "Give the candidate more weight or a shadow step, or lower minSamples."
    return "Raise the shadow step's percent, or lower minSamples."
