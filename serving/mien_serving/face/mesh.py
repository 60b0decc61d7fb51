"""The face mesh model: 468 points in three dimensions, and how sure it is to see a face at all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien_serving.face.executor import Batch, Executor
from mien_serving.face.region import Region, cut_on_host

SIZE: Final = 192

# Cuts regions (each with the photo it lies in) to squares of so many pixels; cut_on_host, or cut_on_device on a device.
CutRegions = Callable[[Sequence[NDArray[np.uint8]], Sequence[Region], int], Batch]


@dataclass(frozen=True)
class Mesh:
    """points is 468 x 3 in pixels of the photo, z smaller is nearer; presence 0-1 is how sure the model sees a face."""

    points: NDArray[np.float64]
    presence: float


class MeshModel:
    """Finds the mesh in regions of photos.

    Args:
        executor: runs the model's file.
        cut: makes its input of photos and regions.
    """

    def __init__(self, executor: Executor, cut: CutRegions = cut_on_host) -> None:
        self._executor = executor
        self._cut = cut

    def fit(self, photos: Sequence[NDArray[np.uint8]], regions: Sequence[Region]) -> list[Mesh]:
        """The mesh of each region, in one batch.

        Args:
            photos: for each region the photo it lies in, H x W x 3, 0-255, sRGB; may repeat.
            regions: where the faces are.
        """
        if not regions:
            return []
        numbers, flags = self._executor.run(self._cut(photos, regions, SIZE))
        points = numbers.astype(np.float64).reshape(len(regions), -1, 3) / SIZE
        presences = 1 / (1 + np.exp(-flags.astype(np.float64).reshape(-1)))
        return [
            Mesh(region.to_photo(one), float(presence))
            for region, one, presence in zip(regions, points, presences, strict=True)
        ]
