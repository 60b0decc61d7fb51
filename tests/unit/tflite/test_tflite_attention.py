"""MediaPipe's own operators. The oracle doesn't know those of the attention mesh, so they are held to laws instead."""

from typing import Final

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mien_serving.face.topology import LEFT_EYE, RIGHT_EYE
from mien_serving.tflite.custom import LandmarksToMatrix, TransformLandmarks, TransformPicture, TransposedConvolution
from mien_serving.tflite.executor import TorchExecutor
from mien_serving.tflite.graph import read_graph
from tests.tflite_files import ATTENTION, MESH_FILE, batch_for, model_file

FACE_WIDTH: Final = 128  # pixels of 192: the square is 1.5 times the face


def matrix_of(scale: float, angle: float, right: float, down: float) -> torch.Tensor:
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    rows = [[cosine, -sine, 0, right], [sine, cosine, 0, down], [0, 0, 1, 0], [0, 0, 0, 1]]
    return torch.tensor([rows], dtype=torch.float32)


def bilinear(picture: NDArray[np.float32], x: float, y: float) -> NDArray[np.float32]:
    """By definition, from channels x height x width; zero beyond the outermost centres."""
    _, height, width = picture.shape
    if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
        return np.zeros(len(picture), dtype=np.float32)
    left, top = min(int(x), width - 2), min(int(y), height - 2)
    across, down = x - left, y - top
    upper = picture[:, top, left] * (1 - across) + picture[:, top, left + 1] * across
    lower = picture[:, top + 1, left] * (1 - across) + picture[:, top + 1, left + 1] * across
    return np.asarray(upper * (1 - down) + lower * down, dtype=np.float32)


def test_the_identity_cuts_out_the_same_picture() -> None:
    """Nothing moves: each pixel is itself, and a smaller result is the upper left corner."""
    picture = torch.rand(2, 3, 7, 9)
    identity = torch.eye(4).repeat(2, 1, 1)
    torch.testing.assert_close(TransformPicture((7, 9))(picture, identity), picture)
    torch.testing.assert_close(TransformPicture((4, 5))(picture, identity), picture[:, :, :4, :5])


@given(st.floats(0.3, 2), st.floats(-3, 3), st.floats(-2, 8), st.floats(-2, 8))
def test_a_turned_part_is_sampled_between_four_pixels(scale: float, angle: float, right: float, down: float) -> None:
    """Pixel centres are at halves; between them it is bilinear; beyond the outermost centres it is zero."""
    picture = np.random.default_rng(1).random((2, 8, 8)).astype(np.float32)
    matrix = matrix_of(scale, angle, right, down)
    cut = TransformPicture((5, 6))(torch.from_numpy(picture)[None], matrix)[0].numpy()
    for row in range(5):
        for column in range(6):
            x, y = matrix[0, :2, :2].double().numpy() @ [column + 0.5, row + 0.5] + matrix[0, :2, 3].double().numpy()
            x, y = float(x - 0.5), float(y - 0.5)
            if min(abs(x), abs(y), abs(x - 7), abs(y - 7)) > 1e-4:  # rounding decides exactly on the edge
                np.testing.assert_allclose(cut[:, row, column], bilinear(picture, x, y), atol=1e-4)


@given(st.floats(-1.5, 1.5), st.floats(10, 30), st.floats(10, 30), st.floats(2, 12), st.floats(1, 6))
def test_a_part_is_the_level_box_around_its_points(
    angle: float, x: float, y: float, half_width: float, half_height: float
) -> None:
    """The corners of the part's own pixels are carried to the corners of the box, enlarged about its centre."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [half_width, half_height]
    level = np.array([[-half_width, 0], [half_width, 0]])
    points = np.concatenate([corners, level, [[99, 99]]]) @ turn.T + [x, y]
    landmarks = torch.tensor(np.concatenate([points, np.zeros((7, 1))], axis=1)[None], dtype=torch.float32)
    layer = LandmarksToMatrix((0, 1, 2, 3), (4, 5), (16, 12), (1.5, 2.0), 0.0)
    own = torch.tensor([[[0.0, 0, 7], [16, 0, 7], [16, 12, 7], [0, 12, 7]]])
    carried = TransformLandmarks()(own, layer(landmarks))[0].numpy()
    expected = (corners * [1.5, 2.0]) @ turn.T + [x, y]
    np.testing.assert_allclose(carried[:, :2], expected, atol=1e-3)
    np.testing.assert_array_equal(carried[:, 2], 7)


def test_points_come_back_by_the_inverse() -> None:
    """There and back again, in two dimensions and in three, each face of a batch by its own transform."""
    matrices = torch.cat([matrix_of(1.5, 0.4, 3, -2), matrix_of(0.5, -1.0, 0, 9)])
    for dimensions in (2, 3):
        points = torch.rand(2, 5, dimensions) * 20
        moved = TransformLandmarks()(points, matrices)
        assert not torch.allclose(moved[..., :2], points[..., :2])
        torch.testing.assert_close(TransformLandmarks()(moved, torch.linalg.inv(matrices)), points)


@pytest.mark.parametrize(("window", "stride", "cut"), [(2, 2, 0), (3, 2, 0), (3, 1, 1), (4, 2, 1)])
def test_a_transposed_convolution_spreads_each_pixel(window: int, stride: int, cut: int) -> None:
    """Each pixel adds itself times the kernel where it falls; what is cut off before and behind is gone."""
    generator = np.random.default_rng(0)
    picture, weight = generator.random((1, 2, 3, 4)), generator.random((2, 3, window, window))
    height, width = 2 * stride + window, 3 * stride + window
    whole = np.tile(np.array([1.0, 2.0, 3.0])[None, :, None, None], (1, 1, height, width))
    for row in range(3):
        for column in range(4):
            whole[0, :, row * stride : row * stride + window, column * stride : column * stride + window] += np.einsum(
                "i,iohw->ohw", picture[0, :, row, column], weight
            )
    size = (height - 2 * cut, width - 2 * cut)
    layer = TransposedConvolution(
        torch.from_numpy(weight), torch.tensor([1.0, 2.0, 3.0]).double(), (stride, stride), (cut, cut), size
    )
    result = layer(torch.from_numpy(picture)).numpy()
    np.testing.assert_allclose(result, whole[:, :, cut : height - cut, cut : width - cut])


@pytest.fixture(scope="module")
def attention() -> tuple[NDArray[np.float32], ...]:
    """Its seven outputs for 24 faces."""
    return TorchExecutor(model_file(ATTENTION)).run(batch_for(ATTENTION))


def test_the_attention_mesh_lies_on_the_plain_one(attention: tuple[NDArray[np.float32], ...]) -> None:
    """Both models' 468 points are on average within 4 pixels of 128 (a face's width) of each other in every picture."""
    plain = TorchExecutor(model_file(MESH_FILE)).run(batch_for(MESH_FILE))[0].reshape(-1, 468, 3)
    apart = np.linalg.norm((attention[0].reshape(-1, 468, 3) - plain)[..., :2], axis=2)
    assert apart.mean(axis=1).max() < 0.03 * FACE_WIDTH


def test_the_second_look_stays_near_the_first(attention: tuple[NDArray[np.float32], ...]) -> None:
    """Lips and eyes found in the parts cut out are where the first mesh has the same points: a wrong turn would show.

    Which points of the mesh a part consists of stands in the file, as its box is put around them.
    """
    graph = read_graph(model_file(ATTENTION).read_bytes(), "attention")
    subsets = [
        operator.options["subset_idxs"] for operator in graph.operators if operator.kind == "Landmarks2TransformMatrix"
    ]
    first = attention[0].reshape(-1, 468, 3)[..., :2]
    for subset, found in zip(subsets, attention[1:4], strict=True):
        assert isinstance(subset, list)
        points = found.reshape(len(found), -1, 2)
        assert points.shape[1] == len(subset)
        apart = np.linalg.norm(points - first[:, subset], axis=2)
        assert apart.mean() < 0.02 * FACE_WIDTH
        assert apart.max() < 0.1 * FACE_WIDTH


def test_irises_lie_in_their_eyes(attention: tuple[NDArray[np.float32], ...]) -> None:
    """Each iris's centre lies within the box around its eye's contour.

    The file's names are the picture's: what it calls the left eye is the person's right one.
    """
    mesh = attention[0].reshape(-1, 468, 3)[..., :2]
    right_iris, left_iris = (one.reshape(-1, 5, 2) for one in attention[4:6])
    for eye, iris in ((LEFT_EYE, left_iris), (RIGHT_EYE, right_iris)):
        contour = mesh[:, list(eye)]
        lowest, highest = contour.min(axis=1), contour.max(axis=1)
        inside = (lowest <= iris[:, 0]) & (iris[:, 0] <= highest)
        assert inside.all()
