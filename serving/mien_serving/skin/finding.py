"""What a measure hands over, and how sure its number is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.skin.canvas import Mask, Plane
from mien_serving.skin.topology import REGIONS

_TILE: Final = 10
_REPEATS: Final = 200
_LOW: Final = 5
_HIGH: Final = 95
# The 95th percentile of the normal distribution.
_QUANTILE: Final = 1.6449
NAMES: Final = tuple(REGIONS)


@dataclass(frozen=True)
class Mark:
    """Something to point at: its outline (N x 2) in pixels of the canvas it was found on, its region, its strength."""

    region: str
    outline: NDArray[np.float64]
    strength: float


@dataclass(frozen=True)
class Finding:
    """A measured property: value and its 90 % interval in unit, each region's value, and the marks it rests on.

    canvas_size is the side in pixels of the square that the marks' outlines refer to.
    """

    value: float
    unit: str
    low: float
    high: float
    method: str
    canvas_size: int
    proxy: bool = False
    by_region: Mapping[str, float] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()


def poisson_interval(count: int) -> tuple[float, float]:
    """The 90 % interval of the mean of a Poisson count (Garwood 1936, quantiles by Wilson and Hilferty 1931)."""
    low = 0.0 if count == 0 else _chi_square(-_QUANTILE, 2 * count) / 2
    return low, _chi_square(_QUANTILE, 2 * count + 2) / 2


def _chi_square(quantile: float, degrees: int) -> float:
    spread = 2 / (9 * degrees)
    return float(degrees * max(0.0, 1 - spread + quantile * np.sqrt(spread)) ** 3)


def tile_means(plane: Plane, mask: Mask, least: int = 40) -> NDArray[np.float64]:
    """The means of a plane over the mask in tiles of 5 mm that hold at least so many of its pixels.

    They are independent samples of one skin.
    """
    down, across = np.nonzero(mask)
    row = plane.shape[1] // _TILE + 1
    tiles = (down // _TILE) * row + across // _TILE
    counts = np.bincount(tiles)
    sums = np.bincount(tiles, weights=plane[down, across])
    enough = counts >= least
    return np.asarray(sums[enough] / counts[enough], dtype=np.float64)


def bootstrap(samples: NDArray[np.float64], percentile: float = 50) -> tuple[float, float]:
    """The 90 % interval of a percentile of samples, by resampling them (Efron 1979); always the same for the same."""
    if len(samples) == 0:
        return 0.0, 0.0
    picks = np.random.default_rng(0).integers(0, len(samples), (_REPEATS, len(samples)))
    repeats = np.percentile(samples[picks], percentile, axis=1)
    return float(np.percentile(repeats, _LOW)), float(np.percentile(repeats, _HIGH))


def bootstrap_mean(samples: NDArray[np.float64]) -> tuple[float, float]:
    """As bootstrap, for the mean."""
    if len(samples) == 0:
        return 0.0, 0.0
    picks = np.random.default_rng(0).integers(0, len(samples), (_REPEATS, len(samples)))
    repeats = samples[picks].mean(axis=1)
    return float(np.percentile(repeats, _LOW)), float(np.percentile(repeats, _HIGH))


def region_medians(plane: Plane, labels: NDArray[np.int16], least: int = 60) -> dict[str, float]:
    """The median of a plane in each region with at least so many pixels."""
    return {name: float(np.median(values)) for name, values in _regions_of(plane, labels, least)}


def region_midmeans(plane: Plane, labels: NDArray[np.int16], least: int = 60) -> dict[str, float]:
    """As region_medians, the middle's mean."""
    return {name: midmean(values) for name, values in _regions_of(plane, labels, least)}


def _regions_of(plane: Plane, labels: NDArray[np.int16], least: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    chosen = labels >= 0
    numbers, values = labels[chosen], plane[chosen]
    order = np.argsort(numbers, kind="stable")
    numbers, values = numbers[order], values[order]
    edges = np.searchsorted(numbers, np.arange(len(NAMES) + 1))
    for index, name in enumerate(NAMES):
        if edges[index + 1] - edges[index] >= least:
            yield name, values[edges[index] : edges[index + 1]]


def midmean(values: NDArray[np.float32]) -> float:
    """The mean of the middle three fifths: as calm as a median, without its jumps where JPEG leaves few values."""
    if values.size == 0:
        return 0.0
    cut = len(values) // 5
    return float(np.sort(values)[cut : len(values) - cut].mean(dtype=np.float64))


def outlines_of(mask: Mask) -> list[NDArray[np.float64]]:
    """The outer outlines (each N x 2, N >= 3) of what is true in a mask."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    simplified = (cv2.approxPolyDP(contour, 0.7, True).reshape(-1, 2) for contour in contours)
    return [np.asarray(outline, dtype=np.float64) + 0.5 for outline in simplified if len(outline) >= 3]  # noqa: PLR2004 - a polygon


def patches(labels: NDArray[np.int16], mask: Mask, strength: Plane, least: int = 40) -> tuple[Mark, ...]:
    """The connected areas of a mask with at least so many pixels of skin, as marks; strength is the plane's median.

    Args:
        labels: the number of each pixel's region, -1 where there is none.
        mask: what to outline.
        strength: at least 0 where the mask is true.
        least: pixels.
    """
    marks: list[Mark] = []
    chosen = (mask & (labels >= 0)).astype(np.uint8)
    x, y, across, down = cv2.boundingRect(chosen)
    if not across:
        return ()
    part = (slice(y, y + down), slice(x, x + across))
    labels, strength, corner = labels[part], strength[part], np.array([x, y])
    count, areas, stats, _ = cv2.connectedComponentsWithStats(chosen[part])
    for number in range(1, count):
        left, top, width, height, area = stats[number]
        if area < least:
            continue
        window = (slice(top, top + height), slice(left, left + width))
        shape = areas[window] == number
        region = NAMES[int(np.bincount(labels[window][shape]).argmax())]
        level = max(0.0, float(np.median(strength[window][shape])))
        place = corner + np.array([left, top])
        marks.extend(Mark(region, outline + place, level) for outline in outlines_of(shape)[:1])
    return tuple(marks)


def circle(x: float, y: float, radius: float) -> NDArray[np.float64]:
    """A circle as a polygon of 12 corners."""
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)
