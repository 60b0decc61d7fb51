"""Pictures that show a face and no person; drawn, so that they can be shipped."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tests import faces
from tests.faces import Picture

# Fractions of a pixel for OpenCV's drawing: sixteenths.
_SHIFT: Final = 4


def cartoon(width: int = 900, height: int = 1000) -> Picture:
    """A face as a child's book draws it: flat colours, black lines."""
    photo = np.full((height, width, 3), (170, 214, 236), dtype=np.uint8)
    ink, skin, red = (30, 24, 22), (250, 205, 165), (205, 70, 70)

    size = np.array([width, height])

    def oval(
        x: float, y: float, across: float, down: float, colour: Sequence[int], *, stroke: int = cv2.FILLED
    ) -> None:
        centre, axes = np.array([x, y]) * size, np.array([across, down]) * size
        cv2.ellipse(
            photo, _sixteenths(centre), _sixteenths(axes), 0, 0, 360, tuple(colour), stroke, cv2.LINE_AA, _SHIFT
        )

    oval(0.5, 0.44, 0.32, 0.36, (92, 56, 30))
    for x in (0.22, 0.78):
        oval(x, 0.52, 0.05, 0.07, skin)
        oval(x, 0.52, 0.05, 0.07, ink, stroke=6)
    oval(0.5, 0.52, 0.27, 0.33, skin)
    oval(0.5, 0.52, 0.27, 0.33, ink, stroke=6)
    cv2.ellipse(
        photo,
        _sixteenths(np.array([0.5 * width, 0.3 * height])),
        _sixteenths(np.array([0.26 * width, 0.12 * height])),
        0,
        180,
        360,
        (92, 56, 30),
        cv2.FILLED,
        cv2.LINE_AA,
        _SHIFT,
    )
    for x in (0.39, 0.61):
        oval(x, 0.46, 0.062, 0.05, (255, 255, 255))
        oval(x, 0.46, 0.062, 0.05, ink, stroke=5)
        oval(x, 0.465, 0.03, 0.03, (70, 120, 60))
        oval(x, 0.465, 0.015, 0.016, ink)
        oval(x + 0.01, 0.458, 0.006, 0.006, (255, 255, 255))
        brow = np.array([[x - 0.07, 0.385], [x, 0.365], [x + 0.07, 0.385]]) * (width, height)
        cv2.polylines(photo, [np.round(brow).astype(np.int32)], False, (60, 34, 20), 14, cv2.LINE_AA)
    nose = np.array([[0.5, 0.5], [0.475, 0.585], [0.515, 0.595]]) * (width, height)
    cv2.polylines(photo, [np.round(nose).astype(np.int32)], False, ink, 6, cv2.LINE_AA)
    for x in (0.33, 0.67):
        oval(x, 0.6, 0.045, 0.035, (250, 170, 150))
    mouth = _sixteenths(np.array([0.5 * width, 0.66 * height]))
    cv2.ellipse(
        photo,
        mouth,
        _sixteenths(np.array([0.1 * width, 0.07 * height])),
        0,
        0,
        180,
        red,
        cv2.FILLED,
        cv2.LINE_AA,
        _SHIFT,
    )
    cv2.ellipse(
        photo, mouth, _sixteenths(np.array([0.1 * width, 0.07 * height])), 0, 0, 180, ink, 5, cv2.LINE_AA, _SHIFT
    )
    return photo


def printed_shirt(print_width: int = 420) -> Picture:
    """A shirt with a face printed on it in two colours of ink, in dots; nobody in it."""
    face = cv2.cvtColor(faces.mirrored(faces.face_of_width(round(0.45 * print_width))), cv2.COLOR_RGB2GRAY)
    side = face.shape[0]
    middle = (round(side * 0.56), round(side * 0.23))
    half = round(print_width / 2)
    cut = face[max(0, middle[1] - half) : middle[1] + half, max(0, middle[0] - half) : middle[0] + half]
    height, width = cut.shape
    cloth = np.full((round(height * 1.5), round(width * 1.25), 3), (196, 64, 58), dtype=np.uint8)
    down, across = np.mgrid[:height, :width]
    dots = 0.5 + 0.5 * np.sin(across * 1.6 + down * 0.4) * np.sin(down * 1.6 - across * 0.4)
    ink = np.clip((cut / 255 - 0.25 - 0.2 * dots) * 4, 0, 1)[..., None]
    oval = np.hypot((across - width / 2) / (width / 2), (down - height / 2) / (height / 2)) < 1
    printed = np.array([24, 24, 44]) * (1 - ink) + np.array([244, 236, 214]) * ink
    top, left = round(height * 0.2), round(width * 0.125)
    room = cloth[top : top + height, left : left + width]
    room[:] = np.where(oval[..., None], printed, room)
    weave = 1 + 0.03 * np.sign(np.sin(np.arange(cloth.shape[1]) * 1.2))[None, :, None]
    return np.asarray(np.clip(np.round(cloth * weave), 0, 255), dtype=np.uint8)


def _sixteenths(pair: NDArray[np.float64]) -> tuple[int, int]:
    x, y = np.round(pair * (1 << _SHIFT)).astype(int)
    return int(x), int(y)
