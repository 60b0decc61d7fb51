"""What is painted is found, and little else moves. `python -m bench.bench_skin` does the same on all ten tones."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from mien_core.model.skin import Condition, MeasureName, SkinReport
from mien_serving.phantom import light, pigments, reliefs, tones
from mien_serving.phantom.catalogue import CONDITIONS
from mien_serving.phantom.face_plan import FacePlan, Picture, plan_of
from mien_serving.phantom.painted import Painted
from mien_serving.phantom.rendered import rendered
from tests import faces
from tests.unit.skin.conftest import Looker

FIVE = (0.2, 0.4, 0.6, 0.8, 1.0)
# The extreme tones at both ends of the series; the benchmark paints all five on all ten.
STRENGTHS = {2: (0.4, 1.0), 6: FIVE, 10: (0.4, 1.0)}
# One detection more or less.
SLACK = 0.03
MOST_MOVE = 0.1
PAINTED = [one for one in CONDITIONS if one != "blackheads"]


def of(report: SkinReport, condition: Condition) -> float:
    probability = report.probability_of(condition)
    assert probability is not None, report.abstained
    return probability


@pytest.mark.parametrize("condition", PAINTED)
@pytest.mark.parametrize("tone", sorted(STRENGTHS))
def test_a_painted_condition_raises_its_own_probability_across_one_half(
    look: Looker, base: Picture, plan: FacePlan, condition: Condition, tone: int
) -> None:
    """Strength by strength: never falling, from below one half to above; none of the others moves by more than 0.1."""
    clean = tones.in_tone(base, plan, tone)
    before = look(clean)
    reports = [look(CONDITIONS[condition](clean, plan, strength, tone).picture) for strength in STRENGTHS[tone]]
    series = [of(before, condition), *(of(report, condition) for report in reports)]
    assert all(later > earlier - SLACK for earlier, later in pairwise(series)), series
    assert series[0] < 0.5 < series[-1]
    for report in reports:
        for one in before.probabilities:
            after = report.probability_of(one.condition)
            if one.condition != condition and after is not None:
                assert abs(after - one.probability) <= MOST_MOVE, (one.condition, one.probability, after)


def test_on_rendered_skin_there_is_nothing_but_what_is_painted(look: Looker, base: Picture, plan: FacePlan) -> None:
    """Skin with nobody's own features: no condition before, and each painted one across one half, alone."""
    face = look.face(base)
    clean = rendered(base, plan, 6, 3)
    before = look.skin.analyse(clean, face)
    assert all(one.probability < 0.05 for one in before.probabilities)
    for condition in PAINTED:
        after = look.skin.analyse(CONDITIONS[condition](clean, plan, 1.0, 3).picture, face)
        assert of(after, condition) > 0.5
        for other in PAINTED:
            assert other == condition or abs(of(after, other) - of(before, other)) <= MOST_MOVE, (condition, other)


@pytest.mark.parametrize(("condition", "measure"), [("acne", "acne"), ("hyperpigmentation", "spots")])
def test_painted_lesions_are_found_where_they_are(
    look: Looker, base: Picture, plan: FacePlan, condition: Condition, measure: MeasureName
) -> None:
    """F1 of at least 0.85 over four tones; a lesion is found where a mark's middle lies within its radius."""
    true = painted_marks = found_marks = 0
    for tone in (1, 4, 7, 10):
        painted = CONDITIONS[condition](tones.in_tone(base, plan, tone), plan, 0.7, tone)
        middles = middles_of(look(painted.picture), measure, plan)
        true += matched(painted, middles)
        painted_marks += len(painted.marks)
        found_marks += len(middles)
    assert 2 * true / (painted_marks + found_marks) >= 0.85


def middles_of(report: SkinReport, name: MeasureName, plan: FacePlan) -> list[tuple[float, float]]:
    measure = report.measure(name)
    assert measure is not None
    means = [np.array(one.polygon).mean(axis=0) * (plan.width, plan.height) for one in measure.evidence]
    return [(float(x), float(y)) for x, y in means]


def matched(painted: Painted, middles: list[tuple[float, float]]) -> int:
    """How many marks are found, each piece of evidence used once."""
    free = list(middles)
    true = 0
    for mark in painted.marks:
        near = [one for one in free if np.hypot(one[0] - mark.x, one[1] - mark.y) <= mark.radius]
        if near:
            free.remove(near[0])
            true += 1
    return true


@pytest.mark.parametrize("tone", [1, 5, 9])
def test_painted_circles_come_back_in_cielab(look: Looker, base: Picture, plan: FacePlan, tone: int) -> None:
    """The measured distance of under-eye and cheek is the painted one to 1.5, and the metric falls."""
    clean = tones.in_tone(base, plan, tone)
    metrics = []
    for strength in (0.2, 0.4, 0.6):
        painted = pigments.dark_circles(clean, plan, strength, tone)
        report = look(painted.picture)
        measure = report.measure("dark_circles")
        assert measure is not None
        assert measure.value == pytest.approx(painted.truth, abs=1.5)
        assert report.metrics.dark_circles is not None
        metrics.append(report.metrics.dark_circles)
    assert metrics == sorted(metrics, reverse=True)


def test_painted_shine_makes_a_face_oily(look: Looker, base: Picture, plan: FacePlan) -> None:
    """More lamp, more shine."""
    clean = tones.in_tone(base, plan, 6)
    values = []
    for strength in (0.0, 0.5, 1.0):
        measure = look(reliefs.shine(clean, plan, strength, 1).picture).measure("shine")
        assert measure is not None
        values.append(measure.value)
    assert values == sorted(values)
    assert values[-1] > 2 * values[0]


def test_pores_are_counted_in_a_large_photo_only(look: Looker) -> None:
    """On a face of 1,050 pixels: an enlarged picture is too smooth to say; with a camera's grain none, then many."""
    large = faces.resized(faces.astronaut()[100:288, 140:330], 2122, 2100)
    smooth = look(large)
    assert {one.measure: one.reason for one in smooth.abstained}["pores"] == "smoothed"
    plan = plan_of(large, look.face(large))
    series = [
        of(look(light.noisy(reliefs.pores(large, plan, strength, 1).picture, 0.02, 1)), "blackheads")
        for strength in (0.0, 0.3, 1.0)
    ]
    assert series == sorted(series)
    assert series[0] < 0.1
    assert series[-1] > 0.5


@pytest.mark.parametrize(
    "change",
    [
        lambda photo: light.exposed(photo, -0.3),
        lambda photo: faces.resized(photo, round(photo.shape[1] * 0.7), round(photo.shape[0] * 0.7)),
        lambda photo: faces.resized(photo, round(photo.shape[1] * 1.3), round(photo.shape[0] * 1.3)),
        lambda photo: faces.rotated(photo, 10),
        lambda photo: faces.rotated(photo, -10),
    ],
    ids=["less light", "smaller", "larger", "clockwise", "anticlockwise"],
)
def test_the_same_face_photographed_a_little_differently_stays_the_same(
    look: Looker, base: Picture, base_report: SkinReport, change: Callable[[Picture], Picture]
) -> None:
    """No probability moves by more than 0.1, unless it is left out."""
    after = look(change(base))
    for one in base_report.probabilities:
        probability = after.probability_of(one.condition)
        assert probability is None or abs(probability - one.probability) <= 0.1, one.condition
