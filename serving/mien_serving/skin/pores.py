"""Pores: dark dots of a third of a millimetre, which only a large photo holds."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.face.colour import luminance_of_srgb
from mien_serving.face.region import Region
from mien_serving.skin.canvas import DARK, EYE_DISTANCE_MM, SIZE, Canvas, Pixels
from mien_serving.skin.finding import NAMES, Finding, Mark, circle, poisson_interval
from mien_serving.skin.topology import NOSE, both

# A face of about 1,000 x 1,300 pixels, as a portrait of 2K and more holds it: 7 pixels a millimetre.
LEAST_EYE_DISTANCE: Final = 440.0
_IOD: Final = 440.0
_PIXELS_PER_MM: Final = _IOD / EYE_DISTANCE_MM
_SPAN: Final = 1.3
_FINE_SIZE: Final = round(_SPAN * _IOD)
# The difference of these Gaussians (pixels) answers best to dots 0.3 to 0.7 mm wide.
_DOTS: Final = (1.2, 2.4)
# Contrast (natural logarithm) that such a dot's middle must answer with, and times the camera's noise.
_LEAST_DOT: Final = 0.03
_TIMES_NOISE: Final = 4.0
_REGIONS: Final = (*NOSE, *both("cheek_upper"))
# A camera's picture of skin at this size is never smoother than this; a filter's or an enlarged one is.
LEAST_DETAIL: Final = 0.0028
# The median of absolute values of a normal distribution, in deviations.
_MEDIAN_TO_DEVIATION: Final = 0.6745
_MM2_IN_CM2: Final = 100.0


def pores(photo: Pixels, canvas: Canvas) -> Finding | None:
    """Dark dots on nose and inner cheeks on a square centimetre; None where the photo is smoother than skin is.

    Difference of Gaussians (Marr and Hildreth 1980). Blackheads are not told from other pores: they are the ones dark
    enough to be counted.
    """
    frame = canvas.frame
    tip = frame.points[5, :2]
    square = Region(float(tip[0]), float(tip[1]), _SPAN * frame.eye_distance, frame.square.angle)
    light = np.log(luminance_of_srgb(square.cut(photo, _FINE_SIZE)) + DARK).astype(np.float32)
    labels = _labels(canvas, square)
    usable = np.isin(labels, [NAMES.index(name) for name in _REGIONS])
    area = float(usable.sum()) / _PIXELS_PER_MM**2 / _MM2_IN_CM2
    if area == 0:
        return None
    # By the median of absolute values, which ignores dots and edges.
    fine = cv2.GaussianBlur(light, (0, 0), 0.8) - cv2.GaussianBlur(light, (0, 0), 1.6)
    detail = float(np.median(np.abs(fine[usable]))) / _MEDIAN_TO_DEVIATION
    if detail < LEAST_DETAIL:
        return None
    dark = cv2.GaussianBlur(light, (0, 0), _DOTS[1]) - cv2.GaussianBlur(light, (0, 0), _DOTS[0])
    spread = float(np.median(np.abs(dark[usable]))) / _MEDIAN_TO_DEVIATION
    least = max(_LEAST_DOT, _TIMES_NOISE * spread)
    peaks = (dark >= cv2.dilate(dark, np.ones((5, 5), np.uint8))) & (dark >= least) & usable
    down, across = np.nonzero(peaks)
    counts = np.bincount(labels[down, across], minlength=len(NAMES)) if len(down) else np.zeros(len(NAMES))
    sizes = np.bincount(labels[usable], minlength=len(NAMES)) / _PIXELS_PER_MM**2 / _MM2_IN_CM2
    low, high = poisson_interval(len(down))
    return Finding(
        value=len(down) / area,
        unit="per cm2",
        low=low / area,
        high=high / area,
        method="difference of Gaussians (Marr and Hildreth 1980)",
        canvas_size=SIZE,
        by_region={
            name: float(counts[number] / sizes[number])
            for number, name in enumerate(NAMES)
            if name in _REGIONS and sizes[number] > 0
        },
        marks=tuple(
            Mark(
                NAMES[labels[y, x]],
                _to_canvas(circle(x + 0.5, y + 0.5, 0.25 * _PIXELS_PER_MM), square, canvas),
                float(dark[y, x]),
            )
            for y, x in zip(down.tolist(), across.tolist(), strict=True)
        ),
    )


def _labels(canvas: Canvas, square: Region) -> NDArray[np.int16]:
    """The canvas's labels on the finer square."""
    scale = canvas.frame.square.side / square.side
    corner = _to_canvas(np.zeros((1, 2)), square, canvas)[0]
    steps = (np.arange(_FINE_SIZE) + 0.5) / (_FINE_SIZE * scale) * SIZE
    columns = np.clip((corner[0] + steps).astype(int), 0, SIZE - 1)
    rows = np.clip((corner[1] + steps).astype(int), 0, SIZE - 1)
    return np.asarray(canvas.labels[np.ix_(rows, columns)], dtype=np.int16)


def _to_canvas(points: NDArray[np.float64], square: Region, canvas: Canvas) -> NDArray[np.float64]:
    spatial = np.concatenate([points / _FINE_SIZE, np.zeros((len(points), 1))], axis=1)
    return np.asarray(canvas.frame.square.from_photo(square.to_photo(spatial))[:, :2] * SIZE, dtype=np.float64)
