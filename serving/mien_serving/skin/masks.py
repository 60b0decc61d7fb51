"""A report's evidence as pictures: one mask for each measure, to lay over the photo."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_core.errors import Rejected
from mien_core.model.skin import SkinReport


def masks(report: SkinReport, width: int, height: int) -> dict[str, bytes]:
    """For each measure of a report a PNG of the photo's size in black and white: white where its evidence lies.

    Args:
        report: what the skin engine said of a photo.
        width: of that photo, in pixels.
        height: likewise.

    Raises:
        Rejected: empty_mask, where width or height are not positive.
    """
    if min(width, height) <= 0:
        raise Rejected("empty_mask", "A mask needs the photo's width and height in pixels.")
    pictures: dict[str, bytes] = {}
    for measure in report.measures:
        canvas = np.zeros((height, width), dtype=np.uint8)
        outlines = [_corners(evidence.polygon, width, height) for evidence in measure.evidence]
        for outline in outlines:
            # One by one: drawn together, overlapping outlines would cut holes into each other.
            cv2.fillPoly(canvas, [outline], 255, lineType=cv2.LINE_8, shift=4)
        done, data = cv2.imencode(".png", canvas, [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 1])
        if not done:  # OpenCV says no more than that
            raise RuntimeError("a mask could not be encoded")
        pictures[measure.name] = data.tobytes()
    return pictures


def _corners(polygon: tuple[tuple[float, float], ...], width: int, height: int) -> NDArray[np.int32]:
    """In sixteenths of a pixel, whose centre is at a whole number."""
    return np.round((np.array(polygon) * (width, height) - 0.5) * 16).astype(np.int32)
