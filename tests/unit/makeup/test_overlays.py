"""The overlays' pictures."""

import io
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien_core.model.overlays import OVERLAYS, Overlay
from mien_serving.face.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE
from mien_serving.makeup.face_uv import face_uv
from mien_serving.makeup.overlays import SHAPES, SIZE, drawn, png

EACH = pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda overlay: overlay.asset_id)


@cache
def picture_of(overlay: Overlay) -> NDArray[np.uint8]:
    return drawn(overlay)


def opacity(overlay: Overlay) -> NDArray[np.float64]:
    return picture_of(overlay)[..., 3] / 255


def at(overlay: Overlay, *points: int) -> float:
    """The mean opacity at these points of the mesh."""
    places = np.minimum((face_uv()[list(points)] * SIZE).astype(int), SIZE - 1)
    return float(opacity(overlay)[places[:, 1], places[:, 0]].mean())


def centre(outline: tuple[int, ...]) -> tuple[int, int]:
    x, y = (face_uv()[list(outline)].mean(axis=0) * SIZE).astype(int)
    return int(y), int(x)


def of(category: str) -> list[Overlay]:
    return [overlay for overlay in OVERLAYS if overlay.category == category]


def test_every_overlay_is_drawn_and_nothing_else_is() -> None:
    """The table that all services share and the shapes are the same."""
    assert set(SHAPES) == {overlay.asset_id for overlay in OVERLAYS}


@EACH
def test_a_picture_is_one_colour_whose_opacity_tells_where(overlay: Overlay) -> None:
    """The preset's colour everywhere, opaque somewhere, and nothing at all along the edge of the picture."""
    picture = picture_of(overlay)
    assert picture.shape == (SIZE, SIZE, 4)
    assert (picture[..., :3] == list(bytes.fromhex(overlay.color[1:]))).all()
    assert picture[..., 3].max() == 255
    frame = np.concatenate([picture[[0, -1], :, 3].ravel(), picture[:, [0, -1], 3].ravel()])
    assert not frame.any()
    assert 0.002 < float((opacity(overlay) > 0.5).mean()) < 0.2


@EACH
def test_left_and_right_are_alike(overlay: Overlay) -> None:
    """The picture is its own mirror image, but for the rounding of points to places."""
    difference = np.abs(opacity(overlay) - opacity(overlay)[:, ::-1])
    assert float((difference > 0.1).mean()) < 0.002


@EACH
def test_eyes_and_mouth_stay_free(overlay: Overlay) -> None:
    """Nobody's eyeballs and teeth are made up."""
    for outline in (RIGHT_EYE, LEFT_EYE, LIPS_INNER):
        assert opacity(overlay)[centre(outline)] < 0.02


@EACH
def test_edges_are_soft(overlay: Overlay) -> None:
    """From one place to the next the opacity changes gently, except where eyes and mouth are cut out."""
    steps = np.abs(np.diff(opacity(overlay), axis=1))
    rows, columns = np.nonzero(steps > 0.3)
    holes = np.concatenate([face_uv()[list(outline)] for outline in (RIGHT_EYE, LEFT_EYE, LIPS_INNER)]) * SIZE
    for row, column in zip(rows, columns, strict=True):
        assert np.abs(holes - (column, row)).max(axis=1).min() < 0.06 * SIZE


@EACH
def test_the_file_is_the_picture(overlay: Overlay) -> None:
    """PNG without loss, small enough for a telephone."""
    encoded = png(overlay)
    assert len(encoded) < 400_000
    with Image.open(io.BytesIO(encoded)) as image:
        assert (image.format, image.mode) == ("PNG", "RGBA")
        assert np.array_equal(np.asarray(image), picture_of(overlay))


def test_lipstick_is_on_the_lips_alone() -> None:
    """In the middle of the upper and the lower lip it is there, a little outside of them it is not."""
    for overlay in of("lipstick"):
        assert at(overlay, 12, 15) > 0.5
        assert at(overlay, 164, 18, 50, 280) == 0
    full, soft, _ = of("lipstick")
    assert opacity(full).sum() > opacity(soft).sum()
    # half as far from the edge as the lips are high
    assert at(soft, *LIPS_OUTER) < 0.1


def test_eyeshadow_is_on_the_lids_and_not_on_the_brows() -> None:
    """Each overlay reaches further than the one before."""
    lid, crease, smoky = of("eyeshadow")
    for overlay in (lid, crease, smoky):
        assert at(overlay, 27, 257) > 0.4
        assert at(overlay, *RIGHT_BROW[5:], *LEFT_BROW[5:]) < 0.1
        assert at(overlay, 50, 280) < 0.02
    assert at(lid, 223, 443) < at(crease, 223, 443)
    assert at(crease, 23, 253) < 0.15 < at(smoky, 23, 253)


def test_blush_is_on_the_cheeks() -> None:
    """Strongest there, and not on forehead, lids, lips and chin."""
    apples, lifted, sunkissed = of("blush")
    for overlay in (apples, lifted, sunkissed):
        assert at(overlay, 9, 151, 159, 386, 13, 14, 199) < 0.05
        assert at(overlay, 50, 280) > 0.3
    assert at(apples, 50, 280) > 0.9
    assert at(lifted, 116, 345) > at(apples, 116, 345)
    assert at(sunkissed, 5) > 0.5 > at(apples, 5)
