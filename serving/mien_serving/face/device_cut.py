"""Regions cut out of photos on the device that runs the mesh, so that a GPU isn't fed cut by cut from the host."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from mien_serving.face.region import Region


def cut_on_device(photos: Sequence[NDArray[np.uint8]], regions: Sequence[Region], size: int, device: str) -> Tensor:
    """What cut_on_host gives, to about one grey value, without leaving the device; each photo goes there once.

    Args:
        photos: for each region the photo it lies in, H x W x 3, 0-255; may repeat.
        regions: where to cut.
        size: side of the results in pixels.
        device: as torch names it.

    Returns:
        On the device, number of regions x size x size x 3, single precision, 0-1.
    """
    with torch.inference_mode():
        # torch wants to be allowed to write, though nothing here does.
        moved = {id(photo): torch.from_numpy(np.require(photo, np.uint8, ["C", "W"])).to(device) for photo in photos}
        cuts = [_cut(moved[id(photo)], region, size) for photo, region in zip(photos, regions, strict=True)]
        return torch.stack(cuts) / 255


def _cut(photo: Tensor, region: Region, size: int) -> Tensor:
    """One region, size x size x 3, 0-255."""
    height, width = photo.shape[:2]
    part = region.part(height, width, size)
    source = photo[part.top : part.bottom, part.left : part.right].to(torch.float32).permute(2, 0, 1)
    if (part.rows, part.columns) != source.shape[1:]:
        source = _averages(source.shape[1], part.rows, photo) @ source
        source = source @ _averages(source.shape[2], part.columns, photo).T
    to_source = torch.tensor(part.region.to_source(size), dtype=torch.float32, device=photo.device)
    steps = torch.arange(size, dtype=torch.float32, device=photo.device)
    down, right = torch.meshgrid(steps, steps, indexing="ij")
    places = torch.stack([right, down, torch.ones_like(right)], dim=-1) @ to_source.T
    # grid_sample counts from -1 to 1 over the picture's outer edges, and a pixel's centre lies half a pixel inside.
    extent = torch.tensor([part.columns, part.rows], dtype=torch.float32, device=photo.device)
    grid = (places + 0.5) / extent * 2 - 1
    cut = grid_sample(source[None], grid[None], mode="bilinear", padding_mode="border", align_corners=False)
    return cut[0].permute(1, 2, 0)


def _averages(length: int, shorter: int, like: Tensor) -> Tensor:
    """The matrix (shorter x length) that averages over areas: a row's weights are each old pixel's part in the new."""
    edges = torch.arange(shorter + 1, dtype=torch.float64, device=like.device) * (length / shorter)
    pixels = torch.arange(length, dtype=torch.float64, device=like.device)
    covered = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return (covered.clamp(min=0) * (shorter / length)).to(torch.float32)
