"""The skin's relief, as light shows it: unevenness of millimetres, and flakes finer than that."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from mien_serving.skin.canvas import PIXELS_PER_MM, SIZE, Canvas, Mask, Plane
from mien_serving.skin.finding import (
    NAMES,
    Finding,
    bootstrap,
    patches,
    poisson_interval,
    region_medians,
    tile_means,
)
from mien_serving.skin.smoothing import blurred, filled
from mien_serving.skin.topology import OPEN_SKIN

# Scales in pixels: relief of 2 to 8 mm, flakes of about 1 mm.
_RELIEF: Final = (1.3, 4.0)
_FLAKES: Final = (0.7, 1.8)
# Standard deviation of a difference of two such Gaussians of white noise of deviation 1.
_NOISE_IN_FLAKES: Final = 0.33
# A flake is brighter than its surroundings by this (natural logarithm), and by 3.5 times the camera's noise.
_LEAST_FLAKE: Final = 0.03
_TIMES_NOISE: Final = 3.5
# Flakes on a square centimetre around a point from which it is worth pointing at.
_CROWDED: Final = 5.0
# Relief (per cent of the light) of a patch that is worth pointing at.
_ROUGH: Final = 4.0
_MM2_IN_CM2: Final = 100.0
_LEAST_CM2: Final = 0.15
_LEAST_IN_TILE: Final = 20


@dataclass(frozen=True)
class Surface:
    """Maps of the canvas.

    relief (band-passed light), flakes (true where a flake lies), pits
    (dark specks), and where they may be read: usable for relief, even for specks.
    """

    relief: Plane
    flakes: Mask
    pits: Mask
    usable: Mask
    even: Mask


def surface_of(canvas: Canvas, lesions: Mask, lines: Mask) -> Surface:
    """Look at the surface between lesions and lines (pixels to leave out)."""
    even = canvas.within(OPEN_SKIN) & ~lesions & ~canvas.clipped
    without = lesions | lines
    # At the edge of what is seen the face's own rounding looks like relief.
    usable = even & ~lines & (cv2.erode(canvas.skin.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0)
    light = canvas.luminance
    noise = noise_of(light, even)
    fine = _band(light, *_FLAKES)
    least = max(_LEAST_FLAKE, _TIMES_NOISE * _NOISE_IN_FLAKES * noise)
    # Lines stay in: without their valleys the ridges beside them would count as flakes.
    flakes, pits = _tops(fine, least) & even, _tops(-fine, least) & even
    # A flake is no relief: where one lies, its surroundings' light is put.
    seen = canvas.skin & ~cv2.dilate(flakes.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_) & ~without
    relief = _band(filled(light, seen, _RELIEF[1] / 2), *_RELIEF)
    return Surface(np.asarray(relief, dtype=np.float32), flakes, pits, usable, even)


def texture(canvas: Canvas, surface: Surface) -> Finding:
    """Unevenness: the typical (median over 5 mm tiles) deviation of relief of 2 to 8 mm, in per cent of the light."""
    squares = surface.relief**2
    # Tiles with lesions keep their say: without them rougher parts of the face would be left over.
    tiles = np.sqrt(tile_means(squares, surface.usable, _LEAST_IN_TILE)) * 100
    value = float(np.median(tiles)) if len(tiles) else 0.0
    low, high = bootstrap(tiles)
    labels = np.where(surface.usable, canvas.labels, -1).astype(np.int16)
    deviation = np.sqrt(cv2.GaussianBlur(squares, (0, 0), 4.0)) * 100
    by_region = region_medians(deviation, labels)
    rough = (deviation > _ROUGH) & surface.usable
    return Finding(
        value=value,
        unit="% of the light",
        low=min(low, value),
        high=max(high, value),
        method="local deviation of band-passed light (difference of Gaussians, 0.6 and 2 mm)",
        canvas_size=SIZE,
        by_region=by_region,
        marks=patches(canvas.labels, rough, deviation),
    )


def dryness(canvas: Canvas, surface: Surface) -> Finding:
    """Flakes: bright specks of about 1 mm on a square centimetre of open skin, less as many as there are dark ones.

    Noise and relief make as many dark specks as bright ones, so the difference is free of them.
    """
    bright = np.bincount(canvas.labels[surface.flakes], minlength=len(NAMES))
    dark = np.bincount(canvas.labels[surface.pits], minlength=len(NAMES))
    areas = np.bincount(canvas.labels[surface.even], minlength=len(NAMES)) / PIXELS_PER_MM**2 / _MM2_IN_CM2
    area = max(float(areas.sum()), 1.0)
    number = max(0, int(bright.sum() - dark.sum()))
    low, high = poisson_interval(number)
    crowd = blurred(surface.flakes.astype(np.float32) - surface.pits, 5.0) * (PIXELS_PER_MM**2 * _MM2_IN_CM2)
    return Finding(
        value=number / area,
        unit="per cm2",
        low=low / area,
        high=high / area,
        method="bright specks of 1 mm by difference of Gaussians, a proxy for scaling",
        canvas_size=SIZE,
        proxy=True,
        by_region={
            name: max(0.0, float(bright[index] - dark[index])) / float(areas[index])
            for index, name in enumerate(NAMES)
            if areas[index] >= _LEAST_CM2
        },
        marks=patches(canvas.labels, (crowd > _CROWDED) & surface.even, crowd),
    )


def noise_of(light: Plane, mask: Mask) -> float:
    """The deviation of the camera's noise in a plane (Immerkaer, "Fast noise variance estimation", CVIU 1996).

    By the median of absolute values, which edges hardly move.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
    answers = np.abs(cv2.filter2D(light, cv2.CV_32F, kernel))[mask]
    return float(np.median(answers)) / 0.6745 / 6 if answers.size else 0.0


def _band(light: Plane, fine: float, coarse: float) -> Plane:
    return np.asarray(cv2.GaussianBlur(light, (0, 0), fine) - cv2.GaussianBlur(light, (0, 0), coarse), dtype=np.float32)


def _tops(plane: Plane, least: float) -> Mask:
    """The local maxima (3 x 3) of a plane that reach least."""
    return np.asarray((plane >= least) & (plane >= cv2.dilate(plane, np.ones((3, 3), np.uint8))), dtype=np.bool_)
