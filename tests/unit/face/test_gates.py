from dataclasses import replace

import numpy as np
import pytest

from mien_core.model.face import FaceReport, Gate
from mien_serving.face.crop import crop_of
from mien_serving.face.engine import FaceEngine
from mien_serving.face.gates import gate, inside_share, quality_of
from mien_serving.face.topology import LEFT_CHEEK, RIGHT_CHEEK
from tests import faces

CHEEKS = (RIGHT_CHEEK, LEFT_CHEEK)


def report_of(engine: FaceEngine, picture: faces.Picture) -> FaceReport:
    outcome = engine.analyse([picture])[0].outcome
    assert isinstance(outcome, FaceReport)
    return outcome


def gates_of(report: FaceReport) -> dict[str, Gate]:
    return {one.code: one for one in report.face.quality.gates}


def failed(report: FaceReport) -> set[str]:
    return {one.code for one in report.face.quality.gates if not one.passed}


def test_a_good_photo_passes_every_gate(astronaut_report: FaceReport) -> None:
    """No gate fails, none gives advice, and the whole is passed."""
    assert astronaut_report.face.quality.passed
    assert failed(astronaut_report) == set()
    assert all(one.advice is None for one in astronaut_report.face.quality.gates)
    assert list(gates_of(astronaut_report)) == [
        "resolution",
        "multiple_faces",
        "face_too_small",
        "face_out_of_bounds",
        "pose_yaw",
        "pose_pitch",
        "pose_roll",
        "blur",
        "underexposed",
        "overexposed",
        "uneven_light",
        "shadow",
        "occlusion",
        "eyeglasses",
        "too_little_skin",
        "eyes_closed",
        "colour_cast",
        "noise",
        "smoothed",
    ]


def test_a_face_of_forty_pixels_is_called_too_small(engine: FaceEngine) -> None:
    """It is found in a full HD photo, its size is told to 2 pixels, it gets advice and no tone."""
    report = report_of(engine, faces.tiny_face(40))
    assert "face_too_small" in failed(report)
    size = gates_of(report)["face_too_small"]
    assert size.value == pytest.approx(40, abs=2)
    assert size.advice is not None
    assert report.tone is None
    assert not report.face.quality.passed


def test_of_two_faces_the_larger_is_analysed(engine: FaceEngine) -> None:
    """The report counts both, says so in its gate, and describes the one on the left, which is larger."""
    report = report_of(engine, faces.two_faces())
    assert report.face.face_count == 2
    assert report.face.bounding_box.left + report.face.bounding_box.width < 0.5
    assert failed(report) == {"multiple_faces"}
    assert gates_of(report)["multiple_faces"].value == 2
    assert report.tone is not None


def test_a_small_photo_fails_resolution_alone_with_its_face(engine: FaceEngine) -> None:
    """A photo of 300 pixels has too few; a large face in it is still found."""
    report = report_of(engine, faces.resized(faces.astronaut()[40:240, 120:320], 300, 300))
    assert failed(report) == {"resolution"}
    assert gates_of(report)["resolution"].value == 300


def test_a_face_cut_by_the_frame_is_out_of_bounds(engine: FaceEngine) -> None:
    """With a third of the face beyond the edge; its box reaches beyond the photo."""
    photo = faces.astronaut_1080p()
    report = report_of(engine, photo[:, 790:])
    assert "face_out_of_bounds" in failed(report)
    assert gates_of(report)["face_out_of_bounds"].value < 0.9
    assert report.face.bounding_box.left < 0


def test_a_head_on_its_side_fails_roll(engine: FaceEngine) -> None:
    """At 40 degrees; the value has no sign, so that it compares with the threshold."""
    report = report_of(engine, faces.rotated(faces.astronaut_1080p(), -40))
    assert failed(report) == {"pose_roll"}
    assert gates_of(report)["pose_roll"].value == pytest.approx(-report.face.pose.roll, abs=0.01)


@pytest.mark.parametrize("width", [150, 250, 500])
def test_blur_is_told_from_resolution(width: int, engine: FaceEngine) -> None:
    """A blur of 1.5 % of the face's width fails at any resolution; the sharp photo passes at each of them."""
    picture = faces.face_of_width(width)
    assert "blur" not in failed(report_of(engine, picture))
    assert "blur" in failed(report_of(engine, faces.blurred(picture, 0.015 * width)))


def test_blur_grows_with_blur(engine: FaceEngine) -> None:
    """The sharpness falls with every step, from sharp to hardly a face."""
    photo = faces.astronaut_1080p()
    values = [
        gates_of(report_of(engine, faces.blurred(photo, sigma) if sigma else photo))["blur"].value
        for sigma in (0, 3, 6, 10)
    ]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.1 * values[0]


@pytest.mark.parametrize(
    ("factor", "expected"), [(4.0, {"overexposed"}), (1.0, set()), (0.25, set()), (0.03, {"underexposed"})]
)
def test_exposure_is_judged_by_what_is_lost(factor: float, expected: set[str], engine: FaceEngine) -> None:
    """Two stops more burn out, two stops less are only darker, five stops less are too dark; no tone then."""
    report = report_of(engine, faces.relit(faces.astronaut_1080p(), factor))
    assert failed(report) & {"overexposed", "underexposed"} == expected
    assert (report.tone is None) == bool(expected)


def test_light_from_one_side_is_uneven(engine: FaceEngine, astronaut_report: FaceReport) -> None:
    """A fall of light across the face adds its stops to those that were there; no tone then."""
    photo = faces.astronaut_1080p()
    centre = astronaut_report.face.bounding_box.left + astronaut_report.face.bounding_box.width / 2
    across = (np.arange(1920) / 1920 - centre) / astronaut_report.face.bounding_box.width
    lit = faces.relit(photo, 0.5 * 2.0 ** (-2 * across[None, :, None]))
    report = report_of(engine, lit)
    assert failed(report) == {"uneven_light"}
    right, left = (np.mean([astronaut_report.face.landmarks[each].x for each in cheek]) for cheek in CHEEKS)
    added = 2 * float(left - right) / astronaut_report.face.bounding_box.width
    before = gates_of(astronaut_report)["uneven_light"].value
    assert gates_of(report)["uneven_light"].value == pytest.approx(before + added, abs=0.2)
    assert report.tone is None


def test_a_hidden_half_leaves_the_light_unjudged(astronaut_report: FaceReport) -> None:
    """Where half of the face is beyond the frame, gates that compare the halves are left out instead of guessed."""
    photo = faces.astronaut_1080p()
    points = np.array([[one.x, one.y, one.z] for one in astronaut_report.face.landmarks]) * (1920, 1080, 1920)
    crop = crop_of(photo, points)
    half = crop.inside.copy()
    half[:, :96] = False
    hidden = replace(crop, inside=half)
    gates = quality_of(photo, points, 1, astronaut_report.face.pose, hidden).gates
    left_out = {one.code for one in astronaut_report.face.quality.gates} - {one.code for one in gates}
    assert left_out == {"uneven_light", "shadow"}


@pytest.mark.parametrize("code", ["resolution", "blur", "pose_yaw", "overexposed"])
def test_a_threshold_itself_is_passed(code: str) -> None:
    """At the threshold a gate passes without advice; a step beyond it fails, with one sentence."""
    at = gate(code, gate(code, 0).threshold)
    assert at.passed
    assert at.advice is None
    beyond = [gate(code, at.threshold + step) for step in (-0.01, 0.01)]
    assert sorted(one.passed for one in beyond) == [False, True]
    advice = next(one.advice for one in beyond if not one.passed)
    assert advice is not None
    assert advice.endswith(".")


def test_points_on_the_edge_are_inside() -> None:
    """The frame belongs to the photo."""
    points = np.array([[0, 0, 0], [100, 50, 0], [101, 50, 0], [50, -1, 0]])
    assert inside_share(points.astype(float), 100, 50) == 0.5
