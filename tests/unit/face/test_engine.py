from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien_core.errors import Rejected
from mien_core.model.face import FaceReport
from mien_serving.face.annotate import annotate
from mien_serving.face.engine import FaceEngine
from tests import faces


def points_of(report: FaceReport) -> NDArray[np.float64]:
    return np.array([[one.x, one.y, one.z] for one in report.face.landmarks])


def gates_of(report: FaceReport) -> list[tuple[str, bool]]:
    return [(gate.code, gate.passed) for gate in report.face.quality.gates]


@pytest.mark.parametrize("picture", [faces.no_face(), faces.cat(), faces.blank(), faces.blank(32, 2000, 0)])
def test_what_is_no_face_is_rejected(picture: faces.Picture, engine: FaceEngine) -> None:
    """Coffee, a cat, grey and a black strip: no_face, with a detail that says what to do."""
    outcome = engine.analyse([picture])[0].outcome
    assert isinstance(outcome, Rejected)
    assert outcome.code == "no_face"
    assert "Send" in outcome.detail


def test_a_batch_gives_what_each_photo_gives_alone(engine: FaceEngine) -> None:
    """Order is kept, photos without a face don't disturb, and the neighbours move no number but in its last digits."""
    photos = [faces.astronaut_1080p(), faces.no_face(), faces.two_faces(), faces.tiny_face(40), faces.astronaut()]
    together = [result.outcome for result in engine.analyse(photos)]
    alone = [engine.analyse([photo])[0].outcome for photo in photos]
    assert [isinstance(one, FaceReport) for one in together] == [True, False, True, True, True]
    for one, other in zip(together, alone, strict=True):
        if isinstance(one, FaceReport) and isinstance(other, FaceReport):
            np.testing.assert_allclose(points_of(one), points_of(other), atol=1e-4)
            assert one.face.face_count == other.face.face_count
            assert gates_of(one) == gates_of(other)
            assert (one.tone is None) == (other.tone is None)
            if one.tone and other.tone:
                assert one.tone.ita == pytest.approx(other.tone.ita, abs=0.1)
    assert engine.analyse([]) == []


def test_threads_share_one_engine(engine: FaceEngine, astronaut_report: FaceReport) -> None:
    """Four threads at once get what one gets."""
    photo = faces.astronaut_1080p()
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: engine.analyse([photo])[0].outcome, range(12)))
    assert all(outcome == astronaut_report for outcome in outcomes)


def test_the_report_lies_on_the_face(astronaut_report: FaceReport) -> None:
    """468 points inside the box, the box where the face is, one sure face, tone of light skin, numbers rounded."""
    face = astronaut_report.face
    assert len(face.landmarks) == 468
    box = face.bounding_box
    assert all(box.left - 1e-4 <= one.x <= box.left + box.width + 1e-4 for one in face.landmarks)
    assert all(box.top - 1e-4 <= one.y <= box.top + box.height + 1e-4 for one in face.landmarks)
    assert (box.left, box.top) == pytest.approx((0.35, 0.24), abs=0.02)
    assert (box.width, box.height) == pytest.approx((0.18, 0.37), abs=0.02)
    assert face.face_count == 1
    assert face.confidence > 0.8
    assert all(one.x == round(one.x, 5) and one.z == round(one.z, 5) for one in face.landmarks)
    assert astronaut_report.tone is not None
    assert astronaut_report.tone.tone_class in {"very_light", "light"}


def test_scale_does_not_change_the_report(engine: FaceEngine, astronaut_report: FaceReport) -> None:
    """Twice the resolution is the same face: box within 1 % of the photo, tone within 2 degrees."""
    outcome = engine.analyse([faces.resized(faces.astronaut_1080p(), 3840, 2160)])[0].outcome
    assert isinstance(outcome, FaceReport)
    one, other = outcome.face.bounding_box, astronaut_report.face.bounding_box
    assert (one.left, one.top, one.width, one.height) == pytest.approx(
        (other.left, other.top, other.width, other.height), abs=0.01
    )
    assert outcome.tone is not None
    assert astronaut_report.tone is not None
    assert outcome.tone.ita == pytest.approx(astronaut_report.tone.ita, abs=2)


def test_greyscale_works_and_has_no_tone(engine: FaceEngine) -> None:
    """A face in black and white is a face; its skin's colour can't be known."""
    outcome = engine.analyse([faces.grey(faces.astronaut_1080p())])[0].outcome
    assert isinstance(outcome, FaceReport)
    assert outcome.face.quality.passed
    assert outcome.tone is None


def test_each_step_is_timed(engine: FaceEngine) -> None:
    """Detect, mesh and measures, in milliseconds that have passed."""
    timings = engine.analyse([faces.astronaut()])[0].timings
    assert list(timings) == ["detect", "mesh", "measures"]
    assert all(spent > 0 for spent in timings.values())


@pytest.mark.parametrize(
    ("name", "yaw"),
    [
        ("portrait-1.jpg", (-5, 6)),
        ("portrait-2.jpg", (4, 15)),
        ("small-backlit.jpg", (5, 18)),
        ("speaking.jpg", (-30, -10)),
        ("cut-by-the-frame.jpg", (-6, 9)),
    ],
)
def test_real_photos_are_understood(name: str, yaw: tuple[float, float], engine: FaceEngine) -> None:
    """One face in each, with about the yaw that a person sees; only the one cut by the frame is out of bounds."""
    photo = faces.real_photo(name)
    if photo is None:
        pytest.skip("the photos for development are not beside this checkout")
    outcome = engine.analyse([photo])[0].outcome
    assert isinstance(outcome, FaceReport)
    assert outcome.face.face_count == 1
    assert yaw[0] < outcome.face.pose.yaw < yaw[1]
    gates = {gate.code: gate for gate in outcome.face.quality.gates}
    assert gates["face_out_of_bounds"].passed == (name != "cut-by-the-frame.jpg")


@pytest.mark.parametrize(
    ("picture", "size"),
    [
        (faces.astronaut_1080p(), (780, 439)),
        (faces.astronaut_portrait(), (540, 780)),
        (faces.two_faces(), (780, 439)),
        (faces.resized(faces.astronaut()[40:240, 120:320], 120, 120), (480, 480)),
    ],
)
def test_the_annotated_picture_shows_photo_and_panel(
    picture: faces.Picture, size: tuple[int, int], engine: FaceEngine
) -> None:
    """A PNG without metadata: the photo's part within the bound, the panel beside it, drawn onto neither too little."""
    outcome = engine.analyse([picture])[0].outcome
    assert isinstance(outcome, FaceReport)
    before = picture.copy()
    encoded = annotate(picture, outcome)
    assert (picture == before).all()
    image = Image.open(BytesIO(encoded))
    assert image.format == "PNG"
    assert image.info == {}
    assert image.width == size[0] + 340
    assert image.height >= size[1]
    top = (image.height - size[1]) // 2
    shown = np.asarray(image)[top : top + size[1], : size[0]].astype(int)
    plain = faces.resized(picture, *size).astype(int)
    changed = (np.abs(shown - plain).max(axis=2) > 40).mean()
    assert 0.001 < changed < 0.1
