"""A picture for people: the photo with the face's outlines, a close-up with the mesh, and what was measured."""

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_core.model.face import FaceReport
from mien_serving.face.crop import crop_of
from mien_serving.face.panel import WIDTH, panel_of
from mien_serving.face.region import region_of_points
from mien_serving.face.tone import skin_pixels
from mien_serving.face.topology import (
    FACE_OVAL,
    LEFT_BROW,
    LEFT_EYE,
    LIPS_INNER,
    LIPS_OUTER,
    RIGHT_BROW,
    RIGHT_EYE,
)

BACKGROUND: Final = (22, 24, 29)
OVAL_COLOUR: Final = (235, 238, 242)
EYE_COLOUR: Final = (94, 203, 255)
BROW_COLOUR: Final = (255, 196, 84)
LIP_COLOUR: Final = (255, 112, 134)
MESH_COLOUR: Final = (120, 235, 200)
BOX_COLOUR: Final = (120, 235, 200)

_OUTLINES: Final = (
    (FACE_OVAL, OVAL_COLOUR),
    (RIGHT_EYE, EYE_COLOUR),
    (LEFT_EYE, EYE_COLOUR),
    (RIGHT_BROW, BROW_COLOUR),
    (LEFT_BROW, BROW_COLOUR),
    (LIPS_OUTER, LIP_COLOUR),
    (LIPS_INNER, LIP_COLOUR),
)

# A smaller photo is enlarged, so that the lines on it can be told apart.
LEAST_SIDE: Final = 480
# Coordinates are handed to OpenCV as sixteenths of a pixel.
_SHIFT: Final = 4


def annotate(pixels: NDArray[np.uint8], report: FaceReport, max_side: int = 1120) -> bytes:
    """Draw a report onto its photo.

    Args:
        pixels: the photo that was analysed, H x W x 3, 0-255, sRGB.
        report: what was found in it.
        max_side: pixels of the picture's longer side at most, unless the panel beside the photo needs more.

    Returns:
        A PNG without metadata.
    """
    height, width = pixels.shape[:2]
    points = np.array([[point.x, point.y, point.z] for point in report.face.landmarks])
    points *= np.array([width, height, width])

    skin = None if report.tone is None else skin_pixels(crop_of(pixels, points))
    measured = None if skin is None else _median(skin)
    panel = panel_of(report, _close_up(pixels, points), measured, BACKGROUND)

    photo = _photo(pixels, points, report, max(max_side - WIDTH, WIDTH))
    high = max(photo.shape[0], panel.shape[0])
    # RLE over the Paeth difference, of 64 levels a channel: nobody sees the difference, and the file has 0.4 MB
    # instead of 0.8, which is what its way into the store costs.
    options = [
        *(cv2.IMWRITE_PNG_COMPRESSION, 1),
        *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
        *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH),
    ]
    picture = cv2.hconcat([_padded(photo, (high - photo.shape[0]) // 2, high), _padded(panel, 0, high)])
    coarse = (np.minimum(picture, 253) + np.uint8(2)) & np.uint8(0xFC)
    return cv2.imencode(".png", cv2.cvtColor(coarse, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def _median(colours: NDArray[np.uint8]) -> tuple[int, int, int]:
    red, green, blue = (round(float(channel)) for channel in np.median(colours, axis=0))
    return red, green, blue


def _padded(picture: NDArray[np.uint8], above: int, high: int) -> NDArray[np.uint8]:
    below = high - above - picture.shape[0]
    padded = cv2.copyMakeBorder(picture, above, below, 0, 0, cv2.BORDER_CONSTANT, value=BACKGROUND)
    return np.asarray(padded, dtype=np.uint8)


def _photo(
    pixels: NDArray[np.uint8], points: NDArray[np.float64], report: FaceReport, longest: int
) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    longer = max(height, width)
    scale = min(max(longer, LEAST_SIDE), longest) / longer
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    photo = np.array(cv2.resize(pixels, size, interpolation=interpolation), dtype=np.uint8)

    box = report.face.bounding_box
    corner = np.array([box.left, box.top]) * size
    _brackets(photo, corner, corner + np.array([box.width, box.height]) * size)
    _outlines(photo, points[:, :2] * np.array(size) / (width, height))
    return photo


def _close_up(pixels: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.uint8]:
    # Nearer than the models look, because a person wants to see the face and not what is around it.
    region = region_of_points(points)
    region = replace(region, side=region.side * 0.82)
    picture = region.cut(pixels, WIDTH)
    placed = region.from_photo(points)[:, :2] * WIDTH
    dots = picture.copy()
    for x, y in _fixed(placed):
        cv2.circle(dots, (x, y), 1 << _SHIFT, MESH_COLOUR, cv2.FILLED, cv2.LINE_AA, _SHIFT)
    picture = np.asarray(cv2.addWeighted(dots, 0.75, picture, 0.25, 0), dtype=np.uint8)
    _outlines(picture, placed)
    return picture


def _outlines(picture: NDArray[np.uint8], points: NDArray[np.float64]) -> None:
    for outline, colour in _OUTLINES:
        corners = _fixed(points[list(outline)]).reshape(-1, 1, 2)
        cv2.polylines(picture, [corners], True, colour, 1, cv2.LINE_AA, _SHIFT)


def _brackets(picture: NDArray[np.uint8], corner: NDArray[np.float64], opposite: NDArray[np.float64]) -> None:
    """The bounding box, drawn at its corners only, so that it hides nothing."""
    arm = 0.18 * float((opposite - corner).min())
    for x, inwards in ((corner[0], arm), (opposite[0], -arm)):
        for y, downwards in ((corner[1], arm), (opposite[1], -arm)):
            angle = np.array([[x + inwards, y], [x, y], [x, y + downwards]])
            cv2.polylines(picture, [_fixed(angle).reshape(-1, 1, 2)], False, BOX_COLOUR, 2, cv2.LINE_AA, _SHIFT)


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Points in pixels, where a pixel's centre is at a half, as OpenCV's fixed-point numbers, where it is whole."""
    return np.round((points - 0.5) * (1 << _SHIFT)).astype(np.int32)
