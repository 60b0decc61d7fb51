from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage import color

from mien_serving.face.colour import ciede2000, lab_of_srgb, lightness_of_luminance, luminance_of_srgb

# scikit-image has annotations in places only, not here.
peer: Any = color

# Pairs of the table in Sharma, Wu, Dalal (2005): blues around the hue's break, near-greys, large differences.
PUBLISHED = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 3.1571, -77.2803), (50.0, 0.0, -82.7485), 2.8615),
    ((50.0, 2.8361, -74.0200), (50.0, 0.0, -82.7485), 3.4412),
    ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
    ((50.0, -1.1848, -84.8006), (50.0, 0.0, -82.7485), 1.0000),
    ((50.0, -0.9009, -85.5211), (50.0, 0.0, -82.7485), 1.0000),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, -1.0, 2.0), (50.0, 0.0, 0.0), 2.3669),
    ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0009), 7.1792),
    ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0010), 7.1792),
    ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0011), 7.2195),
    ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0012), 7.2195),
    ((50.0, -0.0010, 2.4900), (50.0, 0.0009, -2.4900), 4.8045),
    ((50.0, -0.0010, 2.4900), (50.0, 0.0011, -2.4900), 4.7461),
    ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((50.0, 2.5, 0.0), (61.0, -5.0, 29.0), 22.8977),
    ((50.0, 2.5, 0.0), (56.0, -27.0, -3.0), 31.9030),
    ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((63.0109, -31.0961, -5.8663), (62.8187, -29.7946, -4.0864), 1.2630),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]

colours = arrays(np.float64, 3, elements=st.floats(-120, 120, width=32))


@pytest.mark.parametrize(("one", "other", "published"), PUBLISHED)
def test_ciede2000_gives_the_published_differences(
    one: tuple[float, ...], other: tuple[float, ...], published: float
) -> None:
    """Each pair of Sharma's table has the difference that stands there, either way round."""
    assert float(ciede2000(np.array(one), np.array(other))) == pytest.approx(published, abs=5e-5)
    assert float(ciede2000(np.array(other), np.array(one))) == pytest.approx(published, abs=5e-5)


def test_ciede2000_agrees_with_scikit_image() -> None:
    """Over 20,000 pairs, near and far ones, two implementations agree to rounding."""
    generator = np.random.default_rng(0)
    one = generator.uniform([0, -90, -90], [100, 90, 90], (20_000, 3))
    other = generator.uniform([0, -90, -90], [100, 90, 90], (20_000, 3))
    other[:10_000] = one[:10_000] + generator.normal(0, 3, (10_000, 3))
    np.testing.assert_allclose(ciede2000(one, other), peer.deltaE_ciede2000(one, other), atol=1e-9)


@given(colours, colours)
def test_ciede2000_is_symmetric_and_zero_only_for_the_same(one: np.ndarray, other: np.ndarray) -> None:
    """A difference doesn't ask which colour comes first, is never negative, and a colour differs by 0 from itself."""
    one[0], other[0] = abs(one[0]), abs(other[0])
    forward, backward = float(ciede2000(one, other)), float(ciede2000(other, one))
    assert forward == pytest.approx(backward, abs=1e-6)
    assert forward >= 0
    assert float(ciede2000(one, one)) == 0


def test_lab_agrees_with_scikit_image() -> None:
    """CIELAB of any sRGB colour is scikit-image's, apart from its longer matrix (0.02)."""
    pixels = np.random.default_rng(1).integers(0, 256, (5_000, 3), dtype=np.uint8)
    np.testing.assert_allclose(lab_of_srgb(pixels), peer.rgb2lab(pixels[None])[0], atol=0.02)


def test_white_black_and_grey_are_without_colour() -> None:
    """Greys have no a* and b*; white is 100 and black 0; lightness can be had without the rest."""
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    lab = lab_of_srgb(greys)
    np.testing.assert_allclose(lab[:, 1:], 0, atol=1e-9)
    assert lab[0, 0] == pytest.approx(0, abs=1e-9)
    assert lab[255, 0] == pytest.approx(100)
    np.testing.assert_allclose(lightness_of_luminance(luminance_of_srgb(greys)), lab[:, 0], atol=1e-9)
