"""A measure's evidence, or the regions, drawn onto the photo for people to look at."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_core.model.skin import MeasureName, Polygon, SkinReport
from mien_serving.skin.canvas import Pixels

_MARK: Final = (40, 255, 90)
_REGION: Final = (255, 220, 60)
# Room around the face, relative to its size.
_ROOM: Final = 0.12


def evidence_drawn(photo: Pixels, report: SkinReport, name: MeasureName) -> Pixels:
    """The photo with what a measure rests on outlined; unchanged where the photo couldn't show it.

    Args:
        photo: H x W x 3, 0-255, sRGB, the one that the report describes; stays as it is.
        report: what the skin engine said of it.
        name: the measure.
    """
    measure = report.measure(name)
    return _drawn(photo, [] if measure is None else [one.polygon for one in measure.evidence], _MARK)


def regions_drawn(photo: Pixels, report: SkinReport) -> Pixels:
    """The photo with all regions outlined."""
    return _drawn(photo, [one.polygon for one in report.regions], _REGION)


def cut_to_face(picture: Pixels, report: SkinReport) -> Pixels:
    """The part of a picture (of the photo's size) in which the regions lie, with some room around."""
    height, width = picture.shape[:2]
    corners = np.concatenate([np.array(one.polygon) for one in report.regions])
    low, high = corners.min(axis=0), corners.max(axis=0)
    room = _ROOM * (high - low)
    left, top = np.clip((low - room) * (width, height), 0, (width, height)).astype(int)
    right, bottom = np.clip((high + room) * (width, height), 0, (width, height)).astype(int)
    return np.ascontiguousarray(picture[top:bottom, left:right])


def _drawn(photo: Pixels, polygons: Sequence[Polygon], colour: tuple[int, int, int]) -> Pixels:
    height, width = photo.shape[:2]
    picture = photo.copy()
    thickness = max(1, round(max(height, width) / 1200))
    cv2.polylines(picture, [_corners(one, width, height) for one in polygons], True, colour, thickness, cv2.LINE_AA, 4)
    return picture


def _corners(polygon: Polygon, width: int, height: int) -> NDArray[np.int32]:
    """In sixteenths of a pixel, whose centre is at a whole number."""
    return np.round((np.array(polygon) * (width, height) - 0.5) * 16).astype(np.int32)
