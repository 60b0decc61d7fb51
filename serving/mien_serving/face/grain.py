"""The finest detail of the skin: too much of it is the camera's noise, too little means that somebody smoothed it.

Noise: Immerkaer, "Fast noise variance estimation" (CVIU 1996), with the median of absolute values instead of the mean,
which edges hardly move, on the natural logarithm of the luminance: the answer is a part of the light, so it says the
same on every skin.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.face.colour import luminance_of_srgb
from mien_serving.face.topology import FOREHEAD, LEFT_CHEEK, LEFT_EYE, RIGHT_CHEEK, RIGHT_EYE

# Pixels between the eyes of the scale at which the skin is measured, and of that at which smoothing is looked for:
# there even an enlarged photo, whose own pixels are smooth, still shows skin.
_MEASURED_AT: Final = 128.0
_SMOOTHED_AT: Final = 64.0
# Smaller faces than this have no detail at that scale.
_LEAST_MEASURED: Final = 80.0
_KERNEL: Final = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
# Deviation of a Gaussian by its median absolute value, and the kernel's own gain.
_TO_DEVIATION: Final = 0.6745 * 6
_DARK: Final = 0.002
_LEAST_SIDE: Final = 8
# Of a larger patch its middle, so many pixels a side, says enough.
_LARGE: Final = 512


@dataclass(frozen=True)
class Grain:
    """Deviation of the finest detail in per cent of the light.

    noise is at the scale at which skin is measured, texture at half of it; None where the face is too small.
    """

    noise: float | None
    texture: float | None


def grain_of(photo: NDArray[np.uint8], points: NDArray[np.float64]) -> Grain:
    """The grain of cheeks and forehead.

    Args:
        photo: H x W x 3, 0-255, sRGB.
        points: the face's mesh, 468 x 3 in pixels of the photo.
    """
    right, left = (points[[eye[0], eye[8]]].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE))
    distance = float(np.linalg.norm(left - right))
    patches = [patch for part in (RIGHT_CHEEK, LEFT_CHEEK, FOREHEAD) if (patch := _patch(photo, points, part)).size]
    return Grain(
        noise=_deviation(patches, _MEASURED_AT / distance) if distance >= _LEAST_MEASURED else None,
        texture=_deviation(patches, _SMOOTHED_AT / distance) if distance >= _SMOOTHED_AT else None,
    )


def _patch(photo: NDArray[np.uint8], points: NDArray[np.float64], part: tuple[int, ...]) -> NDArray[np.uint8]:
    """The box around a part of the face, as far as the photo shows it; its middle alone where it is large."""
    height, width = photo.shape[:2]
    corners = points[list(part), :2]
    low = np.clip(corners.min(axis=0), 0, (width, height)).astype(int)
    high = np.clip(corners.max(axis=0), 0, (width, height)).astype(int)
    surplus = np.maximum(high - low - _LARGE, 0) // 2
    (left, top), (right, bottom) = low + surplus, high - surplus
    return photo[top:bottom, left:right]


def _deviation(patches: list[NDArray[np.uint8]], factor: float) -> float | None:
    answers = []
    for patch in patches:
        scaled = patch
        if factor < 1:
            size = (round(patch.shape[1] * factor), round(patch.shape[0] * factor))
            if min(size) < _LEAST_SIDE:
                continue
            scaled = np.asarray(cv2.resize(patch, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        if min(scaled.shape[:2]) < _LEAST_SIDE:
            continue
        light = np.log(luminance_of_srgb(scaled) + _DARK).astype(np.float32)
        answers.append(np.abs(cv2.filter2D(light, cv2.CV_32F, _KERNEL))[1:-1, 1:-1].ravel())
    return float(np.median(np.concatenate(answers))) / _TO_DEVIATION * 100 if answers else None
