"""Wrinkles: dark lines, found by the curvature across them.

Frangi, Niessen, Vincken, Viergever, "Multiscale vessel enhancement filtering" (MICCAI 1998), in two dimensions: with
the Hessian's eigenvalues |l1| <= |l2| of the light's logarithm at scale s (times s^2), R = |l1| / |l2| and
S = sqrt(l1^2 + l2^2), a dark line (l2 > 0) answers

    V = exp(-R^2 / (2 b^2)) (1 - exp(-S^2 / (2 c^2))),   b = 0.5.

The line itself runs where the slope across it vanishes: at most OFF_CENTRE pixels from the pixel's middle (Steger, "An
unbiased detector of curvilinear structures", 1998). The foot of a shaded edge is curved too, but slopes.

The paper sets c to half of the picture's largest S, which finds "lines" in any picture. Here c is fixed: the light's
logarithm makes one curvature mean one contrast on every skin and in every light.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.skin.canvas import PIXELS_PER_MM, SIZE, Canvas, Mask, Plane
from mien_serving.skin.finding import NAMES, Finding, Mark, outlines_of, poisson_interval
from mien_serving.skin.topology import FOREHEAD, both

_SIGMAS: Final = (1.1, 1.6, 2.3)
OFF_CENTRE: Final = 1.5
_BLOBNESS: Final = 0.5
_CURVATURE: Final = 0.03
_LEAST_ANSWER: Final = 0.5
# A line shorter than the first counts nothing, from the second on fully.
_LEAST_LENGTH_MM: Final = 5.0
_FULL_LENGTH_MM: Final = 11.0
# A line of 4 % contrast counts nothing, one of 10 % once, one of 16 % and more twice, so that nothing hangs on a line
# at the limit of what is seen.
_FAINT: Final = 0.04
_CLEAR: Final = 0.1
_MOST_WEIGHT: Final = 2.0
# Deeper than any line of skin: a strand of hair, the frame of glasses.
_NO_LINE: Final = 0.7
_MM2_IN_100_CM2: Final = 10_000.0
_LEAST_SLENDERNESS: Final = 4.0
# A line is deeper than the relief around it by this factor; on a rough surface a valley is no line.
_ABOVE_RELIEF: Final = 2.0
_RELIEF: Final = (1.0, 5.0)
_AROUND: Final = 14.0
# The folds of a smile, from the nose past the mouth to the chin and over the outer cheeks, come and go with it: they
# are shown, and don't count.
COUNTED: Final = (*FOREHEAD, "glabella", *both("crows_feet", "under_eye", "cheek_upper", "cheek_middle"))


def ridges(light: Plane) -> tuple[Plane, Plane]:
    """The answer V (0-1) to dark lines and the contrast (natural logarithm) of the line, at each pixel's best scale."""
    answer = np.zeros(light.shape, dtype=np.float32)
    depth = np.zeros(light.shape, dtype=np.float32)
    for sigma in _SIGMAS:
        smooth = cv2.GaussianBlur(light, (0, 0), sigma)
        xx = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, ksize=3) / 4
        yy = cv2.Sobel(smooth, cv2.CV_32F, 0, 2, ksize=3) / 4
        xy = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, ksize=3) / 4
        middle = (xx + yy) * (sigma**2 / 2)
        spread = np.sqrt(((xx - yy) / 2) ** 2 + xy**2) * sigma**2
        one, other = middle + spread, middle - spread
        swap = np.abs(one) < np.abs(other)
        large, small = np.where(swap, other, one), np.where(swap, one, other)
        structure = large**2 + small**2
        ratio = small**2 / np.maximum(large**2, np.float32(1e-12))
        here = np.exp(-ratio / (2 * _BLOBNESS**2)) * (1 - np.exp(-structure / (2 * _CURVATURE**2)))
        angle = np.arctan2(2 * xy, xx - yy) / 2
        slope = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3) * (np.cos(angle) / 8)
        slope += cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3) * (np.sin(angle) / 8)
        centred = np.abs(slope) * sigma**2 <= OFF_CENTRE * large
        here = np.where((large > 0) & centred, here, 0).astype(np.float32)
        better = here > answer
        answer = np.where(better, here, answer)
        # A line with a Gaussian profile of width sigma has a curvature of contrast / (2 sqrt 2) at its own scale.
        depth = np.where(better, large * np.float32(2 * np.sqrt(2)), depth)
    return answer, np.asarray(depth, dtype=np.float32)


def lines_in(canvas: Canvas, without: Mask) -> list[Mark]:
    """Dark lines of at least 5 mm on skin; strength is the contrast. without: pixels that are something else."""
    light = canvas.luminance.copy()
    # Beyond the skin the surroundings are continued, so that their edges are no lines.
    light = _continued(light, canvas.skin)
    answer, depth = ridges(light)
    clear = cv2.erode(canvas.skin.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    lines = (answer >= _LEAST_ANSWER) & clear & ~without & (depth >= _ABOVE_RELIEF * _unrest(light, canvas.skin))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(lines.astype(np.uint8), connectivity=8)
    marks: list[Mark] = []
    for number in range(1, count):
        left, top, width, height, area = stats[number]
        if max(width, height) < _LEAST_LENGTH_MM * PIXELS_PER_MM / np.sqrt(2):
            continue
        window = (slice(top, top + height), slice(left, left + width))
        shape = labels[window] == number
        length = length_of(shape)
        if length < _LEAST_LENGTH_MM * PIXELS_PER_MM or length**2 < _LEAST_SLENDERNESS * area:
            continue
        strength = float(np.median(depth[window][shape]))
        regions = canvas.labels[window][shape]
        regions = regions[regions >= 0]
        if strength > _NO_LINE or regions.size == 0:
            continue
        region = NAMES[int(np.bincount(regions).argmax())]
        marks.extend(Mark(region, outline + (left, top), strength) for outline in outlines_of(shape)[:1])
    return marks


def _continued(light: Plane, mask: Mask) -> Plane:
    weight = mask.astype(np.float32)
    sums = cv2.GaussianBlur(light * weight, (0, 0), 4.0)
    weights = cv2.GaussianBlur(weight, (0, 0), 4.0)
    around = np.where(weights > 0.02, sums / np.maximum(weights, np.float32(1e-3)), light)  # noqa: PLR2004 - no skin near
    return np.asarray(np.where(mask, light, around), dtype=np.float32)


def _unrest(light: Plane, mask: Mask) -> Plane:
    """The deviation of the relief within some 15 mm around each pixel, in which a single line hardly shows."""
    relief = cv2.GaussianBlur(light, (0, 0), _RELIEF[0]) - cv2.GaussianBlur(light, (0, 0), _RELIEF[1])
    weight = mask.astype(np.float32)
    squares = cv2.GaussianBlur(relief**2 * weight, (0, 0), _AROUND)
    return np.asarray(
        np.sqrt(squares / np.maximum(cv2.GaussianBlur(weight, (0, 0), _AROUND), np.float32(1e-3))), dtype=np.float32
    )


def weight_of(contrast: float, length: float) -> float:
    """How much each millimetre of a line of that contrast and length (millimetres) counts, 0-2."""
    depth = np.clip((contrast - _FAINT) / (_CLEAR - _FAINT), 0, _MOST_WEIGHT)
    return float(depth * np.clip((length - _LEAST_LENGTH_MM) / (_FULL_LENGTH_MM - _LEAST_LENGTH_MM), 0, 1))


def length_of(shape: NDArray[np.bool_]) -> float:
    """The length in pixels of a line-like shape: half of its outline's."""
    contours, _ = cv2.findContours(shape.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return max(cv2.arcLength(contour, True) for contour in contours) / 2


def wrinkles(canvas: Canvas, lines: list[Mark]) -> Finding:
    """Millimetres of line, weighted by contrast, on 100 square centimetres of skin outside the folds of a smile."""
    counted = canvas.within(COUNTED)
    area = max(float(counted.sum()), 1.0) / PIXELS_PER_MM**2
    by_region = dict.fromkeys((NAMES[number] for number in np.unique(canvas.labels) if number >= 0), 0.0)
    value, number = 0.0, 0
    for line in lines:
        length = cv2.arcLength(line.outline.astype(np.float32), True) / 2 / PIXELS_PER_MM
        share = _MM2_IN_100_CM2 * length * weight_of(line.strength, length) / area
        by_region[line.region] += share
        if line.region in COUNTED:
            value, number = value + share, number + 1
    low, high = poisson_interval(number)
    each = value / number if number else _MM2_IN_100_CM2 * _LEAST_LENGTH_MM / area
    return Finding(
        value=value,
        unit="mm per 100 cm2",
        low=min(low * each, value),
        high=max(high * each, value),
        method="ridges of the Hessian (Frangi et al. 1998, fixed c)",
        canvas_size=SIZE,
        by_region=by_region,
        marks=tuple(lines),
    )
