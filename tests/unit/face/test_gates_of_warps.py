"""What a gate is about, drawn onto a face: the gate fails, and it passes without."""

import math
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien_core.model.face import FaceReport
from mien_serving.face.crop import crop_of
from mien_serving.face.engine import FaceEngine
from mien_serving.face.gates import quality_of
from mien_serving.face.grain import grain_of
from mien_serving.face.open_skin import OpenSkin, distance_to_skin
from mien_serving.face.pose import pose_of
from mien_serving.face.shadow import unexplained_stops
from mien_serving.phantom import pigments, tones
from mien_serving.phantom.face_plan import plan_of
from tests import faces, warps, warps_light
from tests.faces import Picture
from tests.real_photos import real_photo_or_skip
from tests.unit.face.test_gates import failed, gates_of, report_of
from tests.warps import Points, points_of


@pytest.fixture(scope="session")
def points(astronaut_report: FaceReport) -> Points:
    return points_of(faces.astronaut_1080p(), astronaut_report)


@pytest.mark.parametrize(
    ("warp", "expected"),
    [
        (warps_light.half_shadow, {"shadow"}),
        (warps_light.cap_shadow, {"shadow"}),
        (warps_light.blinds, {"shadow"}),
        (warps.bearded, {"occlusion"}),
        (warps.hand, {"occlusion"}),
        (warps.microphone, {"occlusion"}),
        (warps.glasses, {"eyeglasses"}),
        (lambda photo, points: warps.glasses(photo, points, thickness=0.02, colour=(150, 140, 120)), {"eyeglasses"}),
        (lambda photo, points: warps.glasses(photo, points, tint=0.93), {"eyeglasses", "occlusion"}),
        (warps.lids_closed, {"eyes_closed"}),
        (lambda photo, _: warps_light.lit_by(photo, (0.25, 0.5, 1.0)), {"colour_cast"}),
        (lambda photo, _: warps_light.lit_by(photo, (0.5, 0.75, 0.35)), {"colour_cast"}),
        (lambda photo, _: warps_light.noisy(photo), {"noise"}),
        (warps.beautified, {"smoothed"}),
    ],
    ids=[
        "half_shadow", "cap_shadow", "blinds", "beard", "hand", "microphone", "glasses", "wire_glasses", "sunglasses",
        "lids_closed", "blue_light", "green_light", "noise", "beautified",
    ],
)  # fmt: skip
def test_a_warp_fails_its_own_gate(
    warp: Callable[[Picture, Points], Picture], expected: set[str], engine: FaceEngine, points: Points
) -> None:
    """The good photo passes all; with the thing drawn onto it the gate named for it fails, with advice."""
    report = report_of(engine, warp(faces.astronaut_1080p(), points))
    assert expected <= failed(report)
    assert all(gates_of(report)[code].advice for code in expected)


@pytest.mark.parametrize("tone", range(1, 11))
def test_gates_say_the_same_of_every_tone(tone: int, engine: FaceEngine, astronaut_report: FaceReport) -> None:
    """The good photo passes every gate in each of the ten Monk tones."""
    photo = faces.astronaut_1080p()
    assert failed(report_of(engine, tones.in_tone(photo, plan_of(photo, astronaut_report), tone))) == set()


@pytest.mark.parametrize(
    "change",
    [
        lambda photo: faces.relit(photo, 0.3),
        lambda photo: faces.relit(photo, np.array([1.0, 0.85, 0.6])),
        lambda photo: faces.relit(photo, 0.8 * 2.0 ** (-0.6 * np.linspace(-2.7, 2.7, 1920))[None, :, None]),
        lambda photo: faces.rotated(photo, 15),
        lambda photo: faces.resized(photo, 1280, 720),
        lambda photo: warps_light.noisy(photo, 0.03),
        faces.mirrored,
    ],
    ids=["darker", "warmer", "from_one_side", "tilted", "smaller", "grain", "mirrored"],
)
def test_ordinary_photos_pass(change: Callable[[Picture], Picture], engine: FaceEngine) -> None:
    """What differs between one good photo and another fails no gate."""
    assert failed(report_of(engine, change(faces.astronaut_1080p()))) == set()


@pytest.mark.parametrize("name", ["portrait-1.jpg", "portrait-2.jpg", "speaking.jpg", "small-backlit.jpg"])
def test_real_portraits_pass_every_gate(name: str, engine: FaceEngine) -> None:
    """Other people's photos, onto whom nothing was drawn, have no glasses, shadows, covers or filters."""
    assert failed(report_of(engine, real_photo_or_skip(name))) == set()


def test_a_photo_without_colours_has_no_gates_of_colour(engine: FaceEngine) -> None:
    """In black and white nothing is said about covers, skin and light's colour; the rest is judged, and passes."""
    report = report_of(engine, faces.grey(faces.astronaut_1080p()))
    assert not gates_of(report).keys() & {"occlusion", "too_little_skin", "colour_cast"}
    assert failed(report) == set()


def test_in_the_dark_gates_of_shape_are_left_out(engine: FaceEngine) -> None:
    """In the dark nothing is said about shadows, frames and eyes."""
    report = report_of(engine, faces.relit(faces.astronaut_1080p(), 0.03))
    assert "underexposed" in failed(report)
    assert not gates_of(report).keys() & {"shadow", "occlusion", "eyeglasses", "eyes_closed", "colour_cast"}


def test_a_face_beyond_the_frame_has_little_skin(points: Points) -> None:
    """What the frame cuts off counts as missing: with a sixth of the face left, less than 15 % is in view."""
    crop = crop_of(faces.astronaut_1080p(), points)
    whole, shown = OpenSkin(crop), crop.inside.copy()
    shown[:, 56:] = False
    share = OpenSkin(replace(crop, inside=shown)).skin_share
    assert whole.skin_share is not None
    assert whole.skin_share > 0.9
    assert share is not None
    assert share < 0.15


def test_deeper_shadows_leave_more_unexplained(points: Points) -> None:
    """The value grows with the shadow's depth, and by no more than that; light falling off sideways adds nothing."""
    photo = faces.astronaut_1080p()

    def stops(picture: Picture) -> float:
        value = unexplained_stops(OpenSkin(crop_of(picture, points)))
        assert value is not None
        return value

    clear = stops(photo)
    deep = [stops(warps_light.blinds(photo, points, stops=depth)) for depth in (0.4, 0.8, 1.2)]
    assert clear < deep[0] < deep[1] < deep[2] < clear + 1.5
    across = np.linspace(-2.7, 2.7, 1920)
    assert stops(faces.relit(photo, 0.6 * 2.0 ** (-0.5 * across)[None, :, None])) == pytest.approx(clear, abs=0.1)


@pytest.mark.parametrize(
    ("hue", "chroma", "distance"),
    [(60, 20, 0), (30, 48, 0), (60, 58, 10), (60, 1, 2), (0, 20, 10), (185, 20, math.hypot(20, 3))],
)
def test_the_distance_to_skin_is_to_its_nearest_colour(hue: float, chroma: float, distance: float) -> None:
    """Nothing within hues of 30 to 95 degrees and a chroma of 3 to 48; else the way to that sector's edge."""
    angle = math.radians(hue)
    assert distance_to_skin(chroma * math.cos(angle), chroma * math.sin(angle)) == pytest.approx(distance, abs=0.01)


def test_noise_is_given_at_the_scale_of_the_measures(points: Points) -> None:
    """Noise of 3 % of the light in the photo's pixels is 3 % there, and less in a photo of twice the size."""
    generator = np.random.default_rng(0)
    scale = 128 / warps.unit(points)
    spots = points * scale

    def seen(side: float) -> float:
        size = (round(1920 * scale * side), round(1080 * scale * side))
        flat = np.full((size[1], size[0], 3), 0.3) * (1 + 0.03 * generator.standard_normal((size[1], size[0], 1)))
        value = grain_of(faces.relit(np.full((size[1], size[0], 3), 255, np.uint8), flat), spots * side).noise
        assert value is not None
        return value

    assert seen(1) == pytest.approx(3, abs=0.3)
    assert seen(2) == pytest.approx(1.5, abs=0.3)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_mesh_the_gates_are_judged(seed: int, points: Points) -> None:
    """Beyond the photo's edge, squeezed to a line, tiny or turned over: gates are left out, none breaks."""
    generator = np.random.default_rng(seed)
    photo = faces.astronaut_1080p()
    middle = points.mean(axis=0)
    scale = generator.choice([0.01, 0.2, 1.0, 4.0], 3) * generator.choice([1.0, 1.0, -1.0, 0.001], 3)
    moved = (points - middle) * scale + middle + generator.normal(0, 600, 3)
    gates = quality_of(photo, moved, 1, pose_of(moved), crop_of(photo, moved)).gates
    assert all(math.isfinite(one.value) for one in gates)
    assert {"resolution", "face_out_of_bounds"} <= {one.code for one in gates}


def test_small_faces_have_no_grain(points: Points) -> None:
    """Below 80 pixels between the eyes noise isn't told from skin, below 64 smoothness neither."""
    photo = cv2.resize(faces.astronaut_1080p(), (800, 450), interpolation=cv2.INTER_AREA)
    grain = grain_of(np.asarray(photo, dtype=np.uint8), points * (800 / 1920))
    assert grain.noise is None
    assert grain.texture is not None
    least = grain_of(np.asarray(photo, dtype=np.uint8), points * 0.2)
    assert least.texture is None


@pytest.mark.parametrize("strength", [0.4, 0.7, 1.0])
def test_a_flush_covers_nothing(engine: FaceEngine, astronaut_report: FaceReport, strength: float) -> None:
    """Red cheeks are skin: however strong the flush, nothing is said to cover the face or its lips."""
    photo = faces.astronaut_1080p()
    flushed = pigments.redness(photo, plan_of(photo, astronaut_report), strength, 0).picture
    assert failed(report_of(engine, flushed)) == set()
