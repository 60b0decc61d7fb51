"""Each layer against plain numpy on small numbers, and what the plan merges against what it doesn't."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mien_serving.tflite import layers
from mien_serving.tflite.build import same_border
from mien_serving.tflite.convolutions import Convolution, Head, Pointwise
from mien_serving.tflite.flatbuffer import CorruptError
from mien_serving.tflite.graph import Graph, Operator, Tensor
from mien_serving.tflite.module import TfliteModule
from mien_serving.tflite.plan import Border, plan
from mien_serving.tflite.schema import Activation
from mien_serving.tflite.sparse import Level, Sparsity, densify

Array = NDArray[np.float32]
NOTHING: NDArray[np.int64] = np.zeros(0, dtype=np.int64)


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def run(layer: layers.Layer, *inputs: Array) -> Array:
    """In the file's order on both sides."""
    with torch.inference_mode():
        result = layer(*[layers.from_file_order(torch.from_numpy(one.copy())) for one in inputs])
        return np.asarray(layers.to_file_order(result).contiguous().numpy(), dtype=np.float32)


def convolved(picture: Array, weight: Array, stride: int, border: Border) -> Array:
    """A convolution by its definition; weight is output channels x height x width x input channels."""
    left, right, top, bottom = border
    wide = np.pad(picture, ((0, 0), (top, bottom), (left, right), (0, 0)))
    _, high, across, _ = weight.shape
    rows = range(0, wide.shape[1] - high + 1, stride)
    columns = range(0, wide.shape[2] - across + 1, stride)
    windows = [[wide[:, row : row + high, column : column + across] for column in columns] for row in rows]
    return np.asarray(np.einsum("yxnhwi,ohwi->nyxo", np.array(windows), weight), dtype=np.float32)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.integers(1, 3), st.sampled_from(["all", "each"]))
def test_convolutions_pad_as_tensorflow_does(height: int, width: int, window: int, stride: int, channels: str) -> None:
    """SAME gives ceil(size / stride), the larger part of the border after the picture; also channel by channel."""
    each = channels == "each"
    picture = numbers(2, height, width, 3)
    border = same_border((height, width), (window, window), (stride, stride))
    weight = numbers(3 if each else 4, window, window, 1 if each else 3, seed=1)
    bias = numbers(len(weight), seed=2)
    layer = Convolution(
        torch.from_numpy(weight).permute(0, 3, 1, 2),
        torch.from_numpy(bias),
        stride=(stride, stride),
        border=border,
        dilation=(1, 1),
        groups=3 if each else 1,
        activation=Activation.NONE,
    )
    whole = np.einsum("ohw,oi->ohwi", weight[..., 0], np.eye(3, dtype=np.float32)) if each else weight
    result = run(layer, picture)
    assert result.shape == (2, -(-height // stride), -(-width // stride), len(weight))
    np.testing.assert_allclose(result, convolved(picture, whole, stride, border) + bias, atol=1e-4)


def test_matrices_are_convolutions() -> None:
    """One pixel by itself, and the whole picture at once: both are a product, and the same as a convolution."""
    picture, bias = numbers(2, 3, 3, 4), numbers(5, seed=2)
    single, whole = numbers(5, 1, 1, 4, seed=1), numbers(5, 3, 3, 4, seed=3)
    pointwise = Pointwise(torch.from_numpy(single.reshape(5, 4)), torch.from_numpy(bias), Activation.RELU)
    head = Head(torch.from_numpy(whole.reshape(5, 36)), torch.from_numpy(bias), Activation.NONE)
    none = (0, 0, 0, 0)
    np.testing.assert_allclose(
        run(pointwise, picture), np.maximum(convolved(picture, single, 1, none) + bias, 0), atol=1e-5
    )
    np.testing.assert_allclose(run(head, picture), convolved(picture, whole, 1, none) + bias, atol=1e-5)


def test_elementwise_layers_follow_their_formulas() -> None:
    """PRELU by channel, hard swish, logistic, RELU; the activations that other operators carry."""
    picture = numbers(2, 3, 3, 4) * 4
    slopes = numbers(4, seed=1)
    np.testing.assert_allclose(
        run(layers.PRelu(torch.from_numpy(slopes)), picture), np.where(picture > 0, picture, picture * slopes)
    )
    np.testing.assert_allclose(
        run(layers.HardSwish(), picture), picture * np.clip(picture + 3, 0, 6) / 6, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(run(layers.Logistic(), picture), 1 / (1 + np.exp(-picture)), rtol=1e-5)
    for overwrites in (False, True):
        np.testing.assert_array_equal(run(layers.Relu(overwrites=overwrites), picture), np.maximum(picture, 0))
    for activation, lowest, highest in (
        (Activation.NONE, -math.inf, math.inf),
        (Activation.RELU, 0, math.inf),
        (Activation.RELU6, 0, 6),
        (Activation.RELU_N1_TO_1, -1, 1),
    ):
        result = run(layers.Multiply(None, activation), picture, picture)
        np.testing.assert_allclose(result, np.clip(picture * picture, lowest, highest), rtol=1e-6)


def test_pools_ignore_what_lies_beyond() -> None:
    """The largest of a window at the edge is one of the picture's numbers, also where all are negative."""
    picture = -np.abs(numbers(1, 5, 5, 2)) - 1
    pooled = run(layers.MaxPool((2, 2), (2, 2), same_border((5, 5), (2, 2), (2, 2))), picture)
    blocks = [picture[:, row : row + 2, column : column + 2].max((1, 2)) for row in (0, 2, 4) for column in (0, 2, 4)]
    np.testing.assert_array_equal(pooled.reshape(9, 2), np.concatenate(blocks))
    np.testing.assert_allclose(
        run(layers.AveragePool((2, 2), (2, 2)), picture)[0, 1, 1], picture[0, 2:4, 2:4].mean((0, 1)), rtol=1e-6
    )
    np.testing.assert_allclose(run(layers.GlobalAverage(), picture)[:, 0, 0], picture.mean((1, 2)), rtol=1e-6)


def test_pictures_and_rows_change_into_each_other_in_the_files_order() -> None:
    """Reshape, slice, pad and depth to space count channels last."""
    picture = numbers(2, 4, 6, 8)
    np.testing.assert_array_equal(run(layers.Reshape((24, 8)), picture), picture.reshape(2, 24, 8))
    np.testing.assert_array_equal(run(layers.Reshape((4, 6, 8)), picture.reshape(2, 24, 8)), picture)
    parts = (slice(1, 3), slice(None, None, 2), slice(2, 5))
    np.testing.assert_array_equal(run(layers.Slice(parts), picture), picture[:, 1:3, ::2, 2:5])
    padded = run(layers.Pad([1, 2, 3, 4, 0, 5]), picture)
    np.testing.assert_array_equal(padded, np.pad(picture, ((0, 0), (3, 4), (1, 2), (0, 5))))
    spread = run(layers.DepthToSpace(2), picture)
    assert spread.shape == (2, 8, 12, 2)
    for row, column in itertools.product(range(2), range(2)):
        first = (row * 2 + column) * 2
        np.testing.assert_array_equal(spread[:, row::2, column::2], picture[..., first : first + 2])


def test_bilinear_enlargement_keeps_centres_or_corners() -> None:
    """A ramp stays a ramp: between the outer pixels' centres, or from corner to corner."""
    ramp = np.broadcast_to(np.arange(4, dtype=np.float32)[None, None, :, None], (1, 4, 4, 1)).copy()
    centres = run(layers.Resize((8, 8), align_corners=False), ramp)[0, 0, :, 0]
    np.testing.assert_allclose(centres, np.clip((np.arange(8) + 0.5) / 2 - 0.5, 0, 3), atol=1e-6)
    corners = run(layers.Resize((7, 7), align_corners=True), ramp)[0, 0, :, 0]
    np.testing.assert_allclose(corners, np.arange(7) / 2, atol=1e-6)


def small_graph(*, twice: bool) -> Graph:
    """A picture, padded by borders and convolved, plus the picture padded by channels, then RELU.

    twice: the padded picture and the convolved one are outputs, too, so that neither may be merged or overwritten.
    """

    def options(**given_options: int) -> dict[str, int | float | list[int]]:
        return {"activation": 0, **given_options}

    tensors = (
        Tensor("picture", (1, 6, 6, 2)),
        Tensor("borders", (4, 2), np.array([[0, 0], [1, 1], [0, 2], [0, 0]], dtype=np.int32)),
        Tensor("bordered", (1, 8, 8, 2)),
        Tensor("weight", (3, 3, 3, 2), numbers(3, 3, 3, 2, seed=1)),
        Tensor("bias", (3,), numbers(3, seed=2)),
        Tensor("convolved", (1, 6, 6, 3)),
        Tensor("channels", (4, 2), np.array([[0, 0], [0, 0], [0, 0], [0, 1]], dtype=np.int32)),
        Tensor("deeper", (1, 6, 6, 3)),
        Tensor("sum", (1, 6, 6, 3)),
        Tensor("result", (1, 6, 6, 3)),
    )
    convolution = options(padding=1, stride_w=1, stride_h=1, dilation_w=1, dilation_h=1)
    operators = (
        Operator("PAD", 1, (0, 1), (2,), {}),
        Operator("CONV_2D", 1, (2, 3, 4), (5,), convolution),
        Operator("PAD", 1, (0, 6), (7,), {}),
        Operator("ADD", 1, (7, 5), (8,), options()),
        Operator("RELU", 1, (8,), (9,), {}),
    )
    return Graph(tensors, operators, (0,), (9, 5, 2, 7) if twice else (9,))


def test_what_the_plan_merges_gives_the_same() -> None:
    """Borders join their convolution, channels of zeros are never made, sums and RELU write in place: same numbers."""
    merged, kept = small_graph(twice=False), small_graph(twice=True)
    assert [step.operator.kind for step in plan(merged)] == ["CONV_2D", "ADD", "RELU"]
    assert [step.overwrites for step in plan(merged)] == [False, True, True]
    assert [step.operator.kind for step in plan(kept)] == ["PAD", "CONV_2D", "PAD", "ADD", "RELU"]
    picture = numbers(2, 6, 6, 2)
    given_picture = torch.from_numpy(picture.copy())
    with torch.inference_mode():
        [result] = TfliteModule(merged, "merged")(given_picture)
        whole, convolution, bordered, deeper = TfliteModule(kept, "kept")(given_picture)
    np.testing.assert_array_equal(given_picture.numpy(), picture)
    np.testing.assert_allclose(result.numpy(), whole.numpy(), atol=1e-5)
    np.testing.assert_array_equal(bordered.numpy(), np.pad(picture, ((0, 0), (1, 1), (0, 2), (0, 0))))
    np.testing.assert_array_equal(deeper.numpy()[..., 2], 0)
    np.testing.assert_allclose(np.maximum(convolution.numpy() + deeper.numpy(), 0), result.numpy(), atol=1e-5)


def test_nothing_is_kept_longer_than_it_is_read() -> None:
    """After the last step only the outputs are left."""
    for twice in (False, True):
        graph = small_graph(twice=twice)
        steps = plan(graph)
        left = {*graph.inputs, *(step.output for step in steps)}
        for step in steps:
            left -= {*step.forget}
        assert left == {*graph.outputs}


@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**31))
def test_sparse_weights_are_unpacked(rows: int, columns: int, seed: int) -> None:
    """What was packed by rows, or in blocks of 1 x 2, comes back with its zeros."""
    generator = np.random.default_rng(seed)
    dense = numbers(rows, columns * 2, seed=seed) * (generator.random((rows, columns * 2)) < 0.4)
    places = [np.flatnonzero(row) for row in dense]
    segments = np.cumsum([0, *(len(place) for place in places)])
    by_row = Sparsity((0, 1), (), (Level(rows, NOTHING, NOTHING), Level(0, segments, np.concatenate(places))))
    np.testing.assert_array_equal(densify(dense[dense != 0], dense.shape, by_row), dense)

    blocks = dense.reshape(rows, columns, 2)
    full = blocks.any(axis=2)
    segments = np.cumsum([0, *full.sum(axis=1)])
    in_blocks = Sparsity(
        (0, 1, 2),
        (1,),
        (Level(rows, NOTHING, NOTHING), Level(0, segments, np.nonzero(full)[1]), Level(2, NOTHING, NOTHING)),
    )
    np.testing.assert_array_equal(densify(blocks[full].reshape(-1), dense.shape, in_blocks), dense)


@pytest.mark.parametrize(
    "sparsity",
    [
        Sparsity((0, 1), (), (Level(3, NOTHING, NOTHING), Level(3, NOTHING, NOTHING))),
        Sparsity((0,), (), (Level(2, NOTHING, NOTHING),)),
        Sparsity((0, 1), (), (Level(2, NOTHING, NOTHING), Level(0, np.array([0, 1, 9]), np.array([0, 1])))),
        Sparsity((0, 1), (), (Level(2, NOTHING, NOTHING), Level(0, np.array([0, 1, 2]), np.array([0, 7])))),
        Sparsity((0, 1), (), (Level(2, NOTHING, NOTHING), Level(0, np.array([0, 1]), np.array([0, 1])))),
    ],
    ids=["too many", "a dimension missing", "beyond the values", "beyond the shape", "a segment missing"],
)
def test_a_description_that_does_not_fit_is_damage(sparsity: Sparsity) -> None:
    """Nothing outside of the tensor is read or written."""
    with pytest.raises(CorruptError):
        densify(numbers(2), (2, 2), sparsity)
