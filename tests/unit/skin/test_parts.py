"""The parts of the skin library, each against what its formula says."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mien_core.model.skin import Condition, MeasureName, SkinType
from mien_serving.face.topology import FACE_OVAL
from mien_serving.skin.blobs import blobs_in, contrast
from mien_serving.skin.constancy import lamp_of
from mien_serving.skin.finding import Finding, bootstrap, poisson_interval
from mien_serving.skin.probability import CURVES, SOURCES, Curve, metrics_of, probabilities_of, skin_type_of
from mien_serving.skin.surface import noise_of
from mien_serving.skin.wrinkles import ridges


def finding(value: float, **by_region: float) -> Finding:
    return Finding(value, "", value, value, "", 100, by_region=by_region)


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0.0, 2.996), (1, 0.051, 4.744), (10, 5.425, 16.962)])
def test_a_counts_interval_is_the_published_one(count: int, low: float, high: float) -> None:
    """Garwood's 90 % limits, to 2 % (Wilson and Hilferty's approximation of the quantiles)."""
    found = poisson_interval(count)
    assert found[0] == pytest.approx(low, rel=0.02, abs=0.06)
    assert found[1] == pytest.approx(high, rel=0.02)


def test_a_bootstrap_surrounds_the_median_and_repeats() -> None:
    """The interval holds the median, narrows with more samples, and is the same each time."""
    generator = np.random.default_rng(1)
    few, many = generator.normal(5, 1, 20), generator.normal(5, 1, 500)
    low, high = bootstrap(many)
    assert low <= float(np.median(many)) <= high
    assert high - low < bootstrap(few)[1] - bootstrap(few)[0]
    assert bootstrap(many) == (low, high)
    assert bootstrap(np.empty(0)) == (0.0, 0.0)


@pytest.mark.parametrize("radius", [3.0, 5.0, 8.0])
def test_a_disc_is_found_at_its_size(radius: float) -> None:
    """Place to 1 pixel, radius to 30 %, contrast to 10 %, roundness near 1."""
    down, across = np.mgrid[:80, :80]
    disc = (2.0 * (np.hypot(across - 40, down - 38) <= radius)).astype(np.float32)
    sigmas = [1.5 * 1.3**step for step in range(7)]
    everywhere = np.ones(disc.shape, dtype=np.bool_)
    [blob, *_] = blobs_in(disc, everywhere, sigmas, 0.5, 0.0)
    assert np.hypot(blob.x - 40, blob.y - 38) <= 1
    assert blob.radius == pytest.approx(radius, rel=0.3)
    assert blob.roundness > 0.8
    found = contrast(disc[..., None], everywhere, blob)
    assert found is not None
    assert found[0] == pytest.approx(2.0, rel=0.1)


def test_a_line_is_not_round() -> None:
    """The same search on a line answers with blobs of no roundness."""
    line = np.zeros((80, 80), dtype=np.float32)
    line[39:42] = 2.0
    found = blobs_in(line, np.ones(line.shape, dtype=np.bool_), [1.5, 2.5], 0.3, 0.0)
    assert all(blob.roundness < 0.3 for blob in found if 15 < blob.x < 65)


def valley(angle: float, depth: float, width: float = 1.6) -> NDArray[np.float32]:
    down, across = np.mgrid[:101, :101] - 50.0
    distance = across * np.sin(angle) + down * np.cos(angle)
    return np.asarray(-depth * np.exp(-(distance**2) / (2 * width**2)), dtype=np.float32)


@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 4, np.pi / 2])
@pytest.mark.parametrize("depth", [0.1, 0.3])
def test_a_dark_line_answers_with_its_contrast_in_any_direction(angle: float, depth: float) -> None:
    """A deep line answers fully, a faint one half as much; the contrast comes back to 10 %."""
    answer, found = ridges(valley(angle, depth))
    assert answer[50, 50] > (0.9 if depth > 0.2 else 0.4)
    assert found[50, 50] == pytest.approx(depth, rel=0.1)


def test_bright_lines_edges_and_discs_are_no_wrinkles() -> None:
    """Only dark lines answer: not their opposite, not a step of light, not a dot."""
    down, across = np.mgrid[:101, :101] - 50.0
    bright = -valley(0.5, 0.3)
    step = (0.3 / (1 + np.exp(-across / 1.5))).astype(np.float32)
    disc = (-0.3 * np.exp(-(across**2 + down**2) / (2 * 1.6**2))).astype(np.float32)
    assert ridges(bright)[0][50, 50] == 0
    assert ridges(step)[0][20:80, 47:54].max() < 0.5
    assert ridges(disc)[0][50, 50] < 0.2


def test_the_cameras_noise_is_measured() -> None:
    """White noise comes back to 10 %, on a slope as well."""
    generator = np.random.default_rng(2)
    slope = np.linspace(0, 3, 200, dtype=np.float32)[None, :].repeat(200, axis=0)
    noisy = slope + generator.normal(0, 0.02, (200, 200)).astype(np.float32)
    assert noise_of(noisy, np.ones(noisy.shape, dtype=np.bool_)) == pytest.approx(0.02, rel=0.1)


def oval(width: int, height: int) -> NDArray[np.float64]:
    points = np.full((468, 3), (width / 2, height / 2, 0.0))
    angles = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    points[list(FACE_OVAL), 0] += width * 0.15 * np.cos(angles)
    points[list(FACE_OVAL), 1] += height * 0.2 * np.sin(angles)
    return points


def test_a_weak_cast_on_a_grey_scene_is_taken_out() -> None:
    """The gains undo the lamp to 1 %; the face itself has no say."""
    generator = np.random.default_rng(3)
    scene = generator.integers(60, 200, (90, 120, 1)).repeat(3, axis=2).astype(np.float64)
    cast = np.array([1.03, 1.0, 0.97])
    photo = np.round(scene * cast).astype(np.uint8)
    photo[30:60, 50:70] = (200, 90, 70)
    lamp = lamp_of(photo, oval(120, 90))
    undone = lamp.gains * cast**2.2
    assert undone / undone.mean() == pytest.approx(np.ones(3), abs=0.01)
    assert 0 < lamp.angle < 5


def test_a_photo_that_is_all_face_keeps_its_colours() -> None:
    """Where no scene is left there is nothing to go by, and nothing is changed."""
    points = oval(120, 90)
    points[:, :2] = (points[:, :2] - (60, 45)) * 6 + (60, 45)
    lamp = lamp_of(np.full((90, 120, 3), (200, 120, 90), dtype=np.uint8), points)
    assert lamp.gains.tolist() == [1, 1, 1]
    assert lamp.angle == 0


@given(st.sampled_from(sorted(CURVES)), st.floats(0, 1e4), st.floats(0, 1e4))
def test_every_curve_is_monotone_and_a_probability(name: MeasureName, one: float, other: float) -> None:
    """More of what is measured never lowers the probability (for radiance: never raises it)."""
    curve = CURVES[name]
    low, high = sorted([one, other])
    assert 0 <= curve.at(low) <= 1
    assert (curve.at(low) >= curve.at(high)) if curve.falling else (curve.at(low) <= curve.at(high))


@pytest.mark.parametrize("curve", [*CURVES.values(), Curve(1.0, 1.0)])
def test_every_curve_is_one_half_at_its_half(curve: Curve) -> None:
    """That is what the half says."""
    assert curve.at(curve.half) == pytest.approx(0.5)


def test_each_condition_has_its_measure_and_what_is_missing_stays_missing() -> None:
    """Without a finding there is neither a probability nor a metric."""
    assert set(SOURCES.values()) <= set(CURVES)
    assert probabilities_of({}) == {}
    assert set(metrics_of({}).model_dump().values()) == {None}
    half: dict[MeasureName, Finding] = {"texture": finding(CURVES["texture"].half)}
    assert probabilities_of(half) == {"uneven_texture": 0.5}
    assert metrics_of(half).texture == 50.0


SHINY, MATT = 50.0, 0.0


@pytest.mark.parametrize(
    ("shine", "probabilities", "expected"),
    [
        ({"nose_bridge": SHINY, "cheek_upper_right": SHINY}, {}, "oily"),
        ({"nose_bridge": SHINY, "cheek_upper_right": MATT}, {}, "combination"),
        ({"nose_bridge": MATT, "cheek_upper_right": MATT}, {}, "normal"),
        ({"nose_bridge": MATT, "cheek_upper_right": MATT}, {"dehydration": 0.7}, "dry"),
        ({"nose_bridge": MATT, "cheek_upper_right": MATT}, {"redness": 0.7, "dehydration": 0.6}, "sensitive"),
        (None, {"wrinkles": 0.8, "redness": 0.7}, "wrinkly"),
        (None, {"wrinkles": 0.8, "acne": 0.9}, "normal"),
        (None, {"wrinkles": 0.4, "redness": 0.3}, "normal"),
        (None, {}, None),
        (None, {"acne": 0.9}, None),
    ],
)
def test_the_type_is_the_sign_that_stands_out_most(
    shine: dict[str, float] | None, probabilities: dict[Condition, float], expected: SkinType | None
) -> None:
    """The six types by their rules; None where the photo shows none of their signs."""
    findings: dict[MeasureName, Finding] = {} if shine is None else {"shine": finding(0, **shine)}
    assert skin_type_of(findings, probabilities) == expected


def test_opencv_makes_the_same_cielab_as_the_face_library() -> None:
    """Two ways to CIELAB in one product must agree: to 0.6 in each coordinate."""
    from mien_serving.face.colour import lab_of_srgb, linear_of_srgb  # noqa: PLC0415 - used here alone

    colours = np.array([[[224, 172, 141], [96, 65, 52], [41, 36, 32], [250, 250, 250]]], dtype=np.uint8)
    theirs = cv2.cvtColor(linear_of_srgb(colours).astype(np.float32), cv2.COLOR_LRGB2LAB)
    assert theirs == pytest.approx(lab_of_srgb(colours), abs=0.6)
