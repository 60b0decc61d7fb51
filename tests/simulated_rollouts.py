"""Rollouts of a candidate whose fault is known, photo by photo, as serving would have seen them.

What is drawn are the two revisions' outputs for each photo, with noise of both, difficult photos, few of dark skin,
latencies with a heavy tail, and failures that happen to everybody. They are added up as mien_core.rules.comparing adds
up answers (a test holds the two together), and judged at each poll of each step.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien_core.model.comparisons import (
    LARGE,
    LATENCY_BOUNDS,
    QUANTITIES,
    SLOW_RATIO,
    TONE_GROUPS,
    VERDICTS,
    Comparison,
    ComparisonWindow,
    Deltas,
    Flips,
    Group,
    Latencies,
    Sides,
    Tally,
    Traffic,
)
from mien_core.model.skin import CONDITIONS
from mien_operator.rollouts.analysis import judge
from mien_operator.rollouts.analysis_spec import AnalysisMetric, Comparator
from mien_operator.rollouts.judgement import Judgement, Outcome

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Before all requests go to the candidate there are these steps, with so many samples and polls each.
WEIGHTS: Final = (0.05, 0.25, 0.50)
SAMPLES: Final = 1000
POLLS: Final = 5

# In the order of TONE_GROUPS: photos of light, medium and dark skin, and those whose tone can't be told.
TONES: Final = (0.42, 0.40, 0.10, 0.08)
DARK: Final = TONE_GROUPS.index("dark")
UNKNOWN: Final = TONE_GROUPS.index("unknown")
# How often each condition is there, in the order of CONDITIONS.
PREVALENCE: Final = (0.15, 0.20, 0.15, 0.25, 0.15, 0.20, 0.20, 0.15)
# One revision's noise on an average photo: points, degrees, inter-ocular distances; some photos are difficult, and
# everything is noisier there.
POINTS_NOISE, ITA_NOISE, POSE_NOISE, MESH_NOISE, DIFFICULTY = 2.5, 1.5, 1.0, 0.018, 0.35
ERRORS, FACELESS, DISAGREED, UNMEASURED, UNMEASURED_ALONE = 0.005, 0.03, 0.003, 0.05, 0.01
MILLISECONDS, BY_PHOTO, BY_CALL, STRAGGLERS = 60.0, 0.35, 0.15, 0.01

_AT: Final = {name: index for index, name in enumerate(QUANTITIES)}
_METRICS: Final = slice(_AT["metrics.radiance"], _AT["metrics.dark_circles"] + 1)
_CONDITIONS: Final = slice(_AT["conditions.acne"], _AT["conditions.uneven_texture"] + 1)
_YAW: Final = _AT["pose.yaw"]
_POSE: Final = slice(_YAW, _AT["pose.roll"] + 1)
_SCORED: Final = slice(_METRICS.start, _CONDITIONS.stop)
_ITA: Final = _AT["tone.ita"]
_LIMITS: Final = np.array([LARGE[name] for name in QUANTITIES])
_NOW: Final = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Candidate:
    """What is wrong with a candidate; by default nothing.

    Args:
        mesh: its points lie so many inter-ocular distances off.
        part: the same of a part of the mesh, such as the mouth.
        unsteady: so many times the noise, of the mesh.
        swapped: share of photos whose left and right it swaps.
        mirrored: whether it says yaw with the wrong sign.
        bias: added to these quantities.
        dark_bias: likewise, on dark skin only.
        noisy: so many times the noise, of all scores.
        lost: conditions that it never says.
        dark_lost: likewise, on dark skin only.
        invented: conditions that it says where there are none, in this share of those photos.
        unsound: share of answers with NaN.
        faceless: share of faces that it doesn't find.
        dark_faceless: likewise, on dark skin only.
        unmeasured: quantities that it leaves out, and in which share.
        slower: its time over the stable one's.
        stragglers: share of calls that take three times as long.
        errors: share of calls that fail.
    """

    mesh: float = 0.0
    part: float = 0.0
    unsteady: float = 1.0
    swapped: float = 0.0
    mirrored: bool = False
    bias: Mapping[str, float] = field(default_factory=dict)
    dark_bias: Mapping[str, float] = field(default_factory=dict)
    noisy: float = 1.0
    lost: tuple[str, ...] = ()
    dark_lost: tuple[str, ...] = ()
    invented: Mapping[str, float] = field(default_factory=dict)
    unsound: float = 0.0
    faceless: float = 0.0
    dark_faceless: float = 0.0
    unmeasured: Mapping[str, float] = field(default_factory=dict)
    slower: float = 1.0
    stragglers: float = 0.0
    errors: float = 0.0


class Kind(NamedTuple):
    """A candidate, and whether requests are mirrored to it."""

    candidate: Candidate
    shadow: bool = True


_ALL_METRICS: Final = tuple(name for name in QUANTITIES if name.startswith("metrics."))

REGRESSIONS: Final[Mapping[str, Kind]] = {
    "landmarks shifted by 5 % of the eyes' distance": Kind(Candidate(mesh=0.05)),
    "mouth off by 12 % of the eyes' distance": Kind(Candidate(part=0.12)),
    "landmarks three times as unsteady": Kind(Candidate(unsteady=3.0)),
    "left and right swapped in 10 % of photos": Kind(Candidate(swapped=0.10)),
    "yaw with the wrong sign": Kind(Candidate(mirrored=True)),
    "pitch 3° higher": Kind(Candidate(bias={"pose.pitch": 3.0})),
    "all metrics 3 points lower": Kind(Candidate(bias=dict.fromkeys(_ALL_METRICS, -3.0))),
    "one metric 3 points higher": Kind(Candidate(bias={"metrics.pores": 3.0})),
    "a metric 3 points lower on dark skin only": Kind(Candidate(dark_bias={"metrics.radiance": -3.0})),
    "a condition 3 points higher on dark skin only": Kind(Candidate(dark_bias={"conditions.redness": 3.0})),
    "dark skin taken for lighter by 5°": Kind(Candidate(dark_bias={"tone.ita": 5.0})),
    "scores' noise grown 2.5 times": Kind(Candidate(noisy=2.5)),
    "one condition lost": Kind(Candidate(lost=("acne",))),
    "a condition lost on dark skin only": Kind(Candidate(dark_lost=("hyperpigmentation",))),
    "a condition seen in 6 % of the photos without it": Kind(Candidate(invented={"redness": 0.06})),
    "NaN in 1 % of answers": Kind(Candidate(unsound=0.01)),
    "3 % of faces no longer found": Kind(Candidate(faceless=0.03)),
    "10 % of faces of dark skin no longer found": Kind(Candidate(dark_faceless=0.10)),
    "a metric no longer measured in 5 % of photos": Kind(Candidate(unmeasured={"metrics.moisture": 0.05})),
    "20 % slower": Kind(Candidate(slower=1.2)),
    "20 % slower, without mirrored requests": Kind(Candidate(slower=1.2), shadow=False),
    "one call in ten takes three times as long": Kind(Candidate(stragglers=0.10)),
    "2 % errors": Kind(Candidate(errors=0.02)),
    "2 % errors, without mirrored requests": Kind(Candidate(errors=0.02), shadow=False),
}
_HARMLESS: Final = Candidate(
    mesh=0.01,
    bias={"metrics.pores": 0.5, "conditions.acne": -0.5, "pose.pitch": 0.5, "tone.ita": 0.5},
    unmeasured={"metrics.moisture": 0.005},
    slower=1.03,
    errors=0.001,
)
EQUALS: Final[Mapping[str, Kind]] = {
    "the same": Kind(Candidate()),
    "the same, without mirrored requests": Kind(Candidate(), shadow=False),
    "harmlessly different": Kind(_HARMLESS),
}

MIRRORED: Final = tuple(AnalysisMetric(comparator=one, min_samples=900) for one in Comparator)
BY_WEIGHT: Final = tuple(
    AnalysisMetric(comparator=one, min_samples=900) for one in (Comparator.LATENCY, Comparator.ERRORS)
)


@dataclass(frozen=True)
class Draws:
    """Both revisions' outputs for n photos; quantities (n, q) in the order of QUANTITIES, verdicts likewise."""

    tones: NDArray[np.intp]
    deltas: Floats
    stable_has: Bools
    candidate_has: Bools
    stable_says: Bools
    candidate_says: Bools
    stable_failed: Bools
    candidate_failed: Bools
    unsound: Bools
    stable_found: Bools
    candidate_found: Bools
    stable_log: Floats
    candidate_log: Floats


def draw(rng: np.random.Generator, candidate: Candidate, n: int) -> Draws:
    """N photos, asked of both revisions."""
    tones = rng.choice(len(TONES), n, p=TONES)
    dark = tones == DARK
    hard = np.exp(rng.normal(0, DIFFICULTY, (n, 1)))
    noise = [np.full(len(QUANTITIES), POINTS_NOISE) for _ in range(2)]
    for side in noise:
        side[_ITA], side[_POSE] = ITA_NOISE, POSE_NOISE
    noise[1][_SCORED] *= candidate.noisy
    stable, other = (rng.standard_normal((n, len(QUANTITIES))) * side * hard for side in noise)
    for name, bias in candidate.bias.items():
        other[:, _AT[name]] += bias
    for name, bias in candidate.dark_bias.items():
        other[:, _AT[name]] += bias * dark
    present = rng.random((n, len(CONDITIONS))) < PREVALENCE
    truth = np.where(present, 70.0, 22.0) + 12 * rng.standard_normal(present.shape)
    before = np.clip(truth + stable[:, _CONDITIONS], 0, 100)
    after = np.clip(truth + other[:, _CONDITIONS], 0, 100)
    _mistake(rng, candidate, after, present, dark)
    deltas = other - stable
    deltas[:, _CONDITIONS] = after - before
    if candidate.mirrored:
        deltas[:, _YAW] -= 2 * 10 * rng.standard_normal(n)
    deltas[:, : _METRICS.start] = _mesh(rng, candidate, hard)
    has = rng.random((n, len(QUANTITIES))) > UNMEASURED
    has[:, : _METRICS.start] = has[:, _POSE] = True
    has[:, _ITA] = tones != UNKNOWN
    stable_has, candidate_has = (has & (rng.random(has.shape) > UNMEASURED_ALONE) for _ in range(2))
    stable_has[:, : _METRICS.start] = candidate_has[:, : _METRICS.start] = True
    stable_has[:, _POSE] = candidate_has[:, _POSE] = True
    stable_has[:, _ITA] = has[:, _ITA]
    for name, share in candidate.unmeasured.items():
        candidate_has[:, _AT[name]] &= rng.random(n) > share
    quality = rng.random(n) < 0.8
    disagreed = (rng.random((2, n)) < DISAGREED) ^ quality
    says = [
        np.column_stack([scores > 50, one, np.ones(n, bool)])
        for scores, one in ((before, disagreed[0]), (after, disagreed[1]))
    ]
    found = rng.random(n) > FACELESS
    stable_found, candidate_found = (found ^ (rng.random(n) < DISAGREED) for _ in range(2))
    candidate_found &= rng.random(n) > candidate.faceless + candidate.dark_faceless * dark
    photo = rng.normal(np.log(MILLISECONDS), BY_PHOTO, n)
    return Draws(
        np.where(stable_found, tones, UNKNOWN),
        deltas,
        stable_has,
        candidate_has,
        says[0],
        says[1],
        rng.random(n) < ERRORS,
        rng.random(n) < ERRORS + candidate.errors,
        rng.random(n) < candidate.unsound,
        stable_found,
        candidate_found,
        photo + _time(rng, n, Candidate()),
        photo + _time(rng, n, candidate),
    )


def _mistake(rng: np.random.Generator, candidate: Candidate, after: Floats, present: Bools, dark: Bools) -> None:
    """What it does to the conditions' points."""
    for name in candidate.lost:
        column = CONDITIONS.index(name)
        after[:, column] = np.minimum(after[:, column], 40)
    for name in candidate.dark_lost:
        column = CONDITIONS.index(name)
        after[:, column] = np.where(dark, np.minimum(after[:, column], 40), after[:, column])
    for name, share in candidate.invented.items():
        column = CONDITIONS.index(name)
        made_up = (rng.random(len(after)) < share) & ~present[:, column]
        after[:, column] = np.where(made_up, np.maximum(after[:, column], 60), after[:, column])


def _mesh(rng: np.random.Generator, candidate: Candidate, hard: Floats) -> Floats:
    """The distances of the mean point and of the worst ones, (n, 2)."""
    n = len(hard)
    mean = MESH_NOISE * candidate.unsteady * hard[:, 0] * rng.gamma(16, 1 / 16, n)
    worst = 2.2 * mean * rng.gamma(30, 1 / 30, n)
    mean = np.hypot(mean, candidate.mesh) + candidate.part / 10
    worst = np.hypot(np.hypot(worst, candidate.mesh), candidate.part)
    swapped = rng.random(n) < candidate.swapped
    return np.column_stack([np.where(swapped, 0.7, mean), np.where(swapped, 1.4, worst)])


def _time(rng: np.random.Generator, n: int, candidate: Candidate) -> Floats:
    """The logarithm of what a call takes beyond what its photo does."""
    noise: Floats = np.log(candidate.slower) + rng.normal(0, BY_CALL, n)
    noise += (rng.random(n) < STRAGGLERS) * (np.log(2) + rng.exponential(0.7, n))
    noise += (rng.random(n) < candidate.stragglers) * np.log(3)
    return noise


def tallies(draws: Draws, polls: int) -> list[Tally]:
    """What is known at each poll, of all that came before it."""
    n = len(draws.tones)
    answered = ~(draws.stable_failed | draws.candidate_failed)
    sound = answered & ~draws.unsound
    pairs = sound & draws.stable_found & draws.candidate_found
    both = draws.stable_has & draws.candidate_has & pairs[:, None]
    deltas = np.where(both, draws.deltas, 0.0)
    quantities = np.stack(
        [
            both,
            deltas,
            deltas * deltas,
            np.abs(deltas) > _LIMITS,
            draws.stable_has & ~draws.candidate_has & pairs[:, None],
            draws.candidate_has & ~draws.stable_has & pairs[:, None],
        ],
        axis=-1,
    )
    stable_says, candidate_says = draws.stable_says.copy(), draws.candidate_says.copy()
    stable_says[:, -1], candidate_says[:, -1] = draws.stable_found, draws.candidate_found
    asked = np.ones_like(stable_says) & pairs[:, None]
    asked[:, : len(CONDITIONS)] &= both[:, _CONDITIONS]
    asked[:, -1] = sound
    verdicts = np.stack([asked, asked & stable_says & ~candidate_says, asked & candidate_says & ~stable_says], axis=-1)
    ratio = np.where(pairs, draws.candidate_log - draws.stable_log, 0.0)
    slow, fast = ratio > np.log(SLOW_RATIO), ratio < -np.log(SLOW_RATIO)
    calls = np.column_stack(
        [
            np.ones(n),
            draws.candidate_failed & ~draws.stable_failed,
            draws.stable_failed & ~draws.candidate_failed,
            answered,
            answered & draws.unsound,
            pairs,
            ratio,
            ratio * ratio,
            slow,
            fast,
        ]
    )
    columns = np.concatenate([quantities.reshape(n, -1), verdicts.reshape(n, -1), pairs[:, None], calls], axis=1)
    sums = _added(columns, np.arange(n) * polls // n * len(TONES) + draws.tones, polls * len(TONES))
    sums = sums.reshape(polls, len(TONES), -1).cumsum(axis=0)
    cut = quantities[0].size, quantities[0].size + verdicts[0].size
    return [_tally(one[:, : cut[0]], one[:, cut[0] : cut[1]], one[:, cut[1] :]) for one in sums]


def _added(columns: Floats, slots: NDArray[np.intp], count: int) -> Floats:
    """The rows of each slot added up."""
    which = np.zeros((count, len(columns)))
    which[slots, np.arange(len(columns))] = 1
    return np.asarray(which @ columns)


def _tally(quantities: Floats, verdicts: Floats, rest: Floats) -> Tally:
    groups = {}
    by_tone = zip(
        quantities.reshape(len(TONES), -1, 6).tolist(), verdicts.reshape(len(TONES), -1, 3).tolist(), strict=True
    )
    for (name, pairs), (numbers, answers) in zip(
        zip(TONE_GROUPS, rest[:, 0].tolist(), strict=True), by_tone, strict=True
    ):
        groups[name] = Group(
            int(pairs),
            {quantity: _deltas(row) for quantity, row in zip(QUANTITIES, numbers, strict=True)},
            {verdict: _flips(*row) for verdict, row in zip(VERDICTS, answers, strict=True)},
        )
    asked, lost, gained, answered, unsound, pairs, ratio, squares, slow, fast = rest[:, 1:].sum(axis=0).tolist()
    return Tally(
        asked=int(asked),
        errors=_flips(asked, lost, gained),
        unsound=_flips(answered, unsound, 0),
        slowdown=_deltas([pairs, ratio, squares, slow + fast, 0, 0]),
        slow=_flips(pairs, slow, fast),
        groups=groups,
    )


def _deltas(row: Sequence[float]) -> Deltas:
    count, total, squares, large, lost, gained = row
    return Deltas(int(count), total, squares, int(large), int(lost), int(gained))


def _flips(count: float, lost: float, gained: float) -> Flips:
    return Flips(int(count), int(lost), int(gained))


def traffic(rng: np.random.Generator, candidate: Candidate, n: int, polls: int) -> list[Traffic]:
    """N requests that were given to a revision by its weight, as known at each poll."""
    if n == 0:
        return [Traffic()] * polls
    failed = rng.random(n) < ERRORS + candidate.errors
    logs = np.where(failed, 0.0, rng.normal(np.log(MILLISECONDS), BY_PHOTO, n) + _time(rng, n, candidate))
    sums = np.stack([np.ones(n), failed, ~failed, logs, logs * logs]).cumsum(axis=1)
    at = [max(n * (poll + 1) // polls - 1, 0) for poll in range(polls)]
    # nothing is decided by the buckets
    nothing = (0,) * (len(LATENCY_BOUNDS) + 1)
    return [
        Traffic(int(requests), int(errors), Latencies(int(count), total, squares, nothing))
        for requests, errors, count, total, squares in sums[:, at].T.tolist()
    ]


@dataclass(frozen=True)
class Look:
    """One poll: the windows that serving shows, the present step, and what follows."""

    step: int
    samples: int
    judgement: Judgement


def looks(kind: Kind, rng: np.random.Generator, metrics: Sequence[AnalysisMetric] | None = None) -> Iterator[Look]:
    """All polls of all steps before the candidate gets all requests, until one of them fails."""
    asked = metrics or (MIRRORED if kind.shadow else BY_WEIGHT)
    before: list[ComparisonWindow] = []
    for step, weight in enumerate(WEIGHTS):
        now = ComparisonWindow(Comparison("rollout", step, "stable", "candidate"), _NOW)
        if kind.shadow:
            seen = tallies(draw(rng, kind.candidate, SAMPLES), POLLS)
            requests = round(SAMPLES * (1 - weight)), round(SAMPLES * weight)
        else:
            seen = [Tally()] * POLLS
            requests = round(SAMPLES * (1 - weight) / weight), SAMPLES
        sides = zip(
            traffic(rng, Candidate(), requests[0], POLLS), traffic(rng, kind.candidate, requests[1], POLLS), strict=True
        )
        for poll, (tally, (stable, candidate)) in enumerate(zip(seen, sides, strict=True)):
            window = replace(now, tally=replace(tally, traffic=Sides(stable, candidate)))
            judgement = judge(asked, [*before, window], step, 10.0 * poll)
            yield Look(step, (poll + 1) * SAMPLES // POLLS, judgement)
            if judgement.outcome is Outcome.FAIL:
                return
        before.append(window)
