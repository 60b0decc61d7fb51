"""Bad input gets an honest answer: a code, a failed gate or an abstention, and no condition that isn't there."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from mien_core.model.face import FaceReport
from mien_core.model.skin import AbstentionReason, MeasureName, SkinReport
from tests.bad_input import SCENES, SEEN, WARPS, Eyes, portrait
from tests.faces import Picture
from tests.real_photos import real_photo_or_skip
from tests.scenes import printed_shirt
from tests.warps import Points, points_of, unit

# Each warp of the astronaut and the gates that must fail; what is missing here must fail none.
FAILED = {
    "lids closed": {"eyes_closed"},
    "glasses": {"eyeglasses"},
    "wire glasses": {"eyeglasses"},
    "sunglasses": {"eyeglasses", "occlusion"},
    "beard": {"occlusion"},
    "hand": {"occlusion"},
    "fringe": {"occlusion", "uneven_light"},
    "microphone": {"occlusion"},
    "wall's shadow": {"shadow", "uneven_light"},
    "blind's shadow": {"shadow"},
    "cap's shadow": {"shadow"},
    "turned 40": {"pose_yaw"},
    "turned 60": {"pose_yaw"},
    "night": {"underexposed"},
    "blue light": {"colour_cast"},
    "noise": {"noise"},
    "beauty filter": {"smoothed"},
    "blurred": {"blur"},
    "cut by the frame": {"face_out_of_bounds"},
    "200 x 200": {"resolution", "face_too_small"},
    "shirt behind": {"multiple_faces"},
}
# What must be left out, and why.
LEFT_OUT: dict[str, tuple[set[MeasureName], AbstentionReason]] = {
    "wire glasses": ({"wrinkles", "texture", "dark_circles", "dark_circles_lightness", "shine"}, "hidden"),
    "beard": ({"acne", "spots", "redness", "wrinkles", "texture", "shine"}, "hidden"),
    "hand": ({"acne", "spots", "redness", "wrinkles", "texture", "shine"}, "hidden"),
    "blind's shadow": ({"wrinkles", "texture", "redness", "radiance", "dark_circles"}, "light"),
    "cap's shadow": ({"wrinkles", "texture", "redness", "radiance", "dark_circles"}, "light"),
    "turned 40": ({"acne", "spots", "redness", "wrinkles", "radiance"}, "pose"),
    "night": ({"acne", "spots", "redness", "wrinkles", "radiance"}, "light"),
    "blue light": ({"acne", "spots", "redness", "dark_circles", "shine"}, "light"),
    "noise": ({"acne", "spots", "wrinkles", "texture"}, "light"),
    "beauty filter": ({"acne", "spots", "wrinkles", "texture", "shine"}, "smoothed"),
    "blurred": ({"acne", "spots", "wrinkles", "texture"}, "blur"),
    "cut by the frame": ({"redness", "radiance", "dark_circles", "shine"}, "hidden"),
}
NO_TONE = {
    "glasses", "sunglasses", "beard", "hand", "fringe", "microphone", "wall's shadow", "blind's shadow", "cap's shadow",
    "night", "blue light", "200 x 200", "turned 60",
}  # fmt: skip
# Drawn onto another person; the others are told by the same pixels on both.
ON_OTHERS = ["glasses", "wire glasses", "beard", "hand", "mask", "fringe", "blind's shadow", "beauty filter", "noise"]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.fixture(scope="session")
def eyes() -> Eyes:
    return Eyes()


@pytest.fixture(scope="session")
def good() -> Picture:
    return portrait()


def face_of(photo: Picture, eyes: Eyes) -> FaceReport:
    report = eyes.face(photo)
    assert report is not None
    return report


@pytest.fixture(scope="session")
def points(good: Picture, eyes: Eyes) -> Points:
    return points_of(good, face_of(good, eyes))


def failed(report: FaceReport) -> set[str]:
    return {gate.code for gate in report.face.quality.gates if not gate.passed}


def conditions(skin: SkinReport) -> set[str]:
    return {one.condition for one in skin.probabilities if one.probability > SEEN}


@pytest.mark.parametrize("name", [name for name in WARPS if name != "mask"])
def test_a_bad_photo_of_a_face_is_answered_honestly(name: str, good: Picture, points: Points, eyes: Eyes) -> None:
    """The gates named for it fail, what they make doubtful is left out, and no condition appears that isn't there."""
    photo = WARPS[name](good, points)
    report = face_of(photo, eyes)
    skin = eyes.of(photo, report)
    assert FAILED.get(name, set()) <= failed(report)
    assert name in FAILED or report.face.quality.passed
    measures, reason = LEFT_OUT.get(name, (set(), "hidden"))
    reasons = {one.measure: one.reason for one in skin.abstained}
    assert measures <= reasons.keys()
    assert {reasons[measure] for measure in measures} <= {reason}
    assert (report.tone is None) == (name in NO_TONE)
    # The good photo has none.
    assert conditions(skin) == set()


def test_a_masked_face_is_no_face_or_a_covered_one(good: Picture, points: Points, eyes: Eyes) -> None:
    """Whether the models still see a face behind a surgeon's mask or not, no skin is measured on the cloth."""
    photo = WARPS["mask"](good, points)
    report = eyes.face(photo)
    if report is not None:
        assert "occlusion" in failed(report)
        assert conditions(eyes.of(photo, report)) == set()


@pytest.mark.parametrize("name", ON_OTHERS)
def test_on_another_face_the_same_holds(name: str, eyes: Eyes) -> None:
    """With the thing drawn onto a darker, smiling face a gate fails and no condition is added to those it has."""
    whole = real_photo_or_skip("portrait-1.jpg")
    points = points_of(whole, face_of(whole, eyes))
    eye_distance = unit(points)
    left, top = (points[5, :2] - (2.8 * eye_distance, 3.2 * eye_distance)).astype(int).clip(0)
    right, bottom = (points[5, :2] + (2.8 * eye_distance, 3.4 * eye_distance)).astype(int)
    photo = np.ascontiguousarray(whole[top:bottom, left:right])
    report = face_of(photo, eyes)
    assert failed(report) == set()
    changed = WARPS[name](photo, points_of(photo, report))
    seen = eyes.face(changed)
    if seen is None:
        assert name == "mask"
        return
    assert failed(seen)
    assert conditions(eyes.of(changed, seen)) <= conditions(eyes.of(photo, report))


def test_a_cat_is_no_face(eyes: Eyes) -> None:
    """Its answer is the code no_face."""
    assert eyes.face(SCENES["cat"]()) is None


def test_a_drawn_face_is_no_skin(eyes: Eyes) -> None:
    """The models take a child's drawing for a face; its flat colours fail gates, and nothing is measured on them."""
    photo = SCENES["drawn face"]()
    report = face_of(photo, eyes)
    assert {"smoothed", "overexposed"} <= failed(report)
    assert report.tone is None
    assert eyes.of(photo, report).measures == ()


def test_of_a_person_and_a_printed_face_the_person_is_analysed(good: Picture, points: Points, eyes: Eyes) -> None:
    """Two faces are counted, a gate says so, and the report is that of the larger one, which is alive."""
    photo = WARPS["shirt behind"](good, points)
    report = face_of(photo, eyes)
    assert report.face.face_count == 2
    assert failed(report) == {"multiple_faces"}
    assert np.abs(points_of(photo, report)[:, :2] - points[:, :2]).max() < 0.03 * unit(points)


def test_a_printed_face_alone_is_taken_for_a_face_of_little_worth(eyes: Eyes) -> None:
    """Nothing here tells life from ink: it is analysed, but fails gates, has no tone and shows no condition."""
    photo = printed_shirt()
    report = face_of(photo, eyes)
    assert {"occlusion", "smoothed"} <= failed(report)
    assert report.tone is None
    assert conditions(eyes.of(photo, report)) == set()


def test_the_good_photo_is_good(good: Picture, eyes: Eyes) -> None:
    """What all of the above are compared with: every gate passes, a tone, and all but the pores is measured."""
    report = face_of(good, eyes)
    assert report.face.quality.passed
    assert report.tone is not None
    assert [one.measure for one in eyes.of(good, report).abstained] == ["pores"]
