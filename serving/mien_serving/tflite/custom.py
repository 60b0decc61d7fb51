"""Layers for the operators that MediaPipe added: three of the attention mesh, one of the segmentation.

The attention mesh looks twice: a first mesh says where the lips and the eyes are, and each of them is cut out of the
feature map, turned level, and looked at again. The arithmetic is that of MediaPipe's CPU operators, version 2.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien_serving.tflite.layers import Layer


class LandmarksToMatrix(Layer):
    """From points to the transform that carries a part's own pixels to where the part lies.

    The part is the box around some of the points, level with the line from one point to another, enlarged. Its pixel
    (x, y) is carried to shift(centre) · turn · scale · shift(-size / 2) · (x, y).

    Args:
        subset: numbers of the points that the part is around.
        level: numbers of the two points whose line becomes level.
        size: width and height of the part in its own pixels.
        enlarge: by how much, across and down.
        target: the angle that the line gets, radians.
    """

    def __init__(
        self,
        subset: Sequence[int],
        level: tuple[int, int],
        size: tuple[int, int],
        enlarge: tuple[float, float],
        target: float,
    ) -> None:
        super().__init__()
        self.subset = nn.Buffer(torch.tensor(subset))
        self.level = level
        self.size = nn.Buffer(torch.tensor(size, dtype=torch.float32))
        self.enlarge = nn.Buffer(torch.tensor(enlarge, dtype=torch.float32))
        self.target = target

    def forward(self, points: Tensor) -> Tensor:
        """Batch x points x 3 gives batch x 4 x 4, single precision."""
        points = points.float()
        from_here, to_there = points[:, self.level[0]], points[:, self.level[1]]
        angle = self.target - torch.atan2(to_there[:, 1] - from_here[:, 1], to_there[:, 0] - from_here[:, 0])
        cosine, sine = angle.cos(), angle.sin()
        turn = torch.stack([cosine, -sine, sine, cosine], dim=-1).reshape(-1, 2, 2)
        turned = points[:, self.subset, :2] @ turn.transpose(1, 2)
        lowest, highest = turned.amin(1), turned.amax(1)
        # A rotation's inverse is its transpose.
        linear = turn.transpose(1, 2) * (self.enlarge * (highest - lowest) / self.size)[:, None, :]
        centre = (turn.transpose(1, 2) @ ((lowest + highest) / 2)[:, :, None])[:, :, 0]
        shift = centre - (linear @ (self.size / 2)[:, None])[:, :, 0]
        matrix = torch.eye(4, device=points.device).repeat(len(points), 1, 1)
        matrix[:, :2, :2] = linear
        matrix[:, :2, 3] = shift
        return matrix


class TransformPicture(Layer):
    """Cuts a part out of a feature map; pixels whose source lies beyond the outermost pixels' centres are zero.

    Args:
        size: height and width of the result.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        rows, columns = torch.meshgrid(torch.arange(size[0]) + 0.5, torch.arange(size[1]) + 0.5, indexing="ij")
        self.pixels = nn.Buffer(torch.stack([columns, rows], dim=-1))

    def forward(self, picture: Tensor, matrix: Tensor) -> Tensor:
        """Batch x channels x height x width and batch x 4 x 4 give batch x channels x size."""
        rows, columns, _ = self.pixels.shape
        linear, shift = matrix[:, :2, :2], matrix[:, :2, 3]
        flat = self.pixels.reshape(1, -1, 2) @ linear.transpose(1, 2) + shift[:, None] - 0.5
        source = flat.reshape(-1, rows, columns, 2)
        last = torch.tensor([picture.shape[3] - 1, picture.shape[2] - 1], device=source.device)
        inside = ((source >= 0) & (source <= last)).all(-1)
        grid = source / last * 2 - 1
        sampled = functional.grid_sample(picture.float(), grid, mode="bilinear", align_corners=True)
        cut = (sampled * inside[:, None]).to(picture.dtype)
        return cut.contiguous(memory_format=torch.channels_last)


class TransformLandmarks(Layer):
    """Carries points by a transform; a third coordinate stays as it is."""

    def forward(self, points: Tensor, matrix: Tensor) -> Tensor:
        """Batch x points x 2 or 3 and batch x 4 x 4, single precision."""
        moved = points[..., :2].float() @ matrix[:, :2, :2].transpose(1, 2) + matrix[:, None, :2, 3]
        return torch.cat([moved, points[..., 2:].float()], dim=-1)


class TransposedConvolution(Layer):
    """Spreads each pixel over a window, and adds a bias.

    Args:
        weight: input channels x output channels x height x width.
        bias: one number an output channel.
        stride: down, across.
        top_left: rows and columns cut off before.
        size: height and width of the result.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        stride: tuple[int, int],
        top_left: tuple[int, int],
        size: tuple[int, int],
    ) -> None:
        super().__init__()
        self.weight = nn.Buffer(weight)
        self.bias = nn.Buffer(bias)
        self.stride = stride
        (top, left), (height, width) = top_left, size
        self.window = (..., slice(top, top + height), slice(left, left + width))

    def forward(self, picture: Tensor) -> Tensor:
        """Batch x channels x height x width."""
        return functional.conv_transpose2d(picture, self.weight, self.bias, self.stride)[self.window]
