import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_serving.face.region import Region, region_of_points
from tests import faces

regions = st.builds(
    Region,
    x=st.floats(-200, 2000),
    y=st.floats(-200, 2000),
    side=st.floats(5, 3000),
    angle=st.floats(-3.1, 3.1),
)


@given(regions)
def test_to_photo_and_back_is_the_same_place(region: Region) -> None:
    """The two directions of the mapping undo each other."""
    points = np.random.default_rng(0).uniform(-0.2, 1.2, (20, 3))
    np.testing.assert_allclose(region.from_photo(region.to_photo(points)), points, atol=1e-9)


@pytest.mark.parametrize("side", [96.0, 192.0, 700.0])
@pytest.mark.parametrize("angle", [0.0, 0.4, -1.2])
def test_what_is_cut_is_where_to_photo_says(side: float, angle: float) -> None:
    """A dot drawn where the square's (0.3, 0.7) lies in the photo appears there in the cut, at any scale and angle."""
    region = Region(x=500.3, y=480.8, side=side, angle=angle)
    place = region.to_photo(np.array([[0.3, 0.7, 0.0]]))[0, :2]
    photo = np.zeros((1000, 1000, 3), np.uint8)
    fixed = np.round((place - 0.5) * 16).astype(int)
    cv2.circle(photo, (int(fixed[0]), int(fixed[1])), round(side / 40 * 16), (255, 255, 255), -1, cv2.LINE_AA, 4)
    cut = region.cut(photo, 192)[..., 0].astype(float)
    rows, columns = np.mgrid[:192, :192] + 0.5
    centre = np.array([(columns * cut).sum(), (rows * cut).sum()]) / cut.sum() / 192
    np.testing.assert_allclose(centre, [0.3, 0.7], atol=0.003)


def test_a_big_photo_does_not_alias() -> None:
    """A checkerboard far too fine for the cut becomes even grey, not a moiré pattern."""
    board = np.indices((3000, 3000)).sum(axis=0) % 2 * 255
    photo = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    cut = Region(x=1500, y=1500, side=2500, angle=0.3).cut(photo, 192)
    assert cut.std() < 6
    assert abs(cut.mean() - 127.5) < 3


@pytest.mark.parametrize(("x", "y"), [(-5000.0, 100.0), (100.0, 9000.0), (0.0, 0.0)])
def test_a_square_beyond_the_photo_can_be_cut(x: float, y: float) -> None:
    """Nothing fails where little or nothing of the photo is inside; the edge goes on."""
    assert Region(x=x, y=y, side=400, angle=0.2).cut(faces.astronaut(), 192).shape == (192, 192, 3)


def test_the_square_of_a_mesh_lies_level_with_its_eyes() -> None:
    """Its angle is the line between the eyes' outer corners, and it holds every point with room around."""
    points = np.random.default_rng(0).uniform(200, 300, (468, 3))
    points[33], points[263] = (220, 240, 0), (280, 270, 0)
    region = region_of_points(points)
    assert region.angle == pytest.approx(np.arctan2(30, 60))
    inside = region.from_photo(points)[:, :2]
    assert inside.min() == pytest.approx(1 / 6, abs=0.05)
    assert inside.max() == pytest.approx(5 / 6, abs=0.05)
