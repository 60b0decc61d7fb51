"""Whether an eye is open: there is a dark iris between two bright whites, and on a closed lid there isn't.

The mesh's own lids can't tell: they stay open on a closed eye.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.face.colour import luminance_of_srgb
from mien_serving.face.region import Region

# Each eye's lids from corner to corner, and the eye's cut: its side in widths of the eye, and in pixels.
_UPPER: Final = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (362, 398, 384, 385, 386, 387, 388, 466, 263))
_LOWER: Final = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (362, 382, 381, 380, 374, 373, 390, 249, 263))
_SIDE: Final = 1.6
_SIZE: Final = 64
_DARK: Final = 0.004
_SAMPLES: Final = 40
# Where along the line between the corners: from and to, and how many samples of each end are whites.
_ALONG: Final = (0.15, 0.85)
_WHITES: Final = 12
_IRIS: Final = slice(10, 30)


def iris_contrast(photo: NDArray[np.uint8], points: NDArray[np.float64]) -> float:
    """How much darker the iris is than the whites beside it, in stops, of the eye that shows it better.

    Along the line halfway between the lids: the mean of the brightest on either side over the darkest in the middle.

    Args:
        photo: H x W x 3, 0-255, sRGB.
        points: the face's mesh, 468 x 3 in pixels of the photo.
    """
    return max(_contrast(photo, points, *lids) for lids in zip(_UPPER, _LOWER, strict=True))


def _contrast(
    photo: NDArray[np.uint8], points: NDArray[np.float64], upper: tuple[int, ...], lower: tuple[int, ...]
) -> float:
    start, end = points[upper[0], :2], points[upper[-1], :2]
    way, middle = end - start, (start + end) / 2
    # A face seen from aside may have an eye of no width.
    width = max(float(np.linalg.norm(way)), 1.0)
    region = Region(float(middle[0]), float(middle[1]), _SIDE * width, float(np.arctan2(way[1], way[0])))
    light = np.log2(luminance_of_srgb(region.cut(photo, _SIZE)) + _DARK).astype(np.float32)
    light = np.asarray(cv2.GaussianBlur(light, (0, 0), 1.0), dtype=np.float32)
    above, below = (region.from_photo(points[list(lid)])[:, :2] * _SIZE for lid in (upper, lower))
    across = above[0, 0] + (above[-1, 0] - above[0, 0]) * np.linspace(*_ALONG, _SAMPLES)
    down = (np.interp(across, above[:, 0], above[:, 1]) + np.interp(across, below[:, 0], below[:, 1])) / 2
    line = cv2.remap(
        light, across[None].astype(np.float32) - 0.5, down[None].astype(np.float32) - 0.5, cv2.INTER_LINEAR
    )[0]
    whites = (float(line[:_WHITES].max()) + float(line[-_WHITES:].max())) / 2
    return whites - float(line[_IRIS].min())
