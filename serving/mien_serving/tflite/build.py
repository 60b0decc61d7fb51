"""Turns the steps of a graph into layers: reads options and constants, and refuses what no layer does."""

from collections.abc import Callable, Mapping
from typing import Final, cast

import torch

from mien_serving.tflite import layers
from mien_serving.tflite.builder import Builder, number_of
from mien_serving.tflite.convolutions import Convolution, Head, Pointwise
from mien_serving.tflite.custom import LandmarksToMatrix, TransformLandmarks, TransformPicture, TransposedConvolution
from mien_serving.tflite.graph import corrupt, unsupported
from mien_serving.tflite.layers import Layer
from mien_serving.tflite.plan import NO_BORDER, Border, Step, paddings
from mien_serving.tflite.schema import Activation, Padding

# The second version of MediaPipe's operators counts from pixels' corners; the first did otherwise.
_CORNERS: Final = 2
# Axes of a picture in the file's order, to torch's.
_AXES: Final = (0, 2, 3, 1)
_BATCH, _HEIGHT, _WIDTH, _CHANNELS = range(4)


def build(builder: Builder, step: Step) -> Layer:
    """The layer that runs a step.

    Raises:
        Rejected: unsupported_operator, or model_file_corrupt when its options don't fit its shapes.
    """
    make = _LAYERS.get(step.operator.kind)
    if make is None:
        raise unsupported(builder.name, f"the operator {step.operator.kind}")
    return make(builder, step)


def same_border(
    size: tuple[int, int], window: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> Border:
    """The border that gives a result of ceil(size / stride), the larger part of it after the picture.

    Args:
        size: height and width of the picture.
        window: of the kernel.
        stride: down, across.
        dilation: of the kernel.
    """
    both = []
    for side, reach, step, spread in zip(size, window, stride, dilation, strict=True):
        total = max((-(-side // step) - 1) * step + (reach - 1) * spread + 1 - side, 0)
        both.append((total // 2, total - total // 2))
    (top, bottom), (left, right) = both
    return left, right, top, bottom


def _convolution(builder: Builder, step: Step) -> Layer:
    weight = builder.constant(step, 1).permute(0, 3, 1, 2)
    return _any_convolution(builder, step, weight)


def _depthwise(builder: Builder, step: Step) -> Layer:
    weight = builder.constant(step, 1).permute(3, 0, 1, 2)
    return _any_convolution(builder, step, weight)


def _any_convolution(builder: Builder, step: Step, weight: torch.Tensor) -> Layer:
    options = step.operator.options
    _, height, width, channels = builder.shape(step)
    window = (weight.shape[2], weight.shape[3])
    stride = builder.pair(step, "stride")
    dilation = builder.pair(step, "dilation")
    border = step.border
    if options["padding"] == Padding.SAME:
        border = same_border((height, width), window, stride, dilation)
    activation = builder.activation(step)
    if window == (height, width) != (1, 1) and border == NO_BORDER and weight.shape[1] == channels:
        matrix = builder.constant(step, 1, torch.float32).reshape(len(weight), -1)
        return Head(matrix, builder.constant(step, 2, torch.float32), activation)
    if window == stride == (1, 1) and weight.shape[1] == channels:
        return Pointwise(weight.reshape(len(weight), channels), builder.constant(step, 2), activation)
    return Convolution(
        weight,
        builder.constant(step, 2),
        stride=stride,
        border=border,
        dilation=dilation,
        groups=channels // weight.shape[1],
        activation=activation,
    )


def _operand(builder: Builder, step: Step) -> torch.Tensor | None:
    """The constant of an operator with two inputs, in torch's order; None where both are computed."""
    ranks = {len(builder.shape(step, position)) for position in range(len(step.inputs))}
    if len(ranks) != 1 or (layers.PICTURE in ranks and len(builder.result_shape(step)) != layers.PICTURE):
        raise builder.refuse(step, "on shapes of different lengths")
    if len(step.inputs) == 2:  # noqa: PLR2004  # both
        return None
    constant = builder.constant(step, 1 - step.operator.inputs.index(step.inputs[0]))
    rank = len(builder.shape(step))
    return layers.from_file_order(constant.reshape((1,) * (rank - constant.dim()) + tuple(constant.shape)))


def _add(builder: Builder, step: Step) -> Layer:
    constant = _operand(builder, step)
    return layers.Add(
        constant, builder.activation(step), overwrites=step.overwrites, fewer_channels=step.fewer_channels
    )


def _multiply(builder: Builder, step: Step) -> Layer:
    return layers.Multiply(_operand(builder, step), builder.activation(step))


def _prelu(builder: Builder, step: Step) -> Layer:
    slopes = builder.constant(step, 1)
    if slopes.numel() != builder.shape(step)[-1]:
        raise builder.refuse(step, "with a slope a pixel")
    return layers.PRelu(slopes.reshape(-1))


def _pool(builder: Builder, step: Step) -> tuple[tuple[int, int], tuple[int, int], Border]:
    """Window, stride and border of a pool."""
    options = step.operator.options
    if builder.activation(step) is not Activation.NONE:
        raise builder.refuse(step, "with an activation")
    window = builder.pair(step, "filter")
    stride = builder.pair(step, "stride")
    _, height, width, _ = builder.shape(step)
    border = same_border((height, width), window, stride) if options["padding"] == Padding.SAME else NO_BORDER
    return window, stride, border


def _max_pool(builder: Builder, step: Step) -> Layer:
    return layers.MaxPool(*_pool(builder, step))


def _average_pool(builder: Builder, step: Step) -> Layer:
    window, stride, border = _pool(builder, step)
    if any(border):
        raise builder.refuse(step, "with a border")
    whole = window == builder.shape(step)[_HEIGHT:_CHANNELS]
    return layers.GlobalAverage() if whole else layers.AveragePool(window, stride)


def _mean(builder: Builder, step: Step) -> Layer:
    rank = len(builder.shape(step))
    axes = sorted(axis % rank for axis in builder.integers(step, 1))
    if axes != [_HEIGHT, _WIDTH] or len(builder.result_shape(step)) != rank:
        raise builder.refuse(step, "over something else than height and width")
    return layers.GlobalAverage()


def _pad(builder: Builder, step: Step) -> Layer:
    pads = paddings(builder.graph, step.operator)
    if pads is None or pads[_BATCH] != (0, 0):
        raise builder.refuse(step, "that doesn't put zeros around a picture")
    return layers.Pad([*pads[_WIDTH], *pads[_HEIGHT], *pads[_CHANNELS]])


def _reshape(builder: Builder, step: Step) -> Layer:
    shape = builder.result_shape(step)
    if builder.shape(step)[0] != 1 or shape[0] != 1:
        raise builder.refuse(step, "across the batch")
    return layers.Reshape(shape[1:])


def _concatenate(builder: Builder, step: Step) -> Layer:
    rank = len(builder.result_shape(step))
    axis = number_of(step.operator.options, "axis") % rank
    if axis == _BATCH or len(step.inputs) != len(step.operator.inputs):
        raise builder.refuse(step, "across the batch or with constants")
    return layers.Concatenate(_AXES[axis] if rank == layers.PICTURE else axis, builder.activation(step))


def _resize(builder: Builder, step: Step) -> Layer:
    options = step.operator.options
    if options["align_corners"] == options["half_pixel_centers"]:
        raise builder.refuse(step, "that aligns neither corners nor centres")
    _, height, width, _ = builder.result_shape(step)
    return layers.Resize((height, width), align_corners=bool(options["align_corners"]))


def _depth_to_space(builder: Builder, step: Step) -> Layer:
    block = number_of(step.operator.options, "block")
    if block < 1:
        raise corrupt(builder.name)
    return layers.DepthToSpace(block)


def _slice(builder: Builder, step: Step) -> Layer:
    options = step.operator.options
    shape = builder.shape(step)
    begins, ends, strides = (builder.integers(step, position) for position in (1, 2, 3))
    if any(options[mask] for mask in ("ellipsis_mask", "new_axis_mask", "shrink_mask")) or min(strides) < 1:
        raise builder.refuse(step, "backwards or with new axes")
    begin_mask, end_mask = number_of(options, "begin_mask"), number_of(options, "end_mask")
    parts = [
        slice(None if begin_mask >> axis & 1 else begin, None if end_mask >> axis & 1 else end, stride)
        for axis, (begin, end, stride) in enumerate(zip(begins, ends, strides, strict=True))
    ]
    if len(parts) != len(shape) or [*range(1)[parts[0]]] != [0]:
        raise builder.refuse(step, "across the batch")
    return layers.Slice(parts[1:])


def _landmarks_to_matrix(builder: Builder, step: Step) -> Layer:
    options = step.operator.options
    _check_version(builder, step)
    subset = options["subset_idxs"]
    if not isinstance(subset, list):
        raise builder.refuse(step, "with options it doesn't know")
    return LandmarksToMatrix(
        subset,
        (number_of(options, "left_rotation_idx"), number_of(options, "right_rotation_idx")),
        (number_of(options, "output_width"), number_of(options, "output_height")),
        (float(cast("float", options["scale_x"])), float(cast("float", options["scale_y"]))),
        float(cast("float", options["target_rotation_radians"])),
    )


def _transform_picture(builder: Builder, step: Step) -> Layer:
    _check_version(builder, step)
    _, height, width, _ = builder.result_shape(step)
    return TransformPicture((height, width))


def _transform_landmarks(builder: Builder, step: Step) -> Layer:
    _check_version(builder, step)
    return TransformLandmarks()


def _check_version(builder: Builder, step: Step) -> None:
    if step.operator.version != _CORNERS:
        raise builder.refuse(step, f"in its version {step.operator.version}")


def _transposed_convolution(builder: Builder, step: Step) -> Layer:
    weight = builder.constant(step, 1).permute(3, 0, 1, 2)
    _, height, width, _ = builder.shape(step)
    stride = builder.pair(step, "stride")
    cut = (0, 0)
    if step.operator.options["padding"] == Padding.SAME:
        top, left = (
            max(0, reach - (side - 1) % step_ - 1) // 2
            for reach, side, step_ in zip(weight.shape[2:], (height, width), stride, strict=True)
        )
        cut = (top, left)
    _, result_height, result_width, _ = builder.result_shape(step)
    return TransposedConvolution(weight, builder.constant(step, 2), stride, cut, (result_height, result_width))


_LAYERS: Final[Mapping[str, Callable[[Builder, Step], Layer]]] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": _average_pool,
    "CONCATENATION": _concatenate,
    "CONV_2D": _convolution,
    "Convolution2DTransposeBias": _transposed_convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEPTH_TO_SPACE": _depth_to_space,
    "HARD_SWISH": lambda _builder, _step: layers.HardSwish(),
    "LOGISTIC": lambda _builder, _step: layers.Logistic(),
    "Landmarks2TransformMatrix": _landmarks_to_matrix,
    "MAX_POOL_2D": _max_pool,
    "MEAN": _mean,
    "MUL": _multiply,
    "PAD": _pad,
    "PRELU": _prelu,
    "RELU": lambda _builder, step: layers.Relu(overwrites=step.overwrites),
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize,
    "STRIDED_SLICE": _slice,
    "TransformLandmarks": _transform_landmarks,
    "TransformTensorBilinear": _transform_picture,
}
