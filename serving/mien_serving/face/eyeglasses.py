"""A frame on the nose: a line across the bridge between the eyes, and one below each eye, where faces have none.

That a frame shows as edges on the bridge and under the eyes: Jiang, Binkert, Achermann, Bunke, "Towards detection of
glasses in facial images" (ICPR 1998). A thin frame of the skin's own light still has another colour, so lines are
looked for in the light and in the ratio of red to green.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.face.colour import linear_of_srgb
from mien_serving.face.region import Region
from mien_serving.face.topology import LEFT_EYE, RIGHT_EYE

Plane = NDArray[np.float32]

# The inner corners of the bridge, and for each eye its outline and the cheek's point below it.
_BRIDGE: Final = (193, 417)
_EYES: Final = ((RIGHT_EYE, 118), (LEFT_EYE, 347))
# The cut around the eyes: its side in distances between them, and in pixels.
_SIDE: Final = 2.0
_SIZE: Final = 256
_UNIT: Final = _SIZE / _SIDE
# Sigmas in pixels of the cut: a wire of 1 mm and more.
_FINE: Final = 0.8
_COARSE: Final = 2.2
_REACH: Final = 8
# Row of IEC 61966-2-1 from linear sRGB to relative luminance.
_TO_LUMINANCE: Final = np.array([[0.2126, 0.7152, 0.0722]], dtype=np.float32)
_DARK: Final = 0.004
# In distances between the eyes: where the bridge is searched above and below the corners' line and either way from its
# middle, and how far below the eye and the cheek's point the rim is.
_ABOVE: Final = 0.22
_BELOW: Final = 0.3
_BRIDGE_HALF: Final = 0.07
_FROM_EYE: Final = 0.06
_TO_CHEEK: Final = 0.25
# The part of the eye's width either way from its middle.
_EYE_HALF: Final = 0.35


def frame_contrast(photo: NDArray[np.uint8], points: NDArray[np.float64]) -> float | None:
    """The weakest of three lines' contrasts in stops: across the bridge, under the right and under the left eye.

    Each is the largest answer of a difference of Gaussians (of log2 of the luminance, or of red over green, whichever
    shows the frame better) along the way down: of the bridge's mean, and of the median column under each eye. None
    where one of the places lies beyond the photo.

    Args:
        photo: H x W x 3, 0-255, sRGB.
        points: the face's mesh, 468 x 3 in pixels of the photo.
    """
    right, left = (points[[eye[0], eye[8]], :2].mean(axis=0) for eye, _ in _EYES)
    way, middle = left - right, (right + left) / 2
    side = _SIDE * max(float(np.linalg.norm(way)), 1.0)
    region = Region(float(middle[0]), float(middle[1]), side, float(np.arctan2(way[1], way[0])))
    placed = region.from_photo(points)[:, :2] * _SIZE
    places = [_bridge(placed), *(_rim(placed, eye, cheek) for eye, cheek in _EYES)]
    if not all(_inside(region, photo, place) for place in places):
        return None
    # The rows that are looked at, with what the Gaussians reach: half of the cut.
    top = max(0, min(rows.start for rows, _ in places) - _REACH)
    bottom = max(rows.stop for rows, _ in places) + _REACH
    places = [(slice(rows.start - top, rows.stop - top), columns) for rows, columns in places]
    linear = linear_of_srgb(region.cut(photo, _SIZE)[top:bottom]).astype(np.float32) + np.float32(_DARK)
    light = np.asarray(np.log2(cv2.transform(linear, _TO_LUMINANCE)), dtype=np.float32)
    red = np.log2(linear[..., 0] / linear[..., 1])
    return max(_weakest(plane, places) for plane in (light, red))


def _weakest(plane: Plane, places: Sequence[tuple[slice, slice]]) -> float:
    lines = cv2.GaussianBlur(plane, (0, 0), _FINE) - cv2.GaussianBlur(plane, (0, 0), _COARSE)
    bridge, *rims = (lines[place] for place in places)
    return min(float(np.abs(bridge.mean(axis=1)).max()), *(float(np.median(np.abs(rim).max(axis=0))) for rim in rims))


def _bridge(placed: NDArray[np.float64]) -> tuple[slice, slice]:
    middle = float(placed[list(_BRIDGE), 0].mean())
    level = float(placed[[eye[index] for eye, _ in _EYES for index in (0, 8)], 1].mean())
    return _box(middle, _BRIDGE_HALF * _UNIT, level - _ABOVE * _UNIT, level + _BELOW * _UNIT)


def _rim(placed: NDArray[np.float64], eye: tuple[int, ...], cheek: int) -> tuple[slice, slice]:
    outline = placed[list(eye)]
    half = _EYE_HALF * float(np.ptp(outline[:, 0]))
    top = float(outline[:, 1].max()) + _FROM_EYE * _UNIT
    return _box(float(outline[:, 0].mean()), half, top, max(top, float(placed[cheek, 1]) + _TO_CHEEK * _UNIT))


def _box(middle: float, half: float, top: float, bottom: float) -> tuple[slice, slice]:
    low = np.clip(np.array([top, middle - half]), 0, _SIZE - 1).astype(int)
    high = np.clip(np.array([bottom, middle + half]), 0, _SIZE - 1).astype(int) + 1
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _inside(region: Region, photo: NDArray[np.uint8], place: tuple[slice, slice]) -> bool:
    rows, columns = place
    corners = np.array([(x, y, 0) for x in (columns.start, columns.stop) for y in (rows.start, rows.stop)], dtype=float)
    there = region.to_photo(corners / _SIZE)[:, :2]
    return bool((there >= 0).all() and (there <= (photo.shape[1], photo.shape[0])).all())
