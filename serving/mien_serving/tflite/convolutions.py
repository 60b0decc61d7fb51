"""Layers that are convolutions: of single pixels, of windows, of the whole picture."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien_serving.tflite.layers import Layer, activate, to_file_order
from mien_serving.tflite.plan import Border
from mien_serving.tflite.schema import Activation


class Pointwise(Layer):
    """A convolution of each pixel by itself: a matrix product, which has less to prepare than a convolution.

    Args:
        weight: output channels x input channels.
        bias: one number an output channel.
        activation: applied to the result.
    """

    def __init__(self, weight: Tensor, bias: Tensor, activation: Activation) -> None:
        super().__init__()
        self.weight = nn.Buffer(weight)
        self.bias = nn.Buffer(bias)
        self.activation = activation

    def forward(self, picture: Tensor) -> Tensor:
        """Batch x channels x height x width, and so the result."""
        pixels = picture.permute(0, 2, 3, 1).to(self.weight.dtype)
        return activate(functional.linear(pixels, self.weight, self.bias), self.activation).permute(0, 3, 1, 2)


class Convolution(Layer):
    """A convolution, also of each channel by itself.

    Args:
        weight: output channels x input channels of a group x height x width.
        bias: one number an output channel.
        stride: down, across.
        border: zeros around the picture.
        dilation: down, across.
        groups: into how many the channels are divided.
        activation: applied to the result.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        *,
        stride: tuple[int, int],
        border: Border,
        dilation: tuple[int, int],
        groups: int,
        activation: Activation,
    ) -> None:
        super().__init__()
        if groups > 1 and dilation == (1, 1):
            weight, border = _evened(weight, border)
        left, right, top, bottom = border
        self.border = () if (left, top) == (right, bottom) else border
        self.options: dict[str, Any] = {
            "stride": stride,
            "padding": (0, 0) if self.border else (top, left),
            "dilation": dilation,
            "groups": groups,
        }
        self.activation = activation
        self.weight = nn.Buffer(weight.contiguous(memory_format=torch.channels_last))
        self.bias = nn.Buffer(bias)

    def forward(self, picture: Tensor) -> Tensor:
        """Batch x channels x height x width, and so the result."""
        if self.border:
            picture = functional.pad(picture, self.border)
        picture = picture.to(self.weight.dtype)
        return activate(functional.conv2d(picture, self.weight, self.bias, **self.options), self.activation)


def _evened(weight: Tensor, border: Border) -> tuple[Tensor, Border]:
    """The same convolution with as much border before as after the picture: its kernel gets zeros instead.

    torch pads evenly for nothing, otherwise it copies the picture: of a depthwise convolution that is half the time.
    (Where all channels meet, the kernel's zeros cost more than the copy.)
    """
    left, right, top, bottom = border
    across, down = max(left, right), max(top, bottom)
    weight = functional.pad(weight, (across - left, across - right, down - top, down - bottom))
    return weight, (across, across, down, down)


class Head(Layer):
    """A convolution that looks at the whole picture once: a matrix, and where coordinates come out.

    Computed in single precision whatever the rest is: half precision has steps of an eighth of a pixel beyond 128.

    Args:
        weight: output channels x numbers of the picture, in the file's order.
        bias: one number an output channel.
        activation: applied to the result.
    """

    def __init__(self, weight: Tensor, bias: Tensor, activation: Activation) -> None:
        super().__init__()
        self.weight = nn.Buffer(weight)
        self.bias = nn.Buffer(bias)
        self.activation = activation

    def forward(self, picture: Tensor) -> Tensor:
        """Batch x channels x height x width; the result is batch x output channels x 1 x 1, single precision."""
        numbers = to_file_order(picture).reshape(len(picture), -1).float()
        return activate(functional.linear(numbers, self.weight, self.bias), self.activation)[:, :, None, None]
