"""How each kind of make-up changes the colours under it. Pictures are H x W x 3, sRGB, 0-1; masks H x W, 0-1."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_core.model.looks import Finish, Preset

Picture = NDArray[np.float32]
Plane = NDArray[np.float32]

_WHITE_LIGHTNESS: Final = 100.0


@dataclass(frozen=True)
class _Film:
    """How a finish lies on lips.

    cover is how far their mean lightness goes towards the colour's, relief what is left of their own light and shade,
    shine how much light is screened onto the brightest of them.
    """

    cover: float
    relief: float
    shine: float


_FILMS: Final[Mapping[Finish, _Film]] = {
    "matte": _Film(cover=0.9, relief=0.75, shine=0.0),
    "satin": _Film(cover=0.75, relief=1.0, shine=0.0),
    "gloss": _Film(cover=0.6, relief=1.15, shine=0.35),
    "shimmer": _Film(cover=0.7, relief=1.1, shine=0.15),
}
# Where lips shine: from this quantile of their lightness on, the more the brighter.
_SHINING: Final = 0.8
# Eyeshadow of intensity 1 lets so much of the lid show through.
_SHADOW: Final = 0.7


def painted(picture: Picture, mask: Plane, preset: Preset) -> Picture:
    """Put make-up on a picture where the mask says; its own category decides how."""
    alpha = (mask * np.float32(preset.intensity))[..., None]
    colour = _colour_of(preset.color)
    match preset.category:
        case "lipstick":
            return _lips(picture, mask, alpha, colour, _FILMS[preset.finish])
        case "eyeshadow":
            # multiply: shadow takes light, and never gives any
            return _mixed(picture, picture * colour, alpha * np.float32(_SHADOW))
        case _:
            return _mixed(picture, _soft_light(picture, colour), alpha)


def _lips(picture: Picture, mask: Plane, alpha: NDArray[np.float32], colour: Plane, film: _Film) -> Picture:
    """Replace a* and b*, match L* affinely, screen the shine."""
    weight = float(mask.sum())
    if weight == 0:
        return picture
    lab = _lab(picture)
    goal = _lab(colour.reshape(1, 1, 3))[0, 0]
    lightness = lab[..., 0]
    mean = float((lightness * mask).sum()) / weight
    lifted = mean + film.cover * (float(goal[0]) - mean) + film.relief * (lightness - mean)
    shine = film.shine * _shining(lightness, mask)
    lifted = _WHITE_LIGHTNESS - (_WHITE_LIGHTNESS - lifted) * (1 - shine)
    made_up = np.stack([lifted, np.full_like(lifted, goal[1]), np.full_like(lifted, goal[2])], axis=-1)
    mixed = np.asarray(lab + alpha * (made_up - lab), dtype=np.float32)
    # to CIELAB and back costs the last digits: only lips go that way
    return np.asarray(np.where(alpha > 0, cv2.cvtColor(mixed, cv2.COLOR_Lab2RGB), picture), dtype=np.float32)


def _shining(lightness: Plane, mask: Plane) -> Plane:
    """How much of the shine each pixel gets, 0-1."""
    of_lips = lightness[mask > 1 / 2]
    if of_lips.size == 0:
        return np.zeros_like(lightness)
    low, high = np.quantile(of_lips, _SHINING), of_lips.max()
    return np.asarray(np.clip((lightness - low) / max(float(high - low), 1.0), 0, 1), dtype=np.float32)


def _soft_light(base: Picture, source: Plane) -> Picture:
    """The blend mode soft-light (W3C, "Compositing and Blending Level 1", section 10.1.9)."""
    root = np.where(base <= 1 / 4, ((16 * base - 12) * base + 4) * base, np.sqrt(base))
    darker = base - (1 - 2 * source) * base * (1 - base)
    lighter = base + (2 * source - 1) * (root - base)
    return np.asarray(np.where(source <= 1 / 2, darker, lighter), dtype=np.float32)


def _mixed(picture: Picture, other: Picture, alpha: NDArray[np.float32]) -> Picture:
    return np.asarray(picture + alpha * (other - picture), dtype=np.float32)


def _lab(picture: Picture) -> Picture:
    """CIELAB under D65, L* 0-100."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2Lab), dtype=np.float32)


def _colour_of(text: str) -> Plane:
    """The colour of #RRGGBB, 0-1."""
    return np.array(list(bytes.fromhex(text[1:])), dtype=np.float32) / np.float32(255)
