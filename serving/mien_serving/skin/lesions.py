"""Pigment spots and pimples: blobs on the map of the pigment they hold, told apart by the colour they absorb."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np

from mien_serving.skin.blobs import Blob, blobs_in, contrast, flattened
from mien_serving.skin.canvas import PIXELS_PER_MM, SIZE, Canvas, Mask
from mien_serving.skin.finding import NAMES, Finding, Mark, circle, poisson_interval
from mien_serving.skin.topology import LESION_SKIN

# Diameters from 2.4 to 9 mm in steps of a factor 1.3.
SIGMAS: Final = tuple(1.2 * 1.3**step * PIXELS_PER_MM / np.sqrt(2) for step in range(6))
_BACKGROUND_MM: Final = 8.0
# Answers of the Laplacian, in units of the melanin and the erythema index; camera noise stays below.
_LEAST_ANSWER: Final = 1.6
# Deviations by which an answer must stand out: from the first it may be a lesion, from the second it is one. Cameras
# and JPEG keep colour worse than light, so redness asks for more.
_OUTSTANDING: Final = MappingProxyType({"melanin": (3.0, 5.5), "erythema": (4.0, 7.0)})
# Contrasts below which an eye at arm's length sees nothing: 9 % of red light or of the ratio of red to green. From
# there to a clear lesion the weight rises from 0 to 1.
_LEAST_SPOT: Final = 4.0
_LEAST_PIMPLE: Final = 4.0
_ROUND: Final = (0.3, 0.6)
# A mole is so dark that its colour says nothing: more than a third of the red light gone.
_MOLE: Final = (16.0, 22.0)
# Melanin takes blue before green before red; blood takes green and blue and leaves red. Angle in degrees of the
# contrast's (green over red, blue over green): about -15 for blood, 65 for melanin; shadows have hardly any of both.
_BLOOD: Final = 27.0
_DOUBT: Final = 15.0
_COLOURED: Final = (0.015, 0.04)
# Colour of the contrast over its red density: 1.2 for melanin (Tsumura et al. 2003), 0 for a shadow in white light; a
# shadow that other skin lights up has a little.
_PIGMENTED: Final = (0.2, 0.5)
_UNLIKELY: Final = 0.1
_INDEX: Final = float(100 / np.log(10))
_EDGE_MM: Final = 1.5
_MM2_IN_100_CM2: Final = 10_000.0
# The radius from which a spot counts no more: one mole doesn't make a spotted face.
_LARGE_MM: Final = 2.0
_CLEAR_SPOT: Final = 9.0
_CLEAR_PIMPLE: Final = 10.0
_MOST_WEIGHT: Final = 1.5


@dataclass(frozen=True)
class Lesion:
    """A blob that is a lesion: its contrast in the index of its pigment, and how sure it is one (0-1)."""

    blob: Blob
    region: str
    contrast: float
    sureness: float


def spots_in(canvas: Canvas) -> list[Lesion]:
    """Brown spots: blobs of the melanin index whose absorption is melanin's."""
    found = []
    for one in _candidates(canvas, "melanin"):
        brown = _ramp(one.colour / max(one.melanin / _INDEX, 1e-6), *_PIGMENTED)
        brown *= _ramp(one.angle, _BLOOD - _DOUBT, _BLOOD + _DOUBT)
        sureness = one.sureness * max(brown, _ramp(one.melanin, *_MOLE))
        if one.melanin >= _LEAST_SPOT and sureness > _UNLIKELY:
            found.append(Lesion(one.blob, one.region, one.melanin, sureness))
    return found


def pimples_in(canvas: Canvas) -> list[Lesion]:
    """Red spots: blobs of the erythema index whose absorption is blood's."""
    found = []
    for one in _candidates(canvas, "erythema"):
        red = _ramp(one.colour, *_COLOURED) * (1 - _ramp(one.angle, _BLOOD - _DOUBT, _BLOOD + _DOUBT))
        if one.erythema >= _LEAST_PIMPLE and one.sureness * red > _UNLIKELY:
            found.append(Lesion(one.blob, one.region, one.erythema, one.sureness * red))
    return found


@dataclass(frozen=True)
class _Candidate:
    """A blob, its contrasts in both indices, and its absorption's colour: strength (density) and angle (degrees)."""

    blob: Blob
    region: str
    melanin: float
    erythema: float
    angle: float
    colour: float
    sureness: float


def _candidates(canvas: Canvas, pigment: str) -> list[_Candidate]:
    window = canvas.window
    plane = (canvas.melanin if pigment == "melanin" else canvas.erythema)[window]
    usable = (canvas.skin & ~canvas.clipped)[window]
    flat = flattened(plane, usable, _BACKGROUND_MM * PIXELS_PER_MM / 2)
    inner = _inner(usable) & canvas.within(LESION_SKIN)[window]
    labels = canvas.labels[window]
    corner = (window[1].start, window[0].start)
    outstanding = _OUTSTANDING[pigment]
    found = []
    for blob in blobs_in(flat, inner, SIGMAS, _LEAST_ANSWER, outstanding[0]):
        density = contrast(canvas.density[window], usable, blob)
        if density is None:
            continue
        red, green, blue = density
        over_red, over_green = green - red, blue - green
        found.append(
            _Candidate(
                blob=replace(blob, x=blob.x + corner[0], y=blob.y + corner[1]),
                region=NAMES[labels[blob.y, blob.x]],
                melanin=float(red * _INDEX),
                erythema=float(over_red * _INDEX),
                angle=float(np.degrees(np.arctan2(over_green, over_red))),
                colour=float(np.hypot(over_red, over_green)),
                sureness=_ramp(blob.roundness, *_ROUND) * _ramp(blob.outstanding, *outstanding),
            )
        )
    return found


def _ramp(value: float, low: float, high: float) -> float:
    """0 up to low, 1 from high, straight in between: no figure hangs on one side of a limit."""
    return float(np.clip((value - low) / (high - low), 0, 1))


def _inner(usable: Mask) -> Mask:
    """Away from the edge of what can be seen, where half a blob might be anything."""
    # A border of zeros, so that the picture's own edge is one.
    framed = cv2.copyMakeBorder(usable.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    away = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    return np.asarray(away > _EDGE_MM * PIXELS_PER_MM, dtype=np.bool_)


def spots(canvas: Canvas, lesions: Sequence[Lesion]) -> Finding:
    """Area of brown spots, weighted by contrast, in parts per hundred of the skin."""
    area = _area(canvas)
    shares = [
        100
        * np.pi
        * min(one.blob.radius / PIXELS_PER_MM, _LARGE_MM) ** 2
        * _weight(one, _LEAST_SPOT, _CLEAR_SPOT)
        / area
        for one in lesions
    ]
    # One more spot of 3 mm is what an empty face might have.
    return _counted(canvas, lesions, shares, single=100 * np.pi * 1.5**2 / area, unit="% of skin area", index="melanin")


def acne(canvas: Canvas, lesions: Sequence[Lesion]) -> Finding:
    """Red spots, weighted by contrast, on 100 square centimetres of skin, about one face."""
    area = _area(canvas)
    shares = [_MM2_IN_100_CM2 * _weight(one, _LEAST_PIMPLE, _CLEAR_PIMPLE) / area for one in lesions]
    return _counted(canvas, lesions, shares, single=_MM2_IN_100_CM2 / area, unit="per 100 cm2", index="erythema")


def _counted(
    canvas: Canvas, lesions: Sequence[Lesion], shares: Sequence[float], *, single: float, unit: str, index: str
) -> Finding:
    value = float(sum(shares))
    low, high = poisson_interval(len(lesions))
    each = value / len(lesions) if lesions else single
    by_region = dict.fromkeys((NAMES[number] for number in np.unique(canvas.labels[canvas.within(LESION_SKIN)])), 0.0)
    for one, share in zip(lesions, shares, strict=True):
        by_region[one.region] += share
    return Finding(
        value=value,
        unit=unit,
        low=min(low * each, value),
        high=max(high * each, value),
        method=f"Laplacian of Gaussian on the {index} index (Yamamoto et al. 2008; Lindeberg 1998)",
        canvas_size=SIZE,
        by_region=by_region,
        marks=tuple(
            Mark(one.region, circle(one.blob.x + 0.5, one.blob.y + 0.5, one.blob.radius), one.contrast)
            for one in lesions
        ),
    )


def _weight(lesion: Lesion, least: float, clear: float) -> float:
    return lesion.sureness * float(np.clip((lesion.contrast - least) / (clear - least), 0, _MOST_WEIGHT))


def _area(canvas: Canvas) -> float:
    """Square millimetres of skin that is looked at."""
    return max(float(canvas.within(LESION_SKIN).sum()), 1.0) / PIXELS_PER_MM**2


def covered(lesions: Sequence[Lesion], enlarge: float) -> Mask:
    """The pixels of lesions and a little around, for measures that ask what lies between them."""
    down, across = np.ogrid[:SIZE, :SIZE]
    mask = np.zeros((SIZE, SIZE), dtype=np.bool_)
    for one in lesions:
        radius = one.blob.radius * enlarge + 1
        top, left = max(0, int(one.blob.y - radius)), max(0, int(one.blob.x - radius))
        rows, columns = slice(top, int(one.blob.y + radius) + 2), slice(left, int(one.blob.x + radius) + 2)
        mask[rows, columns] |= (down[rows] - one.blob.y) ** 2 + (across[:, columns] - one.blob.x) ** 2 <= radius**2
    return mask
