"""Draws the overlays: one colour whose opacity says where the make-up goes, in the face mesh's UV space.

The colour is the same everywhere, also where nothing of it is seen: so an edge that is blended has no rim of another
colour, and whoever wants another one replaces it and keeps the opacity. Lengths are in distances between the eyes.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien_core.model.overlays import Overlay
from mien_serving.face.topology import (
    FACE_OVAL,
    LEFT_BROW,
    LEFT_EYE,
    LIPS_INNER,
    LIPS_OUTER,
    RIGHT_BROW,
    RIGHT_EYE,
)
from mien_serving.makeup.face_uv import face_uv

Plane = NDArray[np.float32]
Pixels = NDArray[np.uint8]

SIZE: Final = 1024
# Subpixel places, as OpenCV takes them: in sixteenths.
_SHIFT: Final = 4

# Each from the outer corner of the eye to the inner one: the lashes, the lid's fold, and halfway to the brow.
_RIGHT_LASHES: Final = (33, 246, 161, 160, 159, 158, 157, 173, 133)
_RIGHT_FOLD: Final = (247, 30, 29, 27, 28, 56, 190)
_RIGHT_ABOVE: Final = (113, 225, 224, 223, 222, 221, 189)
_LEFT_LASHES: Final = (263, 466, 388, 387, 386, 385, 384, 398, 362)
_LEFT_FOLD: Final = (467, 260, 259, 257, 258, 286, 414)
_LEFT_ABOVE: Final = (342, 445, 444, 443, 442, 441, 413)
_LIDS: Final = ((*_RIGHT_LASHES, *_RIGHT_FOLD[::-1]), (*_LEFT_LASHES, *_LEFT_FOLD[::-1]))
_CREASES: Final = ((*_RIGHT_LASHES, *_RIGHT_ABOVE[::-1]), (*_LEFT_LASHES, *_LEFT_ABOVE[::-1]))

# The most prominent point of each cheek, its inner lower end, and the oval at the height of the eyes.
_APPLES: Final = (50, 280)
_CHEEK_ENDS: Final = ((205, 127), (425, 356))
_NOSE: Final = 5


@dataclass(frozen=True)
class _Canvas:
    """UV space in pixels; points is 468 x 2."""

    points: NDArray[np.float64]

    @cached_property
    def iod(self) -> float:
        """Pixels between the centres of the eyes."""
        right, left = (self.points[[eye[0], eye[8]]].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE))
        return float(np.linalg.norm(left - right))

    @cached_property
    def eyes(self) -> Plane:
        """1 within the eyes."""
        return self.filled(RIGHT_EYE, LEFT_EYE)

    @cached_property
    def opening(self) -> Plane:
        """1 within the mouth."""
        return self.filled(LIPS_INNER)

    def filled(self, *outlines: tuple[int, ...]) -> Plane:
        """1 inside of any of the outlines through these points, 0 outside, in between on the edge."""
        plane = np.zeros((SIZE, SIZE), dtype=np.uint8)
        for outline in outlines:
            corners = np.round((self.points[list(outline)] - 0.5) * 2**_SHIFT).astype(np.int32)
            cv2.fillPoly(plane, [corners], 255, cv2.LINE_AA, _SHIFT)
        return np.asarray(plane / 255, dtype=np.float32)

    def soft(self, plane: Plane, length: float) -> Plane:
        """Blurred by a Gaussian of this length."""
        return np.asarray(cv2.GaussianBlur(plane, (0, 0), length * self.iod), dtype=np.float32)

    def inward(self, plane: Plane) -> Plane:
        """How far inside of it each pixel lies, in lengths."""
        inside = (plane > 0.5).astype(np.uint8)  # noqa: PLR2004 - half of the edge's pixels
        return np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 5) / self.iod, dtype=np.float32)

    def spot(
        self, centre: NDArray[np.float64], length: float, width: float, along: NDArray[np.float64] | None = None
    ) -> Plane:
        """A spot that fades away from its centre like a Gaussian of this length and width."""
        down, across = np.mgrid[:SIZE, :SIZE].astype(np.float32)
        x, y = (across + 0.5 - centre[0]) / self.iod, (down + 0.5 - centre[1]) / self.iod
        direction = np.array([1.0, 0.0]) if along is None else along / np.linalg.norm(along)
        ahead = x * direction[0] + y * direction[1]
        aside = y * direction[0] - x * direction[1]
        return np.asarray(np.exp(-((ahead / length) ** 2) - (aside / width) ** 2), dtype=np.float32)


def _risen(plane: Plane) -> Plane:
    """From 0 to 1 without a kink at either end (Hermite)."""
    level = np.clip(plane, 0, 1)
    return np.asarray(level * level * (3 - 2 * level), dtype=np.float32)


def _over(*planes: Plane) -> Plane:
    """What is laid on several times is as opaque as where it is laid on most."""
    return np.asarray(np.max(planes, axis=0), dtype=np.float32)


def _full_lips(canvas: _Canvas, edge: float = 0.02) -> Plane:
    lips = canvas.filled(LIPS_OUTER)
    return lips * _risen(canvas.inward(lips) / edge) * (1 - canvas.opening)


def _soft_lips(canvas: _Canvas) -> Plane:
    return _full_lips(canvas, 0.09)


def _gradient_lips(canvas: _Canvas) -> Plane:
    lips = canvas.filled(LIPS_OUTER)
    from_outside, from_inside = canvas.inward(lips), canvas.inward(1 - canvas.opening)
    share = from_outside / np.maximum(from_outside + from_inside, 1e-6)
    return lips * _risen(share * 1.25) * (1 - canvas.opening)


def _lids(canvas: _Canvas) -> Plane:
    # with the eye, so that the blur doesn't thin it out along the lashes
    lids = _over(canvas.filled(*_LIDS), canvas.eyes)
    return canvas.soft(lids, 0.025) * (1 - canvas.eyes)


def _creases(canvas: _Canvas) -> Plane:
    creases = _over(canvas.filled(*_CREASES), canvas.eyes)
    return _over(_lids(canvas), 0.7 * canvas.soft(creases, 0.05) * (1 - canvas.eyes))


def _smoky(canvas: _Canvas) -> Plane:
    creases = canvas.soft(_over(canvas.filled(*_CREASES), canvas.eyes), 0.05)
    around = np.exp(-((canvas.inward(1 - canvas.eyes) / 0.09) ** 2))
    brows = canvas.soft(canvas.filled(RIGHT_BROW, LEFT_BROW), 0.03)
    return _over(creases, around) * (1 - brows) * (1 - canvas.eyes)


def _apples(canvas: _Canvas) -> Plane:
    right, left = (canvas.points[apple] for apple in _APPLES)
    across = left - right
    outward = (np.array([-across[0], -0.4 * across[0]]), np.array([across[0], -0.4 * across[0]]))
    spots = [canvas.spot(centre, 0.34, 0.25, along) for centre, along in zip((right, left), outward, strict=True)]
    return _over(*spots)


def _lifted(canvas: _Canvas) -> Plane:
    spots = []
    for inner, outer in _CHEEK_ENDS:
        start, end = canvas.points[inner], canvas.points[outer]
        spots.append(canvas.spot(start + (end - start) * 0.5, 0.42, 0.15, end - start))
    return _over(*spots)


def _sunkissed(canvas: _Canvas) -> Plane:
    right, left = (canvas.points[apple] for apple in _APPLES)
    band = 0.8 * canvas.spot(canvas.points[_NOSE], 0.75, 0.16)
    return _over(canvas.spot(right, 0.3, 0.2), canvas.spot(left, 0.3, 0.2), band)


def _on_cheeks(shape: Callable[[_Canvas], Plane]) -> Callable[[_Canvas], Plane]:
    """A blush that leaves out eyes and lips, and fades before the face ends."""

    def drawn(canvas: _Canvas) -> Plane:
        face = _risen(canvas.inward(canvas.filled(FACE_OVAL)) / 0.15)
        left_out = canvas.soft(_over(canvas.eyes, canvas.filled(LIPS_OUTER)), 0.05)
        return np.asarray(shape(canvas) * face * np.maximum(1 - 1.6 * left_out, 0), dtype=np.float32)

    return drawn


# How each of mien_core.model.overlays is drawn.
SHAPES: Final[Mapping[str, Callable[[_Canvas], Plane]]] = MappingProxyType(
    {
        "lipstick-full": _full_lips,
        "lipstick-soft": _soft_lips,
        "lipstick-gradient": _gradient_lips,
        "eyeshadow-lid": _lids,
        "eyeshadow-crease": _creases,
        "eyeshadow-smoky": _smoky,
        "blush-apples": _on_cheeks(_apples),
        "blush-lifted": _on_cheeks(_lifted),
        "blush-sunkissed": _on_cheeks(_sunkissed),
    }
)


def drawn(overlay: Overlay) -> Pixels:
    """The overlay's picture, SIZE x SIZE x 4, sRGB with straight alpha, 0-255; most opaque where it is 255."""
    opacity = SHAPES[overlay.asset_id](_Canvas(face_uv() * SIZE))
    picture = np.empty((SIZE, SIZE, 4), dtype=np.uint8)
    picture[..., :3] = list(bytes.fromhex(overlay.color.removeprefix("#")))
    picture[..., 3] = np.round(opacity / opacity.max() * 255)
    return picture


def png(overlay: Overlay) -> bytes:
    """The overlay's picture as a file; the same bytes each time on one version of the libraries."""
    file = io.BytesIO()
    Image.fromarray(drawn(overlay)).save(file, "PNG")
    return file.getvalue()
