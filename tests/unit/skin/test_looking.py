"""How the face is looked at before anything is measured: blurs that keep to skin, and a broad look without a flush."""

import numpy as np
import pytest

from mien_serving.phantom import pigments
from mien_serving.phantom.face_plan import FacePlan, Picture
from mien_serving.skin.broad import Broad, broad_of
from mien_serving.skin.canvas import PIXELS_PER_MM, SIZE
from mien_serving.skin.finding import NAMES, midmean
from mien_serving.skin.smoothing import blurred, filled, masked
from tests.unit.skin.conftest import Looker


def test_a_broad_blur_on_a_coarse_grid_is_the_blur() -> None:
    """White noise comes out as from a full blur: its deviation is 1 / (2 sqrt(pi) sigma), to 15 %."""
    noise = np.random.default_rng(1).standard_normal((400, 400), dtype=np.float32)
    for sigma in (4.0, 10.0):
        assert float(blurred(noise, sigma)[60:-60, 60:-60].std()) == pytest.approx(
            1 / (2 * np.sqrt(np.pi) * sigma), rel=0.15
        )


@pytest.mark.parametrize("sigma", [2.0, 8.0])
def test_what_a_mask_leaves_out_has_no_say(sigma: float) -> None:
    """A level surface stays level at the edge of a hole, whatever lies in the hole; in each channel."""
    plane = np.full((120, 120, 2), (3.0, 5.0), dtype=np.float32)
    mask = np.ones((120, 120), dtype=np.bool_)
    plane[40:60, 40:60], mask[40:60, 40:60] = 1000.0, False
    assert masked(plane, mask, sigma)[mask] == pytest.approx(np.full((mask.sum(), 2), (3.0, 5.0)), rel=1e-3)
    assert masked(plane[..., 0], mask, sigma)[mask] == pytest.approx(3.0, rel=1e-3)


def test_a_filled_hole_meets_no_step() -> None:
    """Inside the mask nothing changes; beside it a slope goes on within a tenth of what it spans."""
    slope = np.linspace(0, 1, 120, dtype=np.float32)[None, :].repeat(120, axis=0)
    mask = np.ones((120, 120), dtype=np.bool_)
    mask[50:60, 50:60] = False
    whole = filled(np.where(mask, slope, np.float32(50)), mask, 3.0)
    assert (whole[mask] == slope[mask]).all()
    assert np.abs(whole - slope).max() < 0.1


def test_a_midmean_ignores_what_is_far_off() -> None:
    """A fifth of the values on either side may be anything; nothing at all is 0."""
    values = np.array([-1e6, -1e6, 1, 2, 3, 4, 5, 6, 1e6, 1e6], dtype=np.float32)
    assert midmean(values) == pytest.approx(3.5)
    assert midmean(np.empty(0, dtype=np.float32)) == 0


def test_light_gives_back_what_a_flush_takes() -> None:
    """Green light that only blood took is there again; where red light is missing too, it is a shadow and stays."""
    linear = np.full((SIZE, SIZE, 3), (0.4, 0.25, 0.2), dtype=np.float32)
    labels = np.full((SIZE, SIZE), NAMES.index("forehead_centre"), dtype=np.int16)
    labels[200:] = NAMES.index("cheek_upper_left")
    flushed, shaded = linear.copy(), linear * np.float32(0.5)
    flushed[200:, :, 1] *= np.float32(0.6)
    plain = Broad(linear, labels).light
    given_back = Broad(flushed, labels).light
    assert abs(float(given_back[300, 200] - plain[300, 200])) < 0.12
    assert float(np.log2(0.2126 * 0.4 + 0.7152 * 0.15 + 0.0722 * 0.2) - plain[300, 200]) < -0.4
    assert float((Broad(shaded, labels).light - plain)[300, 200]) == pytest.approx(-1, abs=0.01)


def test_a_flush_moves_neither_the_mask_nor_the_calm_level(look: Looker, base: Picture, plan: FacePlan) -> None:
    """Full redness on cheeks and nose: what counts as skin stays to 6 %, the calm level to 1.5 of the index."""
    nothing = np.zeros((SIZE, SIZE), dtype=np.bool_)
    canvases = [look.canvas(photo) for photo in (base, pigments.redness(base, plan, 1.0, 1).picture)]
    before, after = (broad_of(canvas, nothing).calm for canvas in canvases)
    assert before is not None
    assert after is not None
    assert after == pytest.approx(before, abs=1.5)
    assert (canvases[0].skin ^ canvases[1].skin).sum() < 0.06 * canvases[0].skin.sum()


def test_the_window_holds_all_skin_and_a_margin(look: Looker, base: Picture) -> None:
    """Nothing that is looked for lies outside it, and it is smaller than the canvas."""
    canvas = look.canvas(base)
    outside = np.ones((SIZE, SIZE), dtype=np.bool_)
    outside[canvas.window] = False
    assert not (canvas.plan & outside).any()
    assert outside.sum() > 0.2 * outside.size
    down, across = np.nonzero(canvas.plan)
    assert canvas.window[0].start <= down.min() - 9 * PIXELS_PER_MM
    assert canvas.window[1].stop >= across.max() + 9 * PIXELS_PER_MM
