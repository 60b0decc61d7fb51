"""Layers: each runs one kind of operator on torch tensors.

Pictures are kept as batch x channels x height x width in torch's channels_last format, which lies in memory as the
file's batch x height x width x channels: going from one order to the other copies nothing.
"""

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien_serving.tflite.plan import Border
from mien_serving.tflite.schema import Activation

PICTURE: Final = 4


def to_file_order(tensor: Tensor) -> Tensor:
    """Pictures with their channels last; anything else as it is."""
    return tensor.permute(0, 2, 3, 1) if tensor.dim() == PICTURE else tensor


def from_file_order(tensor: Tensor) -> Tensor:
    """The inverse of to_file_order."""
    return tensor.permute(0, 3, 1, 2) if tensor.dim() == PICTURE else tensor


class Layer(nn.Module):
    """An operator with its constants; call it with the computed inputs."""

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Skips torch's hooks, which nobody sets here: they cost as much as a small operator."""
        result: Tensor = self.forward(*inputs)
        return result


def activate(tensor: Tensor, activation: Activation) -> Tensor:
    """Applies an activation to a result that nobody else has seen yet, in its place."""
    match activation:
        case Activation.RELU:
            return functional.relu_(tensor)
        case Activation.RELU6:
            return tensor.clamp_(0, 6)
        case Activation.RELU_N1_TO_1:
            return tensor.clamp_(-1, 1)
        case Activation.NONE:
            return tensor


class Add(Layer):
    """A sum.

    Args:
        constant: what is added to the one computed input, if there is just one.
        overwrites: whether the first input may become the result.
        fewer_channels: whether the second one stands for the first channels only; needs overwrites.
        activation: applied to the result.
    """

    def __init__(
        self, constant: Tensor | None, activation: Activation, *, overwrites: bool, fewer_channels: bool
    ) -> None:
        super().__init__()
        self.constant = None if constant is None else nn.Buffer(constant)
        self.overwrites = overwrites
        self.fewer_channels = fewer_channels
        self.activation = activation

    def forward(self, first: Tensor, second: Tensor | None = None) -> Tensor:
        """Two tensors of one shape, or of shapes that broadcast."""
        other = self.constant if second is None else second
        assert other is not None, "the builder gives a constant"  # noqa: S101  # the builder's mistake, no user's
        if self.fewer_channels:
            first[:, : other.shape[1]].add_(other)
            return activate(first, self.activation)
        result = first.add_(other) if self.overwrites else first + other
        return activate(result, self.activation)


class Multiply(Layer):
    """A product; arguments as for Add."""

    def __init__(self, constant: Tensor | None, activation: Activation) -> None:
        super().__init__()
        self.constant = None if constant is None else nn.Buffer(constant)
        self.activation = activation

    def forward(self, first: Tensor, second: Tensor | None = None) -> Tensor:
        """Two tensors of shapes that broadcast."""
        other = self.constant if second is None else second
        assert other is not None, "as for Add"  # noqa: S101  # the builder's mistake, no user's
        return activate(first * other, self.activation)


class Relu(Layer):
    """max(x, 0); in place where overwrites says so."""

    def __init__(self, *, overwrites: bool) -> None:
        super().__init__()
        self.overwrites = overwrites

    def forward(self, tensor: Tensor) -> Tensor:
        """Any shape."""
        return functional.relu_(tensor) if self.overwrites else functional.relu(tensor)


class PRelu(Layer):
    """x where it is positive, else x times its channel's slope."""

    def __init__(self, slopes: Tensor) -> None:
        super().__init__()
        self.slopes = nn.Buffer(slopes)

    def forward(self, picture: Tensor) -> Tensor:
        """Batch x channels x height x width."""
        return functional.prelu(picture, self.slopes)


class Logistic(Layer):
    """1 / (1 + e^-x)."""

    def forward(self, tensor: Tensor) -> Tensor:
        """Any shape."""
        return tensor.sigmoid()


class HardSwish(Layer):
    """x · min(max(x + 3, 0), 6) / 6."""

    def forward(self, tensor: Tensor) -> Tensor:
        """Any shape."""
        return functional.hardswish(tensor)


class MaxPool(Layer):
    """The largest number of each window; what lies beyond the picture is never it."""

    def __init__(self, window: tuple[int, int], stride: tuple[int, int], border: Border) -> None:
        super().__init__()
        self.window, self.stride, self.border = window, stride, border

    def forward(self, picture: Tensor) -> Tensor:
        """Batch x channels x height x width."""
        if any(self.border):
            picture = functional.pad(picture, self.border, value=-math.inf)
        return functional.max_pool2d(picture, self.window, self.stride)


class AveragePool(Layer):
    """The mean of each window."""

    def __init__(self, window: tuple[int, int], stride: tuple[int, int]) -> None:
        super().__init__()
        self.window, self.stride = window, stride

    def forward(self, picture: Tensor) -> Tensor:
        """Batch x channels x height x width."""
        return functional.avg_pool2d(picture, self.window, self.stride)


class GlobalAverage(Layer):
    """The mean of the whole picture, height and width 1."""

    def forward(self, picture: Tensor) -> Tensor:
        """Batch x channels x height x width."""
        return picture.mean((2, 3), keepdim=True)


class Pad(Layer):
    """Zeros around; pads as torch wants them: from the last axis back, before and after."""

    def __init__(self, pads: Sequence[int]) -> None:
        super().__init__()
        self.pads = list(pads)

    def forward(self, picture: Tensor) -> Tensor:
        """Batch x channels x height x width."""
        return functional.pad(picture, self.pads)


class Reshape(Layer):
    """Another shape for the same numbers in the file's order; shape is without the batch."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, tensor: Tensor) -> Tensor:
        """Any shape."""
        return from_file_order(to_file_order(tensor).reshape(len(tensor), *self.shape))


class Concatenate(Layer):
    """One after the other along an axis (torch's)."""

    def __init__(self, axis: int, activation: Activation) -> None:
        super().__init__()
        self.axis, self.activation = axis, activation

    def forward(self, *tensors: Tensor) -> Tensor:
        """Shapes that differ along the axis only."""
        return activate(torch.cat(tensors, self.axis), self.activation)


class Resize(Layer):
    """Bilinear interpolation to size (height, width)."""

    def __init__(self, size: tuple[int, int], *, align_corners: bool) -> None:
        super().__init__()
        self.size, self.align_corners = size, align_corners

    def forward(self, picture: Tensor) -> Tensor:
        """Batch x channels x height x width."""
        return functional.interpolate(picture, self.size, mode="bilinear", align_corners=self.align_corners)


class DepthToSpace(Layer):
    """Spreads channels over blocks of pixels; a block's pixels are the slowest of the channels."""

    def __init__(self, block: int) -> None:
        super().__init__()
        self.block = block

    def forward(self, picture: Tensor) -> Tensor:
        """Batch x channels x height x width."""
        count, channels, height, width = picture.shape
        block = self.block
        parts = picture.reshape(count, block, block, channels // block**2, height, width)
        spread = parts.permute(0, 3, 4, 1, 5, 2).reshape(count, channels // block**2, height * block, width * block)
        return spread.contiguous(memory_format=torch.channels_last)


class Slice(Layer):
    """A part of every axis but the batch, in the file's order."""

    def __init__(self, parts: Sequence[slice]) -> None:
        super().__init__()
        self.parts = (slice(None), *parts)

    def forward(self, tensor: Tensor) -> Tensor:
        """Any shape."""
        return from_file_order(to_file_order(tensor)[self.parts])
