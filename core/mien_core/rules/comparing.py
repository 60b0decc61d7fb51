"""What two model revisions' answers to the same request say of each other, as one pair's tally.

Numbers that are none, and parts that are missing, are findings and no accidents: they are counted, and never enter a
sum. It brings numpy: import it where answers are compared.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from mien_core.errors import Missing, Rejected, Unavailable
from mien_core.model.comparisons import (
    DARK_FROM,
    LARGE,
    MEDIUM_FROM,
    SLOW_RATIO,
    Deltas,
    Flips,
    Group,
    Latencies,
    Sides,
    Tally,
    ToneGroup,
    Traffic,
)
from mien_core.model.serving import FaceAnswer
from mien_core.rules.skin import PRESENT_ABOVE

# What a revision itself works on; fetching, waiting and storing are others' time.
_WORK: Final = ("detect", "mesh", "measures", "depict")
# The outer and the inner corner of each eye in the face mesh.
_EYES: Final = ((33, 133), (263, 362))
_WORST_PERCENTILE: Final = 95
_POINTS: Final = 100.0
_LEAST_MILLISECONDS: Final = 0.01
# No coordinate and no angle of a photo lies further away; what does would drown all sums.
_FARTHEST: Final = 1000.0


class Ending(Enum):
    """How a call ended: with an answer, without a face in a fit photo, with numbers that are none, or not at all."""

    ANSWERED = "answered"
    REFUSED = "refused"
    UNSOUND = "unsound"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a revision's call ended; it has an answer only where the ending is ANSWERED."""

    ending: Ending
    answer: FaceAnswer | None = None


def outcome_of(result: bytes | Exception) -> Outcome | None:
    """What a revision's call came to; None where that says nothing of the revision.

    Args:
        result: the answer's JSON, or the error.
    """
    if isinstance(result, Exception):
        return _failure(result)
    try:
        answer = FaceAnswer.model_validate_json(result)
    except ValidationError:
        # pydantic writes a number that is none as null, which no number may be
        return Outcome(Ending.UNSOUND)
    return Outcome(Ending.ANSWERED, answer) if _finite(answer) else Outcome(Ending.UNSOUND)


def tally_of(stable: Outcome, candidate: Outcome) -> Tally:
    """One mirrored request's tally."""
    told = candidate
    if stable.answer is not None and candidate.answer is not None and not _comparable(stable.answer, candidate.answer):
        told = Outcome(Ending.UNSOUND)
    failed = stable.ending is Ending.FAILED, told.ending is Ending.FAILED
    tally = Tally(
        asked=1,
        errors=_flip(not failed[0], not failed[1]),
        paired=Sides(Traffic(requests=1, errors=int(failed[0])), Traffic(requests=1, errors=int(failed[1]))),
    )
    if any(failed):
        return tally
    unsound = stable.ending is Ending.UNSOUND, told.ending is Ending.UNSOUND
    tally = tally.plus(Tally(unsound=_flip(not unsound[0], not unsound[1])))
    if any(unsound):
        return tally
    found = {"face.found": _flip(stable.answer is not None, told.answer is not None)}
    tone = "unknown" if stable.answer is None else tone_group(stable.answer)
    if stable.answer is None or told.answer is None:
        return tally.plus(Tally(groups={tone: Group(verdicts=found)}))
    differences = _differences(stable.answer, told.answer).plus(Group(1, verdicts=found))
    return tally.plus(Tally(groups={tone: differences})).plus(_times(stable.answer, told.answer))


def tone_group(answer: FaceAnswer) -> ToneGroup:
    """The group of the photo's Monk tone, as this answer has it."""
    if answer.report.tone is None:
        return "unknown"
    tone = answer.report.tone.monk.tone
    return "light" if tone < MEDIUM_FROM else "medium" if tone < DARK_FROM else "dark"


def delta_of(quantity: str, difference: float) -> Deltas:
    """One pair's difference of a quantity."""
    difference = max(-_FARTHEST, min(_FARTHEST, difference))
    return Deltas(1, difference, difference * difference, int(abs(difference) > LARGE[quantity]))


def time_deltas(stable_milliseconds: float, candidate_milliseconds: float) -> tuple[Deltas, Flips]:
    """The logarithm of the ratio of both sides' times, and which of them was slow."""
    ratio = max(candidate_milliseconds, _LEAST_MILLISECONDS) / max(stable_milliseconds, _LEAST_MILLISECONDS)
    logarithm = math.log(ratio)
    slow = Flips(1, int(ratio > SLOW_RATIO), int(ratio < 1 / SLOW_RATIO))
    return Deltas(1, logarithm, logarithm * logarithm, slow.lost + slow.gained), slow


def _failure(error: Exception) -> Outcome | None:
    match error:
        case Rejected():
            return Outcome(Ending.REFUSED)
        case Missing() | Unavailable(code="serving_full"):
            # the photo went meanwhile; or the revision is busy, which is no failure
            return None
        case _:
            return Outcome(Ending.FAILED)


def _finite(answer: FaceAnswer) -> bool:
    face, tone = answer.report.face, answer.report.tone
    box = face.bounding_box
    numbers = [box.left, box.top, box.width, box.height, face.pose.yaw, face.pose.pitch, face.pose.roll]
    numbers += [] if tone is None else [tone.ita, tone.monk.delta_e]
    numbers += [gate.value for gate in face.quality.gates]
    numbers += [measure.value for measure in answer.skin.measures]
    numbers += [value for value in _scores(answer).values() if value is not None]
    return all(map(math.isfinite, numbers)) and bool(np.isfinite(_points(answer)).all())


def _comparable(stable: FaceAnswer, candidate: FaceAnswer) -> bool:
    """The same mesh has the same number of points; a candidate with another number lacks some, or makes some up."""
    return len(stable.report.face.landmarks) == len(candidate.report.face.landmarks)


def _differences(stable: FaceAnswer, candidate: FaceAnswer) -> Group:
    before, after = _quantities(stable), _quantities(candidate)
    quantities: dict[str, Deltas] = {}
    for name, value in before.items():
        other = after[name]
        if value is not None and other is not None:
            quantities[name] = delta_of(name, other - value)
        elif value is not None or other is not None:
            quantities[name] = Deltas(lost=int(other is None), gained=int(value is None))
    for name, distance in _distances(stable, candidate).items():
        quantities[name] = delta_of(name, distance)
    old, new = _verdicts(stable), _verdicts(candidate)
    verdicts = {name: _flip(old[name], new[name]) for name in old if name in new}
    return Group(0, quantities, verdicts)


def _quantities(answer: FaceAnswer) -> dict[str, float | None]:
    pose, tone = answer.report.face.pose, answer.report.tone
    return {
        **_scores(answer),
        "tone.ita": None if tone is None else tone.ita,
        "pose.yaw": pose.yaw,
        "pose.pitch": pose.pitch,
        "pose.roll": pose.roll,
    }


def _scores(answer: FaceAnswer) -> dict[str, float | None]:
    """All metrics and all conditions in points of 100, None where the photo can't show it."""
    shown = {one.condition: one.probability * _POINTS for one in answer.skin.probabilities}
    metrics: Mapping[str, float | None] = answer.skin.metrics.model_dump(by_alias=False)
    return {
        **{f"metrics.{name}": value for name, value in metrics.items()},
        **{f"conditions.{name}": value for name, value in shown.items()},
        **{f"conditions.{name}": None for name in answer.skin.abstained_conditions},
    }


def _verdicts(answer: FaceAnswer) -> dict[str, bool]:
    return {
        **{f"conditions.{one.condition}": one.probability > PRESENT_ABOVE for one in answer.skin.probabilities},
        "quality.passed": answer.report.face.quality.passed,
    }


def _distances(stable: FaceAnswer, candidate: FaceAnswer) -> dict[str, float]:
    """How far the points lie apart in inter-ocular distances (of the stable answer, between the eyes' centres).

    A mesh without eyes has no such measure.
    """
    before, after = _points(stable), _points(candidate)
    if len(before) <= max(max(eye) for eye in _EYES):
        return {}
    eyes = [before[list(eye)].mean(axis=0) for eye in _EYES]
    between = float(np.hypot(*(eyes[0] - eyes[1])))
    if between == 0:
        return {}
    distances = np.hypot(*(after - before).T) / between
    return {
        "landmarks.mean": float(distances.mean()),
        "landmarks.worst": float(np.percentile(distances, _WORST_PERCENTILE)),
    }


def _points(answer: FaceAnswer) -> NDArray[np.float64]:
    """The landmarks in pixels, (n, 2)."""
    marks = answer.report.face.landmarks
    return np.array([(mark.x, mark.y) for mark in marks]).reshape(-1, 2) * (answer.photo.width, answer.photo.height)


def _times(stable: FaceAnswer, candidate: FaceAnswer) -> Tally:
    before, after = _work(stable), _work(candidate)
    slowdown, slow = time_deltas(before, after)
    return Tally(
        slowdown=slowdown,
        slow=slow,
        paired=Sides(Traffic(latencies=_latency(before)), Traffic(latencies=_latency(after))),
    )


def _work(answer: FaceAnswer) -> float:
    steps = [answer.timings[step] for step in _WORK if step in answer.timings]
    return math.fsum(steps) if steps else answer.timings.get("total", 0.0)


def _latency(milliseconds: float) -> Latencies:
    return Latencies.of(milliseconds, math.log(max(milliseconds, _LEAST_MILLISECONDS)))


def _flip(stable: bool, candidate: bool) -> Flips:  # noqa: FBT001 - the two sides of one question
    return Flips(1, int(stable and not candidate), int(candidate and not stable))
