"""The mesh laid flat: where it comes from, and that it can be drawn on."""

import json
from importlib.resources import files

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.face_uv import average_face, mirrored, triangles, unrolled
from mien_serving.face.topology import CHIN, FACE_OVAL, FOREHEAD_TOP, MIRROR_PAIRS
from mien_serving.makeup.face_uv import MARGIN, face_uv

FILE = json.loads((files("mien_serving.makeup") / "face_uv.json").read_text())


@pytest.fixture(scope="module")
def average() -> NDArray[np.float64]:
    return average_face()


def test_the_file_is_what_the_module_says(average: NDArray[np.float64]) -> None:
    """The average face of the pinned model, rolled off; on another machine's arithmetic it is the same to a hair."""
    derived = unrolled(mirrored(average))
    assert np.abs(derived - face_uv()).max() < 0.0005
    assert [tuple(one) for one in FILE["triangles"]] == triangles(face_uv())


def test_it_lies_within_its_picture_upright() -> None:
    """468 points between the margins, the forehead above the chin, the person's right on the left."""
    uv = face_uv()
    assert uv.shape == (468, 2)
    assert (uv >= MARGIN - 1e-4).all()
    assert (uv <= 1 - MARGIN + 1e-4).all()
    assert uv[FOREHEAD_TOP, 1] < uv[CHIN, 1]
    assert all(uv[right, 0] < uv[left, 0] for right, left in MIRROR_PAIRS)


def test_it_is_its_own_mirror_image() -> None:
    """Each point's partner lies as far from the middle on the other side."""
    uv = face_uv()
    for right, left in MIRROR_PAIRS:
        assert uv[right, 0] + uv[left, 0] == pytest.approx(1, abs=2e-4)
        assert uv[right, 1] == pytest.approx(uv[left, 1], abs=2e-4)


def test_the_triangles_cover_the_face_once() -> None:
    """Their areas add up to that of the points' hull, every point has one, and the mouth isn't cut in two halves."""
    uv, corners = face_uv(), np.array(FILE["triangles"])
    first, second, third = uv[corners[:, 0]], uv[corners[:, 1]], uv[corners[:, 2]]
    (x, y), (a, b) = (second - first).T, (third - first).T
    areas = np.abs(x * b - y * a) / 2
    hull = _area(uv[list(FACE_OVAL)])
    assert areas.sum() == pytest.approx(hull, rel=0.03)
    assert set(corners.ravel().tolist()) == set(range(468))
    assert (areas > 0).all()


def test_what_is_no_face_is_refused() -> None:
    """Points that aren't each other's mirror image have no average."""
    with pytest.raises(ValueError, match="mirror image"):
        mirrored(np.random.default_rng(0).normal(size=(468, 3)))


def _area(outline: NDArray[np.float64]) -> float:
    x, y = outline.T
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)
