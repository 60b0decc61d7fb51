"""What the analysis says of windows: when it passes, holds, fails and asks, and in which words."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from mien_core.model.comparisons import (
    QUANTITIES,
    TONE_GROUPS,
    VERDICTS,
    Comparison,
    ComparisonWindow,
    Deltas,
    Flips,
    Group,
    Sides,
    Tally,
    Traffic,
)
from mien_core.model.skin import CONDITIONS
from mien_core.rules.comparing import delta_of, time_deltas
from mien_operator.rollouts.analysis import judge
from mien_operator.rollouts.analysis_spec import AnalysisMetric, Comparator, OnNoData
from mien_operator.rollouts.judgement import Judgement, Outcome
from tests.simulated_rollouts import (
    MIRRORED,
    Candidate,
    Draws,
    draw,
    tallies,
    traffic,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OTHERS = tuple(one for one in Comparator if one not in {Comparator.LATENCY, Comparator.ERRORS})


def window(tally: Tally, step: int = 0) -> ComparisonWindow:
    return ComparisonWindow(Comparison("rollout", step, "stable", "candidate"), NOW, tally)


def metric(comparator: Comparator, **fields: Any) -> AnalysisMetric:
    return AnalysisMetric(comparator=comparator, **{"min_samples": 100, **fields})


def seen(candidate: Candidate, n: int = 400, seed: int = 1) -> Tally:
    """What is known of a simulated candidate after n mirrored requests."""
    return tallies(draw(np.random.default_rng(seed), candidate, n), 1)[0]


def judged(
    metrics: Sequence[AnalysisMetric], *windows: ComparisonWindow, step: int = 0, waited: float = 0.0
) -> Judgement:
    return judge(metrics, windows, step, waited)


def only_message(judgement: Judgement) -> str:
    return next(one.message for one in judgement.findings)


def test_an_equal_candidate_passes() -> None:
    """With its samples and nothing found, each metric passes, and so does the whole."""
    judgement = judged(MIRRORED, window(seen(Candidate(), 1200)))
    assert judgement.outcome is Outcome.PASS
    assert {one.outcome for one in judgement.findings} == {Outcome.PASS}
    assert [one.comparator for one in judgement.findings] == [one.comparator for one in MIRRORED]
    assert judgement.samples == 1200


def test_a_candidate_isnt_judged_before_its_samples() -> None:
    """Until there are minSamples it holds and says how many are missing; nothing wrong so far is no reason to pass."""
    judgement = judged([metric(Comparator.SCORES, min_samples=900)], window(seen(Candidate(), 400)))
    assert judgement.outcome is Outcome.HOLD
    assert "of 900" in only_message(judgement)


def test_what_is_bad_enough_fails_at_once() -> None:
    """A regression doesn't wait for minSamples."""
    bad = seen(Candidate(bias={"metrics.pores": -9.0}), 100)
    assert judged([metric(Comparator.SCORES, min_samples=5000)], window(bad)).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("on_no_data", "outcome"),
    [
        (OnNoData.HOLD, Outcome.HOLD),
        (OnNoData.INCONCLUSIVE, Outcome.INCONCLUSIVE),
        (OnNoData.FAIL, Outcome.FAIL),
    ],
)
@pytest.mark.parametrize("comparator", list(Comparator))
def test_no_data_never_promotes(comparator: Comparator, on_no_data: OnNoData, outcome: Outcome) -> None:
    """Without traffic, or with lost windows, it holds for its time and then does what onNoData says."""
    asked = [metric(comparator, on_no_data=on_no_data, no_data_after_seconds=60)]
    for windows in ([], [window(Tally())], [window(seen(Candidate(), 50))]):
        assert judged(asked, *windows, waited=59).outcome is Outcome.HOLD
        late = judged(asked, *windows, waited=60)
        assert late.outcome is outcome
        assert "minSamples" in only_message(late)


def test_an_analysis_of_nothing_holds() -> None:
    """No metrics are no reason to promote."""
    assert judged([], window(seen(Candidate()))).outcome is Outcome.HOLD


@pytest.mark.parametrize("comparator", OTHERS)
def test_each_tone_can_be_asked_for(comparator: Comparator) -> None:
    """With minSamplesPerTone a candidate that hardly met dark skin doesn't pass, and is told so."""
    asked = [metric(comparator, min_samples_per_tone=60)]
    few = judged(asked, window(seen(Candidate(), 400)))
    assert few.outcome is Outcome.HOLD
    assert "of 60 photos of dark skin" in only_message(few)
    assert judged(asked, window(seen(Candidate(), 1500))).outcome is Outcome.PASS


def test_samples_are_the_present_steps() -> None:
    """What earlier steps saw counts as evidence, and not as this step's samples."""
    asked = [metric(Comparator.SCORES)]
    good = [window(seen(Candidate()), 0), window(seen(Candidate(), 40), 1)]
    assert judged(asked, *good, step=1).outcome is Outcome.HOLD
    assert judged(asked, *good, step=0).outcome is Outcome.PASS
    # each of the two alone is not enough to tell, both together are
    halves = [window(seen(Candidate(bias={"metrics.pores": 2.6}), 120, seed), seed) for seed in (0, 1)]
    assert [judged(asked, half, step=half.comparison.step).outcome for half in halves] == [Outcome.PASS] * 2
    assert judged(asked, *halves, step=1).outcome is Outcome.FAIL


def test_photos_of_unknown_tone_count_for_everybody() -> None:
    """A fault that shows in photos whose tone can't be told, as those in the dark, is a fault."""
    worse = Group(200, {"metrics.pores": Deltas(200, -1000.0, 6000.0)})
    judgement = judged([metric(Comparator.SCORES)], window(Tally(groups={"unknown": worse})))
    assert judgement.outcome is Outcome.FAIL
    assert only_message(judgement).startswith("metrics.pores is 5.0 points lower (the mean of 200 photos")


def test_an_answer_of_nan_is_one_too_many() -> None:
    """A single answer with numbers that are none fails Answers, and no other metric."""
    tally = replace(seen(Candidate()), unsound=Flips(400, lost=1))
    judgement = judged(MIRRORED, window(tally))
    assert judgement.outcome is Outcome.FAIL
    assert [one.comparator for one in judgement.findings if one.outcome is Outcome.FAIL] == [Comparator.ANSWERS]
    assert "1 of 400 answers (0.25 %)" in only_message(judgement)
    assert judged([metric(Comparator.SCORES)], window(tally)).outcome is Outcome.PASS
    both = replace(seen(Candidate()), unsound=Flips(400, gained=1))
    assert judged([metric(Comparator.ANSWERS)], window(both)).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("candidate", "comparator", "words"),
    [
        (Candidate(mesh=0.07), Comparator.LANDMARKS, "The mesh's points lie 0.07"),
        (Candidate(part=0.2), Comparator.LANDMARKS, "landmarks.worst differs by more than 0.1 inter-ocular distances"),
        (Candidate(bias={"metrics.pores": -4.0}), Comparator.SCORES, "metrics.pores is 4."),
        (Candidate(bias={"conditions.acne": 4.0}), Comparator.SCORES, "points higher"),
        (Candidate(dark_bias={"metrics.radiance": 9.0}), Comparator.SCORES, "points higher on dark skin (the mean of"),
        (Candidate(noisy=4.0), Comparator.SCORES, "differs by more than 10 points in"),
        (Candidate(lost=("redness",)), Comparator.CONDITIONS, "conditions.redness is lost in"),
        (Candidate(invented={"redness": 0.2}), Comparator.CONDITIONS, "conditions.redness is gained in"),
        (Candidate(bias={"tone.ita": -6.0}), Comparator.TONE, "tone.ita is 6"),
        (Candidate(mirrored=True), Comparator.POSE, "pose.yaw differs by more than 10 degrees"),
        (Candidate(faceless=0.1), Comparator.ANSWERS, "The face is no longer found in"),
        (Candidate(unmeasured={"metrics.pores": 0.2}), Comparator.ANSWERS, "metrics.pores is no longer measured in"),
        (Candidate(slower=1.4), Comparator.LATENCY, "The candidate takes 4"),
        (Candidate(stragglers=0.2), Comparator.LATENCY, "take more than 2 times as long"),
        (Candidate(errors=0.1), Comparator.ERRORS, "requests fail with the candidate"),
    ],
)
def test_people_read_what_is_wrong(candidate: Candidate, comparator: Comparator, words: str) -> None:
    """A finding says what differs, for whom, by how much and how much would be harmless; only what is wrong fails."""
    judgement = judged(MIRRORED, window(seen(candidate, 1000)))
    assert judgement.outcome is Outcome.FAIL
    failed = [one for one in judgement.findings if one.outcome is Outcome.FAIL]
    assert judgement.findings[: len(failed)] == tuple(failed)
    assert any(words in one.message for one in failed if one.comparator is comparator), failed
    assert all("harmless" in one.message for one in failed)


def test_what_a_metric_calls_harmless_is() -> None:
    """A margin of one's own is taken in place of the usual one."""
    tally = seen(Candidate(bias=dict.fromkeys((name for name in QUANTITIES if name.startswith("metrics.")), 3.0)), 1000)
    assert judged([metric(Comparator.SCORES)], window(tally)).outcome is Outcome.FAIL
    assert judged([metric(Comparator.SCORES, margin=4.0)], window(tally)).outcome is Outcome.PASS
    strict = metric(Comparator.SCORES, margin=4.0, max_share=0.001)
    assert judged([strict], window(tally)).outcome is Outcome.FAIL


def by_weight(candidate: Candidate, requests: int, step: int, seed: int = 3) -> ComparisonWindow:
    rng = np.random.default_rng(seed)
    [stable], [other] = traffic(rng, Candidate(), 4 * requests, 1), traffic(rng, candidate, requests, 1)
    return window(Tally(traffic=Sides(stable, other)), step)


def test_requests_by_weight_are_enough_for_latency_and_errors() -> None:
    """A canary without mirrored requests is judged by its own callers' latency and errors."""
    asked = [metric(Comparator.LATENCY), metric(Comparator.ERRORS)]
    assert judged(asked, by_weight(Candidate(), 500, 0)).outcome is Outcome.PASS
    slow = judged(asked, by_weight(Candidate(slower=1.3), 500, 0))
    assert [one.comparator for one in slow.findings if one.outcome is Outcome.FAIL] == [Comparator.LATENCY]
    assert "The candidate takes 3" in only_message(slow)
    failing = judged(asked, by_weight(Candidate(errors=0.1), 500, 0))
    assert [one.comparator for one in failing.findings if one.outcome is Outcome.FAIL] == [Comparator.ERRORS]
    assert "of 500 requests fail" in only_message(failing)


def test_what_shows_only_under_load_is_seen() -> None:
    """A candidate that slows down with half of the requests isn't saved by the good figures of earlier steps."""
    asked = [metric(Comparator.LATENCY)]
    windows = [by_weight(Candidate(), 1000, step) for step in (0, 1, 2)]
    assert judged(asked, *windows, step=2).outcome is Outcome.PASS
    assert judged(asked, *windows, by_weight(Candidate(slower=1.3), 500, 3), step=3).outcome is Outcome.FAIL


def test_a_fast_failure_is_no_fast_answer() -> None:
    """Requests that failed are no samples of latency."""
    sides = Sides(Traffic(requests=500), Traffic(requests=500, errors=0))
    assert judged([metric(Comparator.LATENCY)], window(Tally(traffic=sides))).outcome is Outcome.HOLD


def test_the_simulation_adds_up_as_serving_does() -> None:
    """Simulated photos make the very tally that the rule of comparing makes of each pair, added up one by one."""
    draws = draw(np.random.default_rng(5), Candidate(unsound=0.05, errors=0.05, faceless=0.1, stragglers=0.3), 200)
    [together] = tallies(draws, 1)
    one_by_one = reduce(Tally.plus, (photo(draws, index) for index in range(200)))
    assert rounded(together) == rounded(one_by_one)


def photo(draws: Draws, at: int) -> Tally:
    """One photo's tally, made as mien_core.rules.comparing makes it."""
    ok = not draws.stable_failed[at], not draws.candidate_failed[at]
    tally = Tally(asked=1, errors=flip(*ok))
    if not all(ok):
        return tally
    tally = tally.plus(Tally(unsound=flip(stable=True, candidate=not draws.unsound[at])))
    if draws.unsound[at]:
        return tally
    group = TONE_GROUPS[draws.tones[at]]
    found = bool(draws.stable_found[at]), bool(draws.candidate_found[at])
    verdicts = {"face.found": flip(*found)}
    if not all(found):
        return tally.plus(Tally(groups={group: Group(verdicts=verdicts)}))
    quantities = {}
    for column, name in enumerate(QUANTITIES):
        has = bool(draws.stable_has[at, column]), bool(draws.candidate_has[at, column])
        if all(has):
            quantities[name] = delta_of(name, float(draws.deltas[at, column]))
        else:
            quantities[name] = Deltas(lost=int(has[0] and not has[1]), gained=int(has[1] and not has[0]))
    for column, name in enumerate(VERDICTS[:-1]):
        if name.removeprefix("conditions.") not in CONDITIONS or quantities[name].count:
            verdicts[name] = flip(bool(draws.stable_says[at, column]), bool(draws.candidate_says[at, column]))
    times = float(np.exp(draws.stable_log[at])), float(np.exp(draws.candidate_log[at]))
    slowdown, slow = time_deltas(*times)
    return tally.plus(Tally(groups={group: Group(1, quantities, verdicts)}, slowdown=slowdown, slow=slow))


def flip(stable: bool, candidate: bool) -> Flips:  # noqa: FBT001 - the two sides of one question
    return Flips(1, int(stable and not candidate), int(candidate and not stable))


def rounded(tally: Tally) -> dict[str, Any]:
    """All sums, but to the sixth digit: the order of adding shows in the last ones."""
    values: dict[str, Any] = {
        "calls": (tally.asked, tally.errors, tally.unsound, tally.slow, round(tally.slowdown.squares, 6)),
    }
    for name, group in tally.groups.items():
        for quantity in QUANTITIES:
            one = group.quantities.get(quantity, Deltas())
            numbers = one.count, one.large, one.lost, one.gained, round(one.total, 6), round(one.squares, 6)
            values[f"{name} {quantity}"] = numbers
        values |= {f"{name} {verdict}": group.verdicts.get(verdict, Flips()) for verdict in VERDICTS}
    return values


@pytest.mark.parametrize(
    "wrong",
    [
        {"comparator": "Vibes"},
        {"comparator": "Scores", "minSamples": 3},
        {"comparator": "Scores", "margin": -1},
        {"comparator": "Scores", "maxShare": 1.5},
        {"comparator": "Scores", "onNoData": "Promote"},
        {"comparator": "Scores", "threshold": 1},
        {},
    ],
)
def test_metrics_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    """A metric with an unknown comparator, an impossible limit or a field that nobody reads is refused."""
    with pytest.raises(ValidationError):
        AnalysisMetric.model_validate(wrong)


def test_a_metric_needs_only_its_comparator() -> None:
    """Everything else has a value that is fit for most rollouts."""
    asked = AnalysisMetric.model_validate({"comparator": "Latency"})
    assert (asked.min_samples, asked.on_no_data, asked.tolerance) == (300, OnNoData.HOLD, (0.10, 0.02))
