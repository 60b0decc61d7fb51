"""What two answers to the same request say of each other."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from mien_core.errors import Missing, Rejected, Unavailable
from mien_core.model.comparisons import LANDMARKS, QUANTITIES, VERDICTS, Deltas, Flips, Group, Tally
from mien_core.model.face import Landmark, MonkTone
from mien_core.model.serving import FaceAnswer, PhotoFacts
from mien_core.model.skin import Condition
from mien_core.rules.comparing import Ending, Outcome, outcome_of, tally_of, tone_group
from tests.makers import face_report, skin_report

RIGHT, LEFT = 33, 263
WIDTH, HEIGHT = 400, 800


def answer(
    shift: float = 0.0,
    timings: Mapping[str, float] | None = None,
    probabilities: Mapping[Condition, float] | None = None,
    monk: int | None = 5,
    **pose: float,
) -> FaceAnswer:
    """A face whose eyes lie 100 pixels apart; shift moves all of its points by so many pixels downwards."""
    report = face_report()
    marks = [Landmark(x=0.4, y=0.4, z=0.0) for _ in range(468)]
    for index in (RIGHT, 133):
        marks[index] = Landmark(x=0.25, y=0.25, z=0.0)
    for index in (LEFT, 362):
        marks[index] = Landmark(x=0.5, y=0.25, z=0.0)
    moved = tuple(mark.model_copy(update={"y": mark.y + shift / HEIGHT}) for mark in marks)
    face = report.face.model_copy(
        update={"landmarks": moved, "pose": report.face.pose.model_copy(update={**pose})},
    )
    tone = None
    if monk is not None and report.tone is not None:
        tone = report.tone.model_copy(update={"monk": MonkTone(tone=monk, delta_e=1.0)})
    return FaceAnswer(
        model_revision="face@sha256:aaaaaaaaaaaa",
        etag="e",
        report=report.model_copy(update={"face": face, "tone": tone}),
        skin=skin_report(probabilities),
        annotated_key="a",
        mask_keys={},
        photo=PhotoFacts(width=WIDTH, height=HEIGHT, pixel_digest="ab"),
        timings=dict(timings or {"detect": 10.0, "mesh": 20.0, "fetch": 500.0, "total": 900.0}),
    )


def outcome(of: FaceAnswer) -> Outcome:
    return Outcome(Ending.ANSWERED, of)


def compared(stable: FaceAnswer, candidate: FaceAnswer) -> Tally:
    return tally_of(outcome(stable), outcome(candidate))


def group(tally: Tally) -> Group:
    [only] = tally.groups.values()
    return only


def test_a_revision_differs_from_itself_in_nothing() -> None:
    """Every quantity of the report is compared, and all differences of an answer from itself are none."""
    tally = compared(answer(), answer())
    assert set(group(tally).quantities) == set(QUANTITIES) - {"metrics.pores", "conditions.blackheads"}
    assert set(group(tally).verdicts) == set(VERDICTS) - {"conditions.blackheads"}
    assert group(tally).pairs == 1
    assert all(one == Deltas(count=1) for one in group(tally).quantities.values())
    assert all(one == Flips(count=1) for one in group(tally).verdicts.values())
    assert (tally.asked, tally.errors, tally.unsound) == (1, Flips(1), Flips(1))
    assert tally.slowdown == Deltas(count=1)
    assert tally.dropped == 0


def test_landmarks_are_measured_by_the_eyes_distance() -> None:
    """Twelve pixels of a face whose eyes lie 100 pixels apart are 0.12, which is a large difference."""
    quantities = group(compared(answer(), answer(shift=12))).quantities
    for name in LANDMARKS:
        assert quantities[name].total == pytest.approx(0.12)
        assert quantities[name].squares == pytest.approx(0.0144)
        assert quantities[name].large == 1
    assert group(compared(answer(), answer(shift=9))).quantities["landmarks.mean"].large == 0


def test_the_worst_points_are_told_apart_from_the_mean() -> None:
    """A mouth that is off shows in the 95th percentile, though most points are right."""
    moved = answer(shift=20).report.face.landmarks
    marks = (*answer().report.face.landmarks[:430], *moved[430:])
    face = answer().report.face.model_copy(update={"landmarks": marks})
    broken = answer().model_copy(update={"report": answer().report.model_copy(update={"face": face})})
    quantities = group(compared(answer(), broken)).quantities
    assert quantities["landmarks.worst"].total == pytest.approx(0.2)
    assert quantities["landmarks.mean"].total < 0.02


def test_differences_are_the_candidates_less_the_stable_ones() -> None:
    """Conditions in points of 100, pose in degrees, with their sign."""
    quantities = group(compared(answer(yaw=2.0), answer(yaw=-11.0))).quantities
    assert quantities["pose.yaw"] == Deltas(1, -13.0, 169.0, 1)
    before, after = answer(probabilities={"acne": 0.40}), answer(probabilities={"acne": 0.43})
    assert group(compared(before, after)).quantities["conditions.acne"].total == pytest.approx(3.0)


def test_a_verdict_that_changes_is_a_flip() -> None:
    """A condition above 0.5 on one side only is lost or gained; what one side can't show is no verdict but lost."""
    shown, hidden = answer(probabilities={"acne": 0.6}), answer(probabilities={"acne": 0.5})
    silent = answer(probabilities={"redness": 0.1})
    assert group(compared(shown, hidden)).verdicts["conditions.acne"] == Flips(1, lost=1)
    assert group(compared(hidden, shown)).verdicts["conditions.acne"] == Flips(1, gained=1)
    lost = group(compared(shown, silent))
    assert "conditions.acne" not in lost.verdicts
    assert lost.quantities["conditions.acne"] == Deltas(lost=1)
    assert lost.quantities["conditions.redness"] == Deltas(gained=1)


@pytest.mark.parametrize(
    ("monk", "expected"),
    [(1, "light"), (3, "light"), (4, "medium"), (6, "medium"), (7, "dark"), (10, "dark"), (None, "unknown")],
)
def test_the_stable_tone_decides_on_the_group(monk: int | None, expected: str) -> None:
    """A candidate that takes dark skin for light doesn't hide among the light ones."""
    assert tone_group(answer(monk=monk)) == expected
    assert set(compared(answer(monk=monk), answer(monk=2)).groups) == {expected}


def test_only_the_revisions_own_work_is_timed() -> None:
    """Fetching an original takes longer than fetching what was made of it, which is no merit of who comes second."""
    slow = answer(timings={"detect": 20.0, "mesh": 100.0, "fetch": 1.0, "total": 130.0})
    tally = compared(answer(), slow)
    assert tally.slowdown.total == pytest.approx(math.log(120 / 30))
    assert tally.slow == Flips(1, lost=1)
    assert compared(slow, answer()).slow == Flips(1, gained=1)
    assert tally.paired.candidate.latencies.log_total == pytest.approx(math.log(120))
    assert tally.traffic == Tally().traffic


def broken(**changes: Any) -> bytes:
    body = json.loads(answer().model_dump_json())
    for path, value in changes.items():
        place = body
        *way, last = path.split("__")
        for part in way:
            place = place[int(part) if part.isdigit() else part]
        place[last] = value
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        broken(report__face__landmarks__7__x=float("nan")),
        broken(report__face__landmarks__7__y=None),
        broken(report__face__pose__yaw=float("inf")),
        broken(report__tone__ita=float("nan")),
        broken(skin__probabilities=[]),
        broken(report__face__bounding_box__left=float("nan")),
    ],
)
def test_numbers_that_are_none_are_a_finding(body: bytes) -> None:
    """An answer with NaN, or without a part that all have, is counted as unsound and enters no sum."""
    told = outcome_of(body)
    assert told == Outcome(Ending.UNSOUND)
    tally = tally_of(outcome(answer()), told)
    assert tally.unsound == Flips(1, lost=1)
    assert (tally.groups, tally.slowdown) == ({}, Deltas())
    assert tally_of(told, outcome(answer())).unsound == Flips(1, gained=1)


def test_a_mesh_of_other_points_is_a_finding() -> None:
    """Landmarks that have no counterpart can't be compared, and such an answer can't be used."""
    face = answer().report.face.model_copy(update={"landmarks": answer().report.face.landmarks[:100]})
    short = answer().model_copy(update={"report": answer().report.model_copy(update={"face": face})})
    assert compared(answer(), short).unsound == Flips(1, lost=1)
    assert group(compared(short, short)).quantities.keys().isdisjoint(LANDMARKS)


def test_sums_stay_finite() -> None:
    """A finite number beyond all sense can't turn a sum into infinity, which would hide everything after it."""
    tally = compared(answer(), answer(yaw=1e300))
    assert group(tally).quantities["pose.yaw"].squares == 1e6


def test_a_face_that_is_no_longer_found() -> None:
    """Refusing a photo that the stable revision takes is a verdict of its own, by the photo's tone, and no error."""
    refused = outcome_of(Rejected("no_face", "There is none."))
    assert refused == Outcome(Ending.REFUSED)
    tally = tally_of(outcome(answer(monk=9)), refused)
    assert tally.groups == {"dark": Group(verdicts={"face.found": Flips(1, lost=1)})}
    assert tally.errors == Flips(1)
    assert tally_of(refused, refused).groups == {"unknown": Group(verdicts={"face.found": Flips(1)})}
    assert tally_of(refused, outcome(answer())).groups == {
        "unknown": Group(verdicts={"face.found": Flips(1, gained=1)})
    }


def test_failures_are_counted_by_side() -> None:
    """A failure of either side is an error there, and nothing else of that pair is compared."""
    failed = outcome_of(RuntimeError("bug"))
    assert failed == Outcome(Ending.FAILED) == outcome_of(Unavailable("object_store_unavailable", "Away."))
    tally = tally_of(outcome(answer()), failed)
    assert (tally.errors, tally.groups, tally.unsound) == (Flips(1, lost=1), {}, Flips())
    assert (tally.paired.stable.errors, tally.paired.candidate.errors) == (0, 1)
    assert tally_of(failed, failed).errors == Flips(1)


@pytest.mark.parametrize("error", [Missing("photo_not_found", "Gone."), Unavailable("serving_full", "Full.")])
def test_what_says_nothing_of_a_revision_is_left_out(error: Exception) -> None:
    """A photo that went meanwhile, or a revision that is busy, is no failure of a model."""
    assert outcome_of(error) is None


def test_an_answer_is_read_back() -> None:
    """What a revision sends is what is compared."""
    assert outcome_of(answer().model_dump_json().encode()) == outcome(answer())
