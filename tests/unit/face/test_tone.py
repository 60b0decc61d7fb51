import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mien_core.model.face import MONK_SCALE, FaceReport
from mien_serving.face.crop import FaceCrop, crop_of
from mien_serving.face.engine import FaceEngine
from mien_serving.face.tone import (
    MONK_LAB,
    class_of,
    ita_of,
    skin_colour,
    skin_pixels,
    tone_in,
    tone_of,
    undertone_of,
)
from mien_serving.face.topology import FACE_OVAL, LEFT_EYE, LIPS_OUTER, RIGHT_EYE
from tests import faces


def points_of(report: FaceReport, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    height, width = picture.shape[:2]
    return np.array([[one.x, one.y, one.z] for one in report.face.landmarks]) * (width, height, width)


def painted(crop: FaceCrop, colour: str, noise: float = 0.0) -> FaceCrop:
    """The crop with one colour in place of everything, plus noise."""
    generator = np.random.default_rng(0)
    flat = np.array(list(bytes.fromhex(colour)), dtype=float) + generator.normal(0, noise, crop.pixels.shape)
    return FaceCrop(np.clip(np.round(flat), 0, 255).astype(np.uint8), crop.points, crop.inside)


@pytest.fixture
def crop(astronaut_report: FaceReport) -> FaceCrop:
    photo = faces.astronaut_1080p()
    return crop_of(photo, points_of(astronaut_report, photo))


def recoloured(report: FaceReport, colour: str) -> NDArray[np.uint8]:
    """The astronaut with skin of another colour under the same light; eyes, mouth and surroundings stay."""
    photo = faces.astronaut_1080p()
    points = points_of(report, photo)
    crop = crop_of(photo, points)
    skin = skin_pixels(crop)
    assert skin is not None
    target = linear(np.array([[list(bytes.fromhex(colour))]], dtype=np.uint8))[0, 0]
    factor = target / linear(np.median(skin, axis=0)[None, None].astype(np.uint8))[0, 0]
    mask = filled(photo, points[list(FACE_OVAL), :2])
    for part in (RIGHT_EYE, LEFT_EYE, LIPS_OUTER):
        mask &= ~filled(photo, points[list(part), :2])
    return faces.relit(photo, np.where(mask[..., None], factor, 1.0))


def linear(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    encoded = pixels / 255
    return np.asarray(np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4))


def filled(photo: NDArray[np.uint8], corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    canvas = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(canvas, [np.round(corners).astype(np.int32)], 1)
    return canvas > 0


@pytest.mark.parametrize("number", range(1, 11))
def test_a_face_painted_in_a_monk_tone_has_that_tone(number: int, crop: FaceCrop) -> None:
    """Each of the ten tones comes back, at no distance, and through camera noise with hardly any."""
    exact = tone_in(painted(crop, MONK_SCALE[number - 1]))
    assert exact is not None
    assert (exact.monk.tone, exact.monk.delta_e) == (number, 0)
    noisy = tone_in(painted(crop, MONK_SCALE[number - 1], noise=3))
    assert noisy is not None
    assert noisy.monk.tone == number
    assert noisy.monk.delta_e < 1


@pytest.mark.parametrize("number", range(5, 11))
def test_no_skin_is_too_dark_for_the_gates(number: int, engine: FaceEngine, astronaut_report: FaceReport) -> None:
    """A photo whose gates all pass still does with any darker skin under its light, and the tone follows the skin."""
    assert astronaut_report.face.quality.passed
    report = engine.analyse([recoloured(astronaut_report, MONK_SCALE[number - 1])])[0].outcome
    assert isinstance(report, FaceReport)
    assert [gate.code for gate in report.face.quality.gates if not gate.passed] == []
    assert report.tone is not None
    assert report.tone.monk.tone == number


def test_shine_shadow_and_hair_hardly_move_the_colour(crop: FaceCrop) -> None:
    """A quarter of the skin as clipped highlight and a fifth as black move the colour by less than 2."""
    flat = painted(crop, MONK_SCALE[5], noise=2)
    plain = skin_pixels(flat)
    assert plain is not None
    disturbed = flat.pixels.copy()
    generator = np.random.default_rng(1)
    fate = generator.random(disturbed.shape[:2])
    disturbed[fate < 0.25] = 255
    disturbed[fate > 0.8] = 10
    rest = skin_pixels(FaceCrop(disturbed, flat.points, flat.inside))
    assert rest is not None
    np.testing.assert_allclose(skin_colour(rest), skin_colour(plain), atol=2)


def test_no_tone_without_skin_or_colour(crop: FaceCrop) -> None:
    """Skin that is clipped or outside the photo has no tone, nor has a photo in black and white."""
    assert tone_in(painted(crop, "ffffff")) is None
    assert tone_in(painted(crop, "808080")) is None
    outside = FaceCrop(crop.pixels, crop.points, np.zeros_like(crop.inside))
    assert tone_in(outside) is None


@pytest.mark.parametrize(
    ("ita", "expected"),
    [(56, "very_light"), (55, "light"), (42, "light"), (30, "intermediate"), (28, "tan"), (0, "brown"), (-31, "dark")],
)
def test_classes_have_the_published_bounds(ita: float, expected: str) -> None:
    """55, 41, 28, 10 and -30 degrees; a bound itself belongs to the darker class."""
    assert class_of(ita) == expected


def test_ita_is_the_angle_around_the_middle_grey() -> None:
    """atan2(L* - 50, b*) in degrees."""
    assert ita_of(np.array([70.0, 10.0, 20.0])) == pytest.approx(45)
    assert ita_of(np.array([50.0, 10.0, 20.0])) == 0


@given(st.floats(15, 90), st.floats(8, 35))
def test_yellower_skin_is_never_cooler(lightness: float, chroma: float) -> None:
    """At one lightness and chroma the undertone goes from cool over neutral to warm as the hue turns to yellow."""
    order = {"cool": 0, "neutral": 1, "warm": 2}
    found = [
        order[undertone_of(np.array([lightness, chroma * np.cos(hue), chroma * np.sin(hue)]))]
        for hue in np.radians([35, 56, 80])
    ]
    assert found == [0, 1, 2]


def test_a_report_is_rounded() -> None:
    """ITA and distance have two decimals."""
    tone = tone_of(MONK_LAB[4] + 0.123456)
    assert tone.ita == round(tone.ita, 2)
    assert tone.monk.delta_e == round(tone.monk.delta_e, 2)
