"""A report's evidence as pictures: one mask for each measure, to lay over the photo."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_core.errors import Rejected
from mien_core.model.skin import MeasureName, SkinMeasure, SkinReport


def masks(report: SkinReport, width: int, height: int) -> dict[MeasureName, bytes]:
    """The mask of each measure of a report; see mask."""
    return {measure.name: mask(measure, width, height) for measure in report.measures}


def mask(measure: SkinMeasure, width: int, height: int) -> bytes:
    """A PNG of the photo's size in black and white: white where the measure's evidence lies.

    Args:
        measure: what the skin engine measured in a photo.
        width: of that photo, in pixels.
        height: likewise.

    Raises:
        Rejected: empty_mask, where width or height are not positive.
    """
    if min(width, height) <= 0:
        raise Rejected("empty_mask", "A mask needs the photo's width and height in pixels.")
    canvas = np.zeros((height, width), dtype=np.uint8)
    for evidence in measure.evidence:
        # One by one: drawn together, overlapping outlines would cut holes into each other.
        cv2.fillPoly(canvas, [_corners(evidence.polygon, width, height)], 255, lineType=cv2.LINE_8, shift=4)
    done, data = cv2.imencode(".png", canvas, [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:  # OpenCV says no more than that
        raise RuntimeError("a mask could not be encoded")
    return data.tobytes()


def _corners(polygon: tuple[tuple[float, float], ...], width: int, height: int) -> NDArray[np.int32]:
    """In sixteenths of a pixel, whose centre is at a whole number."""
    return np.round((np.array(polygon) * (width, height) - 0.5) * 16).astype(np.int32)
