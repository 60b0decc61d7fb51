"""The part of a photo in which a face lies, and where on it each kind of make-up goes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_core.model.face import FaceReport
from mien_core.model.looks import Category
from mien_serving.face.topology import (
    FACE_OVAL,
    LEFT_EYE,
    LIPS_INNER,
    LIPS_OUTER,
    RIGHT_EYE,
)
from mien_serving.skin.topology import REGIONS, Outline, both

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float32]

# Room around the mesh, in distances between the eyes: as far as any edge fades.
_ROOM: Final = 0.5
# The standard deviations, in pixels, that an edge has at least, and up to which it is blurred at full size.
_LEAST_EDGE: Final = 0.5
_FINE_EDGE: Final = 8.0
# What is below this changes no pixel, and so is nothing: a part of 1 that 8 bits can't hold.
_LEAST: Final = 1 / 512
# Coordinates are handed to OpenCV as sixteenths of a pixel.
_SHIFT: Final = 4


@dataclass(frozen=True)
class Area:
    """Where a kind of make-up goes: into the outlines, not into the holes, and nowhere outside of within.

    edge is the standard deviation over which the outlines fade, in distances between the eyes.
    """

    outlines: tuple[Outline, ...]
    edge: float
    holes: tuple[Outline, ...]
    within: Outline | None = None


def _regions(*stems: str) -> tuple[Outline, ...]:
    """Regions of the skin, right and left."""
    return tuple(REGIONS[name] for name in both(*stems))


# In the order in which they are put on.
AREAS: Final[Mapping[Category, Area]] = MappingProxyType(
    {
        "blush": Area(_regions("cheek_outer", "cheek_upper"), 0.1, (RIGHT_EYE, LEFT_EYE, LIPS_OUTER), FACE_OVAL),
        "eyeshadow": Area(_regions("upper_lid"), 0.035, (RIGHT_EYE, LEFT_EYE)),
        "lipstick": Area((LIPS_OUTER,), 0.012, (LIPS_INNER,)),
    }
)


@dataclass(frozen=True)
class FacePart:
    """A rectangle of the photo, in whole pixels, and the mesh (468 x 2) in pixels of it.

    eye_distance is the distance between the middles of the eyes, in pixels.
    """

    rows: slice
    columns: slice
    points: NDArray[np.float64]
    eye_distance: float

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.rows.stop - self.rows.start)

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.columns.stop - self.columns.start)

    def mask(self, category: Category) -> Plane:
        """Where make-up of a category of AREAS goes: height x width, 0-1, fading at its edges."""
        area = AREAS[category]
        mask = self._blurred(area.outlines, max(area.edge * self.eye_distance, _LEAST_EDGE))
        # the edges of holes are sharp: no colour on eyes and teeth
        mask[self._filled(area.holes, self.width, self.height) > 0] = 0
        if area.within is not None:
            mask *= self._filled([area.within], self.width, self.height)
        mask[mask < _LEAST] = 0
        return mask

    def _blurred(self, outlines: Sequence[Outline], sigma: float) -> Plane:
        # What fades over many pixels has no detail: blurred as a smaller picture it is the same, and costs less.
        scale = min(1.0, _FINE_EDGE / sigma)
        small = self._filled(outlines, math.ceil(self.width * scale), math.ceil(self.height * scale))
        blurred = cv2.GaussianBlur(small, (0, 0), sigma * scale)
        return np.asarray(cv2.resize(blurred, (self.width, self.height)), dtype=np.float32)

    def _filled(self, outlines: Sequence[Outline], width: int, height: int) -> Plane:
        """The outlines as a picture of the whole part in that size, 0-1."""
        drawn = np.zeros((height, width), dtype=np.uint8)
        points = self.points * (width / self.width, height / self.height)
        for outline in outlines:
            # a pixel's centre is at a half, and for OpenCV at a whole number
            corners = np.round((points[list(outline)] - 0.5) * (1 << _SHIFT)).astype(np.int32)
            cv2.fillPoly(drawn, [corners], 255, cv2.LINE_AA, _SHIFT)
        return drawn.astype(np.float32) / np.float32(255)


def face_part_of(photo: Pixels, report: FaceReport) -> FacePart:
    """The part of a photo (H x W x 3) in which the face of its report lies; empty if that is all outside of it."""
    height, width = photo.shape[:2]
    points = np.array([(one.x, one.y) for one in report.face.landmarks]) * (width, height)
    right, left = (points[[eye[0], eye[8]]].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE))
    eye_distance = float(np.hypot(*(left - right)))
    room = _ROOM * eye_distance
    low = np.clip(np.floor(points.min(axis=0) - room), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(points.max(axis=0) + room), 0, (width, height)).astype(int)
    return FacePart(slice(low[1], high[1]), slice(low[0], high[0]), points - low, eye_distance)
