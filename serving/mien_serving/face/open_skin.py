"""Where the mesh says that skin is, and what the face's own colours say is there.

Skin of one face under one lamp has one colour: light varies by stops over a face, the ratios of the channels don't.
So a pixel is called foreign (hair, hand in a glove, mask, microphone, frame) where its ratios differ from those of the
face's own forehead, cheeks and nose, or where it is darker than any shading leaves skin. This is a colour model of one
photo, not of skin as such; the idea of adapting to the face that was found: Hsu, Abdel-Mottaleb, Jain, "Face detection
in color images" (PAMI 2002).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.face.colour import lab_of_srgb, linear_of_srgb
from mien_serving.face.crop import SIZE, FaceCrop
from mien_serving.face.tone import LEAST_CHROMA
from mien_serving.face.topology import (
    FOREHEAD,
    LEFT_BROW,
    LEFT_CHEEK,
    LEFT_EYE,
    LIPS_INNER,
    LIPS_OUTER,
    RIGHT_BROW,
    RIGHT_CHEEK,
    RIGHT_EYE,
)

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]

# The face's oval, along the row of points below the hairline at its top: the hair that frames a face hides nothing.
_OUTLINE: Final = (
    127, 162, 21, 68, 104, 69, 108, 151, 337, 299, 333, 298, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400,
    377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234,
)  # fmt: skip
_NOSTRILS: Final = ((79, 237, 44, 238, 241, 242, 99, 60), (309, 457, 274, 458, 461, 462, 328, 290))
_HOLES: Final = (RIGHT_EYE, LEFT_EYE, RIGHT_BROW, LEFT_BROW, LIPS_OUTER, *_NOSTRILS)
_NOSE: Final = (193, 417, 437, 420, 360, 4, 131, 198, 217)
# Pixels of the crop that skin keeps from the outline, and from eyes, brows, lips and nostrils.
_MARGIN: Final = 3
# Row of IEC 61966-2-1 from linear sRGB to relative luminance.
_TO_LUMINANCE: Final = np.array([[0.2126, 0.7152, 0.0722]], dtype=np.float32)
# Added to light 0-1, so that what eight bits can't tell apart has no ratio.
_DARK: Final = 0.002
_SMOOTH: Final = 1.2
# How far a pixel may lie from the reference, in stops: darker, brighter, in log2(R / G), in log2(B / G).
_DARKER: Final = 2.6
_DARKER_IN_SHADOW: Final = 3.0
_BRIGHTER: Final = 1.4
_RED: Final = 0.6
_BLUE: Final = 0.8
# Hue angles (degrees) that skin has under any lamp that is still called white, with room for strong ones; and the
# part of forehead, cheeks and nose that must have them to speak for the rest.
_HUES: Final = (10.0, 125.0)
_LEAST_SHARE: Final = 0.3
# Lips are redder than skin (log2(R / G)) or differ in light (stops); where neither is so, something covers them.
_LIPS_REDDER: Final = 0.05
_LIPS_LIGHT: Final = 0.6
_LEAST_LIPS: Final = 10
# Pixels of the crop around the lips, beyond the margin, that they are compared with.
_AROUND_LIPS: Final = 4
# Skin's colour in CIELAB: hue (degrees) and chroma of the faces that tone.py's sources and the Monk tones span.
_SKIN_HUE: Final = (30.0, 95.0)
_SKIN_CHROMA: Final = (3.0, 48.0)


@dataclass(frozen=True)
class OpenSkin:
    """A face's crop, seen as skin and what isn't."""

    crop: FaceCrop

    @cached_property
    def planned(self) -> Mask:
        """SIZE x SIZE, true where skin should be by the mesh, also beyond the photo's edge."""
        face = _eroded(_drawn(self.crop, (_OUTLINE,)))
        holes = cv2.dilate(_drawn(self.crop, _HOLES), _disc(_MARGIN))
        return np.asarray((face > 0) & (holes == 0), dtype=np.bool_)

    @cached_property
    def plan(self) -> Mask:
        """The part of planned that the photo shows."""
        return self.planned & self.crop.inside

    @cached_property
    def light(self) -> Plane:
        """Stops: log2 of relative luminance 0-1."""
        return np.asarray(np.log2(cv2.transform(self._smooth, _TO_LUMINANCE)), dtype=np.float32)

    @cached_property
    def lab(self) -> NDArray[np.float64] | None:
        """The skin's colour in CIELAB: the median of forehead, cheeks and nose; None where they can't be seen.

        Of what has a hue that skin can have, where that is at least 30 % of them; else of all.
        """
        return None if self._reference is None else self._reference[1]

    @cached_property
    def coloured(self) -> bool:
        """Whether the photo has colours at all."""
        return self.lab is not None and bool(np.hypot(self.lab[1], self.lab[2]) >= LEAST_CHROMA)

    @cached_property
    def foreign(self) -> Mask:
        """Where the plan shows something else than this face's skin."""
        return self._unlike(_DARKER)

    @cached_property
    def foreign_in_shadow(self) -> Mask:
        """The same, if some of the skin lay in a cast shadow: only what is darker still is foreign."""
        return self._unlike(_DARKER_IN_SHADOW)

    @cached_property
    def cast(self) -> float | None:
        """Distance in a* and b* (CIELAB) from the skin's colour to the nearest that skin has under white light.

        Those are hues of 30 to 95 degrees with a chroma of 3 to 48. None for photos without colours.
        """
        if self.lab is None or not self.coloured:
            return None
        return distance_to_skin(float(self.lab[1]), float(self.lab[2]))

    @cached_property
    def hidden_share(self) -> float | None:
        """The part (0-1) of skin and lips that something covers; None for photos without colours.

        Lips count as covered where they are neither redder nor lighter or darker than the skin around them.
        """
        if not self.coloured or not self.plan.any():
            return None
        lips = self.crop.mask(LIPS_OUTER)
        covered = int(self.foreign.sum()) + (int(lips.sum()) if self._lips_covered(lips) else 0)
        return covered / int(self.plan.sum() + lips.sum())

    @cached_property
    def skin_share(self) -> float | None:
        """The part (0-1) of the planned skin, beyond the photo's edge too, that is this face's skin; None as above."""
        if not self.coloured or not self.planned.any():
            return None
        return int((self._skin_hued & ~self.foreign).sum()) / int(self.planned.sum())

    @cached_property
    def _smooth(self) -> Plane:
        linear = linear_of_srgb(self.crop.pixels).astype(np.float32) + np.float32(_DARK)
        return np.asarray(cv2.GaussianBlur(linear, (0, 0), _SMOOTH), dtype=np.float32)

    @cached_property
    def _planes(self) -> tuple[Plane, Plane, Plane]:
        red, green, blue = (np.log2(self._smooth[..., channel]) for channel in range(3))
        return self.light, np.asarray(red - green), np.asarray(blue - green)

    @cached_property
    def _skin_hued(self) -> Mask:
        """Where the plan has a hue that skin can have."""
        # Of the plan alone: CIELAB of all pixels would cost more than everything else here.
        _, a, b = lab_of_srgb(self.crop.pixels[self.plan]).T
        hue = np.degrees(np.arctan2(b, a))
        hued = np.zeros((SIZE, SIZE), dtype=np.bool_)
        hued[self.plan] = (hue > _HUES[0]) & (hue < _HUES[1])
        return hued

    @cached_property
    def _reference(self) -> tuple[tuple[float, float, float], NDArray[np.float64]] | None:
        core = np.zeros((SIZE, SIZE), dtype=np.bool_)
        for part in (RIGHT_CHEEK, LEFT_CHEEK, FOREHEAD, _NOSE):
            core |= self.crop.hull(part)
        core &= self.plan
        if not core.any():
            return None
        hued = core & self._skin_hued
        if hued.sum() >= _LEAST_SHARE * core.sum():
            core = hued
        light, red, blue = (float(np.median(plane[core])) for plane in self._planes)
        return (light, red, blue), np.asarray(np.median(lab_of_srgb(self.crop.pixels[core]), axis=0), dtype=np.float64)

    def _unlike(self, darker: float) -> Mask:
        if self._reference is None:
            return self.plan
        light, red, blue = (plane - level for plane, level in zip(self._planes, self._reference[0], strict=True))
        like = (light > -darker) & (light < _BRIGHTER) & (np.abs(red) < _RED) & (np.abs(blue) < _BLUE)
        return np.asarray(self.plan & ~like, dtype=np.bool_)

    def _lips_covered(self, lips: Mask) -> bool:
        # Under a coloured lamp red says nothing.
        if self._reference is None or self.cast != 0:
            return False
        red_of_lips = lips & ~self.crop.mask(LIPS_INNER)
        if red_of_lips.sum() < _LEAST_LIPS:
            return False
        lip_light, lip_red = self._medians(red_of_lips)
        # Of the whole face, and around the mouth: a flush of the cheeks may be as red as lips, and skin so near to lips
        # takes their colour in a blurred photo. What covers a mouth is like both.
        around = (cv2.dilate(lips.astype(np.uint8), _disc(_MARGIN + _AROUND_LIPS)) > 0) & self.plan
        skins = [self._reference[0][:2]]
        if around.sum() >= _LEAST_LIPS:
            skins.append(self._medians(around))
        return all(abs(lip_light - light) < _LIPS_LIGHT and lip_red - red < _LIPS_REDDER for light, red in skins)

    def _medians(self, part: Mask) -> tuple[float, float]:
        """Light (stops) and log2(R / G) of a part of the crop that isn't empty."""
        return float(np.median(self._planes[0][part])), float(np.median(self._planes[1][part]))


def distance_to_skin(a: float, b: float) -> float:
    """From a* and b* of CIELAB to the sector of colours that skin has under white light; 0 within."""
    hue, chroma = float(np.degrees(np.arctan2(b, a))), float(np.hypot(a, b))
    if _SKIN_HUE[0] <= hue <= _SKIN_HUE[1]:
        return max(0.0, chroma - _SKIN_CHROMA[1], _SKIN_CHROMA[0] - chroma)
    # The nearest point lies on one of the two edges.
    edges = np.radians(_SKIN_HUE)
    along = np.clip(a * np.cos(edges) + b * np.sin(edges), *_SKIN_CHROMA)
    return float(np.hypot(a - along * np.cos(edges), b - along * np.sin(edges)).min())


def _drawn(crop: FaceCrop, outlines: Sequence[Sequence[int]]) -> NDArray[np.uint8]:
    canvas = np.zeros((SIZE, SIZE), dtype=np.uint8)
    for outline in outlines:
        cv2.fillPoly(canvas, [np.round(crop.points[list(outline)] - 0.5).astype(np.int32)], 1)
    return canvas


def _eroded(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.erode(mask, _disc(_MARGIN), borderType=cv2.BORDER_CONSTANT, borderValue=(0,)), dtype=np.uint8)


def _disc(radius: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), dtype=np.uint8)
