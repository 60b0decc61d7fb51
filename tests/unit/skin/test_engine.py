"""What a skin report of a real face holds, and when there is none to be had."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mien_core.errors import Rejected
from mien_core.model.skin import MEASURES, SKIN_TYPES, SkinReport
from mien_serving.phantom import light
from mien_serving.phantom.face_plan import FacePlan, Picture
from mien_serving.skin.masks import masks
from mien_serving.skin.overlay import cut_to_face, evidence_drawn, regions_drawn
from mien_serving.skin.topology import REGIONS
from tests import faces
from tests.unit.skin.conftest import Looker


def reasons(report: SkinReport) -> dict[str, str]:
    return {one.measure: one.reason for one in report.abstained}


def test_a_report_names_at_least_25_regions_that_lie_on_the_face(base_report: SkinReport, plan: FacePlan) -> None:
    """Each is a polygon in parts of the photo, and its middle lies within the mesh."""
    assert len(base_report.regions) == len(REGIONS) >= 25
    lowest, highest = plan.points.min(axis=0), plan.points.max(axis=0)
    for region in base_report.regions:
        middle = np.array(region.polygon).mean(axis=0) * (plan.width, plan.height)
        assert (lowest < middle).all(), region.name
        assert (middle < highest).all(), region.name


def test_every_measure_is_there_or_says_why_not(base_report: SkinReport) -> None:
    """Nothing is missing silently; what is there has unit, method and an interval around its value."""
    named = {one.name for one in base_report.measures}
    assert named | reasons(base_report).keys() == set(MEASURES)
    assert not named & reasons(base_report).keys()
    for measure in base_report.measures:
        assert measure.unit
        assert measure.method
        assert measure.by_region
        assert measure.interval.low <= measure.value <= measure.interval.high
    assert all(one.advice for one in base_report.abstained)


def test_evidence_lies_in_the_face(base_report: SkinReport, plan: FacePlan) -> None:
    """Every outline that is shown lies within the mesh's bounds and names a region."""
    lowest, highest = plan.points.min(axis=0) - 1, plan.points.max(axis=0) + 1
    outlines = [evidence for measure in base_report.measures for evidence in measure.evidence]
    assert outlines
    for evidence in outlines:
        corners = np.array(evidence.polygon) * (plan.width, plan.height)
        assert (corners >= lowest).all()
        assert (corners <= highest).all()
        assert evidence.region in REGIONS


def test_an_ordinary_face_has_no_condition_but_its_own(base_report: SkinReport) -> None:
    """A healthy face in good light: every probability below one half, a known type, pores left out for their size."""
    assert {one.condition: one.probability for one in base_report.probabilities if one.probability >= 0.5} == {}
    assert base_report.skin_type in SKIN_TYPES
    assert base_report.abstained_conditions == ("blackheads",)
    assert reasons(base_report)["pores"] == "resolution"
    assert base_report.metrics.pores is None
    assert base_report.metrics.radiance is not None


def test_the_same_photo_gives_the_same_report(look: Looker, base: Picture, base_report: SkinReport) -> None:
    """To the last digit: results are cached by the photo's pixels."""
    assert look(base) == base_report


def test_a_report_survives_its_way_through_json(base_report: SkinReport) -> None:
    """What is saved is what is read."""
    assert SkinReport.model_validate_json(base_report.model_dump_json()) == base_report


def test_the_photo_stays_as_it_is(look: Looker, base: Picture) -> None:
    """An analysis writes nothing into its input."""
    before = base.copy()
    look(base)
    assert (base == before).all()


def test_masks_are_pictures_of_the_photos_size(base_report: SkinReport, plan: FacePlan) -> None:
    """One for each measure that has evidence; white at each piece's middle, black on most of the photo."""
    pictures = masks(base_report, plan.width, plan.height)
    assert pictures.keys() == {one.name for one in base_report.measures if one.evidence}
    for name, picture in pictures.items():
        mask = cv2.imdecode(np.frombuffer(picture, dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
        assert mask is not None
        assert mask.shape == (plan.height, plan.width)
        assert set(np.unique(mask)) == {0, 255}
        assert (mask == 0).mean() > 0.8
        measure = base_report.measure(name)
        assert measure is not None
        for evidence in measure.evidence:
            x, y = np.array(evidence.polygon[0]) * (plan.width, plan.height)
            around = mask[max(0, int(y) - 2) : int(y) + 3, max(0, int(x) - 2) : int(x) + 3]
            assert around.any()


@pytest.mark.parametrize("width", [1, 7, 8, 9, 640])
def test_masks_are_pngs_at_any_width(base_report: SkinReport, width: int) -> None:
    """Rows of bits are padded to whole bytes; every decoder gets back exactly the photo's width."""
    for picture in masks(base_report, width, 33).values():
        with Image.open(io.BytesIO(picture)) as mask:
            mask.load()
            assert (mask.mode, mask.size) == ("1", (width, 33))
    with pytest.raises(Rejected, match="empty_mask"):
        masks(base_report, 0, 10)


@pytest.mark.parametrize(
    ("photo", "measures", "reason"),
    [
        (faces.blurred(faces.astronaut_1080p(), 6), {"acne", "spots", "wrinkles", "texture", "dryness"}, "blur"),
        (faces.face_of_width(150)[:600], {"acne", "spots", "wrinkles", "texture", "dryness"}, "resolution"),
        (light.exposed(faces.astronaut_1080p(), 1.5), set(MEASURES), "light"),
        (light.exposed(faces.astronaut_1080p(), -5), set(MEASURES), "light"),
        (faces.grey(faces.astronaut_1080p()), {"acne", "spots", "redness", "dark_circles", "shine"}, "colourless"),
        (light.cast(faces.astronaut_1080p(), (0.2, 0.5, 1.0)), {"acne", "spots", "redness", "dark_circles"}, "light"),
        (light.noisy(faces.astronaut_1080p(), 0.2, 1), {"acne", "spots", "wrinkles", "texture", "dryness"}, "light"),
    ],
    ids=["blurred", "small", "glaring", "night", "black and white", "blue lamp", "noise"],
)
def test_what_a_photo_cannot_show_is_left_out(look: Looker, photo: Picture, measures: set[str], reason: str) -> None:
    """A bad photo gets a reason, never a number."""
    found = reasons(look(photo))
    assert {one: found.get(one) for one in measures} == dict.fromkeys(measures, reason)


def test_a_hidden_half_is_not_guessed(look: Looker, base: Picture, plan: FacePlan) -> None:
    """With grey card over both cheeks and the nose nothing is said of them."""
    covered = base.copy()
    left, right = plan.points[[234, 454], 0].astype(int)
    top, bottom = plan.points[[5, 17], 1].astype(int)
    covered[top:bottom, left:right] = 60
    report = look.skin.analyse(covered, look.face(base))
    assert reasons(report).keys() >= {"acne", "spots", "redness", "shine", "dryness"}
    assert set(reasons(report).values()) <= {"hidden", "resolution", "light", "colourless"}


def test_a_face_at_the_photos_edge_is_measured_where_it_is_seen(look: Looker, base: Picture, plan: FacePlan) -> None:
    """Half a face beyond the frame: no crash, and nothing pointed at outside."""
    middle = int(plan.points[5, 0])
    half = np.ascontiguousarray(base[:, middle - 30 :])
    shifted = look.faces.analyse([half])[0].outcome
    if isinstance(shifted, Rejected):
        pytest.skip("the detector finds no face in a half one")
    report = look.skin.analyse(half, shifted)
    corners = [point for measure in report.measures for one in measure.evidence for point in one.polygon]
    assert all(-0.01 <= x <= 1.01 and -0.01 <= y <= 1.01 for x, y in corners)


def test_what_is_drawn_is_drawn_on_a_copy(base: Picture, base_report: SkinReport) -> None:
    """Regions and evidence show; a measure that was left out draws nothing; the photo stays as it is."""
    before = base.copy()
    assert (regions_drawn(base, base_report) != base).any()
    assert (evidence_drawn(base, base_report, "wrinkles") != base).any()
    assert (evidence_drawn(base, base_report, "pores") == base).all()
    assert (base == before).all()
    cut = cut_to_face(base, base_report)
    assert 300 < cut.shape[1] < base.shape[1]
