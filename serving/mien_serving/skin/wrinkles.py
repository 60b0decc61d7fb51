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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.skin.canvas import PIXELS_PER_MM, SIZE, Canvas, Mask, Plane
from mien_serving.skin.finding import NAMES, Finding, Mark, outlines_of, poisson_interval
from mien_serving.skin.smoothing import ROOT_OF_DEVIATION, filled, masked
from mien_serving.skin.topology import FOREHEAD, both

_SIGMAS: Final = (1.1, 1.6, 2.3)
OFF_CENTRE: Final = 0.75
_BLOBNESS: Final = 0.5
_CURVATURE: Final = 0.03
_LEAST_ANSWER: Final = 0.3
# Half the curvature's trace of what is no line for certain.
_FLATTEST: Final = _CURVATURE / 12
# A line shorter than the first counts nothing, from the second on fully.
_LEAST_LENGTH_MM: Final = 6.0
_FULL_LENGTH_MM: Final = 13.0
# A line of 6 % contrast counts nothing, one of 12 % once, one of 18 % and more twice, so that nothing hangs on a line
# at the limit of what is seen.
_FAINT: Final = 0.06
_CLEAR: Final = 0.12
_MOST_WEIGHT: Final = 2.0
# Pixels of a component over its length in pixels: up to the first a line, from the second on a network.
_NETWORK: Final = (3.0, 5.0)
# Deeper than any line of skin: a strand of hair, the frame of glasses.
_NO_LINE: Final = 0.7
# Degrees; the first look is the one whose lines are shown.
_TURNS: Final = (0.0, 7.0, -7.0)
_MM2_IN_100_CM2: Final = 10_000.0
# A line is deeper than the relief around it by these factors: on a rough surface a valley is no line. From the first
# on it may be one, from the second it is.
_ABOVE_RELIEF: Final = (3.2, 4.8)
_RELIEF: Final = (1.0, 5.0)
_AROUND: Final = 14.0
# How far skin is continued beyond its edge before a broader view of it takes over; pixels.
_REACH: Final = 4.0
# The folds of a smile, from the nose past the mouth to the chin and over the outer cheeks, come and go with it: they
# are shown, and don't count.
COUNTED: Final = (*FOREHEAD, "glabella", *both("crows_feet", "under_eye", "cheek_upper", "cheek_middle"))


def ridges(light: Plane) -> tuple[Plane, Plane]:
    """The answer V (0-1) to dark lines and the contrast (natural logarithm) of the line, at each pixel's best scale."""
    answer = np.zeros(light.shape, dtype=np.float32)
    depth = np.zeros(light.shape, dtype=np.float32)
    for sigma in _SIGMAS:
        smooth = cv2.GaussianBlur(light, (0, 0), sigma)
        xx, yy, xy = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3) for order in ((2, 0), (0, 2), (1, 1)))
        # Half the trace of s^2 H; where it isn't positive the stronger curvature is a bright line's.
        middle = (xx + yy) * np.float32(sigma**2 / 8)
        at = middle > np.float32(_FLATTEST)
        difference, mixed = (xx[at] - yy[at]) * np.float32(sigma**2 / 8), xy[at] * np.float32(sigma**2 / 4)
        spread = np.sqrt(difference**2 + mixed**2)
        large, small = middle[at] + spread, middle[at] - spread
        found = np.exp((small / large) ** 2 * np.float32(-0.5 / _BLOBNESS**2))
        found *= 1 - np.exp((large**2 + small**2) * np.float32(-0.5 / _CURVATURE**2))
        # The square of the slope along the eigenvector of the larger eigenvalue, by the double angle.
        across, down = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3)[at] / 8 for order in ((1, 0), (0, 1)))
        squares, product = across**2 + down**2, across * down
        turned = (across**2 - down**2) * difference + 2 * product * mixed
        slope = (squares + turned / np.maximum(spread, np.float32(1e-9))) / 2
        found[slope * np.float32(sigma**4) > (OFF_CENTRE * large) ** 2] = 0
        better = found > answer[at]
        answer[at] = np.where(better, found, answer[at])
        # A line with a Gaussian profile of width sigma has a curvature of contrast / (2 sqrt 2) at its own scale.
        depth[at] = np.where(better, large * np.float32(2 * np.sqrt(2)), depth[at])
    return answer, depth


Views = tuple[Sequence["Line"], ...]


@dataclass(frozen=True)
class Line:
    """A dark line: its mark (strength is its contrast) and how many millimetres of clear line it counts for."""

    mark: Mark
    millimetres: float


def lines_in(canvas: Canvas, without: Mask) -> Views:
    """Dark lines of at least 6 mm on skin. without: pixels that are something else.

    The face is looked at three times, upright and turned a little to either side: which pixels a faint line falls on
    is chance, and the mean of three looks depends on it less.
    """
    window = canvas.window
    skin, beside = canvas.skin[window], without[window]
    light = filled(canvas.luminance[window], skin, _REACH)
    unrest = _unrest(light, skin & ~beside)
    corner = np.array([window[1].start, window[0].start], dtype=np.float64)
    looks = []
    for degrees in _TURNS:
        turn = cv2.getRotationMatrix2D((skin.shape[1] / 2, skin.shape[0] / 2), degrees, 1.0)
        labels = np.asarray(_turned(canvas.labels[window], turn, -1), dtype=np.int16)
        clear = cv2.erode(_turned(skin.astype(np.uint8), turn, 0), np.ones((3, 3), np.uint8)) > 0
        clear &= _turned(beside.astype(np.uint8), turn, 1) == 0
        seen, around = (
            np.asarray(cv2.warpAffine(plane, turn, plane.shape[::-1], flags=cv2.INTER_LINEAR), dtype=np.float32)
            for plane in (light, unrest)
        )
        looks.append(_look(seen, around, clear, labels, corner))
    return tuple(looks)


def _turned(plane: NDArray[Any], turn: NDArray[Any], outside: int) -> NDArray[Any]:
    flags = cv2.INTER_NEAREST
    return np.asarray(cv2.warpAffine(plane, turn, plane.shape[::-1], flags=flags, borderValue=outside))


def _look(
    light: Plane, unrest: Plane, clear: Mask, labels_of_regions: NDArray[np.int16], corner: NDArray[np.float64]
) -> list[Line]:
    """The lines of one look.

    Each pixel of a line counts by its contrast, by how far that exceeds the relief around, and by its answer; all of
    these rise gradually, so that nothing hangs on one side of a limit.
    """
    answer, depth = ridges(light)
    above = depth / np.maximum(unrest, np.float32(1e-4))
    thin = ((answer >= _LEAST_ANSWER) & (above >= _ABOVE_RELIEF[0]) & clear).astype(np.uint8)
    weight = answer * np.clip((above - _ABOVE_RELIEF[0]) / (_ABOVE_RELIEF[1] - _ABOVE_RELIEF[0]), 0, 1)
    weight *= np.clip((depth - _FAINT) / (_CLEAR - _FAINT), 0, _MOST_WEIGHT)
    # Lines that miss a pixel are one.
    joined = cv2.dilate(thin, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    lines: list[Line] = []
    for number in range(1, count):
        left, top, width, height, _ = stats[number]
        length = float(np.hypot(width - 2, height - 2)) / PIXELS_PER_MM
        if length < _LEAST_LENGTH_MM:
            continue
        window = (slice(top, top + height), slice(left, left + width))
        shape = labels[window] == number
        pixels = shape & (thin[window] > 0)
        strength = float(np.median(depth[window][pixels]))
        regions = labels_of_regions[window][pixels]
        regions = regions[regions >= 0]
        if strength > _NO_LINE or regions.size == 0:
            continue
        # A line drawn pixel by pixel takes 1.1 pixels of length each, over all directions.
        run = 1.1 * float(weight[window][pixels].sum()) / PIXELS_PER_MM
        # A network of grain has many times more pixels than it is long; a line has as many.
        single = (_NETWORK[1] - 1.1 * pixels.sum() / PIXELS_PER_MM / length) / (_NETWORK[1] - _NETWORK[0])
        full = np.clip(single, 0, 1) * np.clip((length - _LEAST_LENGTH_MM) / (_FULL_LENGTH_MM - _LEAST_LENGTH_MM), 0, 1)
        if run * full <= 0:
            continue
        region = NAMES[int(np.bincount(regions).argmax())]
        lines.extend(
            Line(Mark(region, outline + corner + np.array([left, top]), strength), run * float(full))
            for outline in outlines_of(shape)[:1]
        )
    return lines


def _unrest(light: Plane, mask: Mask) -> Plane:
    """The deviation of the relief within some 15 mm around each pixel.

    By the mean of square roots, which a few lines among smooth skin hardly raise.
    """
    relief = cv2.GaussianBlur(light, (0, 0), _RELIEF[0]) - cv2.GaussianBlur(light, (0, 0), _RELIEF[1])
    roots = np.asarray(np.sqrt(np.abs(relief)), dtype=np.float32)
    return np.asarray((masked(roots, mask, _AROUND) / ROOT_OF_DEVIATION) ** 2, dtype=np.float32)


def wrinkles(canvas: Canvas, looks: Views) -> Finding:
    """Millimetres of line, weighted by contrast, on 100 square centimetres of skin outside the folds of a smile."""
    counted = canvas.within(COUNTED)
    area = max(float(counted.sum()), 1.0) / PIXELS_PER_MM**2
    by_region = dict.fromkeys((NAMES[number] for number in np.unique(canvas.labels) if number >= 0), 0.0)
    for look in looks:
        for line in look:
            share = _MM2_IN_100_CM2 * line.millimetres / area / len(looks)
            by_region[line.mark.region] = by_region.get(line.mark.region, 0.0) + share
    value = sum(share for region, share in by_region.items() if region in COUNTED)
    number = sum(line.mark.region in COUNTED for line in looks[0])
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
        marks=tuple(line.mark for line in looks[0]),
    )
