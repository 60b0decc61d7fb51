"""The face as the measures see it: level, of one size in every photo, and without what isn't face."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.face.colour import luminance_of_srgb
from mien_serving.face.region import region_of_points
from mien_serving.face.topology import FACE_OVAL

SIZE: Final = 192
# A channel from here on may have been cut off by the camera, so the colour is lost.
CLIPPED: Final = 250


@dataclass(frozen=True)
class FaceCrop:
    """A face turned level and scaled so that 1.5 times its longer side is SIZE pixels.

    pixels is SIZE x SIZE x 3, 0-255, sRGB; points is 468 x 2 in its pixels; inside is SIZE x SIZE, true where the
    photo has a pixel (elsewhere its edge is continued).
    """

    pixels: NDArray[np.uint8]
    points: NDArray[np.float64]
    inside: NDArray[np.bool_]

    def mask(self, outline: Sequence[int]) -> NDArray[np.bool_]:
        """SIZE x SIZE, true inside the polygon through these points of the mesh and inside the photo."""
        return self._filled(self.points[list(outline)]) & self.inside

    def hull(self, points: Sequence[int]) -> NDArray[np.bool_]:
        """As mask, for points in any order: inside the smallest convex polygon around them."""
        corners = cv2.convexHull(self.points[list(points)].astype(np.float32)).reshape(-1, 2)
        return self._filled(np.asarray(corners, dtype=np.float64)) & self.inside

    @cached_property
    def face(self) -> NDArray[np.bool_]:
        """The mask of the face's oval."""
        return self.mask(FACE_OVAL)

    @cached_property
    def luminance(self) -> NDArray[np.float64]:
        """Relative luminance Y, SIZE x SIZE, 0-1."""
        return luminance_of_srgb(self.pixels)

    def _filled(self, corners: NDArray[np.float64]) -> NDArray[np.bool_]:
        canvas = np.zeros((SIZE, SIZE), dtype=np.uint8)
        cv2.fillPoly(canvas, [np.round(corners - 0.5).astype(np.int32)], 1)
        return np.asarray(canvas > 0, dtype=np.bool_)


def crop_of(photo: NDArray[np.uint8], points: NDArray[np.float64]) -> FaceCrop:
    """Cut a face out of a photo.

    Args:
        photo: H x W x 3, 0-255, sRGB.
        points: the face's mesh, 468 x 3 in pixels of the photo.
    """
    region = region_of_points(points)
    height, width = photo.shape[:2]
    centres = (np.arange(SIZE) + 0.5) / SIZE
    across, down = np.meshgrid(centres, centres)
    in_photo = region.to_photo(np.stack([across.ravel(), down.ravel(), np.zeros(SIZE * SIZE)], axis=1))
    inside = (
        (in_photo[:, 0] >= 0) & (in_photo[:, 0] < width) & (in_photo[:, 1] >= 0) & (in_photo[:, 1] < height)
    ).reshape(SIZE, SIZE)
    return FaceCrop(region.cut(photo, SIZE), region.from_photo(points)[:, :2] * SIZE, inside)
