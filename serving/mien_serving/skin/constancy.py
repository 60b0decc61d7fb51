"""Taking the lamp's colour out of a photo, by what surrounds the face.

Shades of grey (Finlayson and Trezzi, "Shades of Gray and Colour Constancy", CIC 2004): the Minkowski mean of order 6 of
each channel's light over the scene is the lamp's colour. Skin is left out: it is never grey, and a face that fills the
photo would be bleached by its own correction.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.face.colour import linear_of_srgb
from mien_serving.face.crop import CLIPPED
from mien_serving.face.topology import FACE_OVAL

_ORDER: Final = 6
_SIDE: Final = 160
# The face's outline is enlarged about its middle by this, so that neck, ears and hair's edge go too.
_ENLARGE: Final = 1.35
# Part of the photo that must be left to say anything.
_LEAST_SCENE: Final = 0.1
# No channel is changed by more than this factor: a scene of one strong colour is more likely a wall than a lamp.
_MOST_GAIN: Final = 1.12


@dataclass(frozen=True)
class Lamp:
    """The estimated light.

    gains: what each channel (3) is multiplied by. angle: degrees between the estimate and neutral grey, 0 where
    nothing could be said.
    """

    gains: NDArray[np.float64]
    angle: float


def lamp_of(photo: NDArray[np.uint8], points: NDArray[np.float64]) -> Lamp:
    """Estimate the lamp of a photo (H x W x 3, 0-255, sRGB) around a face whose mesh (468 x 3, pixels) is given."""
    height, width = photo.shape[:2]
    factor = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    # Every n-th pixel first: averaging all of a large photo would cost more than the whole analysis.
    step = max(1, int(1 / factor / 4))
    small = np.asarray(cv2.resize(photo[::step, ::step], size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    outline = points[list(FACE_OVAL), :2] * (size[0] / width, size[1] / height)
    middle = outline.mean(axis=0)
    scene = np.ones(small.shape[:2], dtype=np.uint8)
    cv2.fillPoly(scene, [np.round(middle + (outline - middle) * _ENLARGE).astype(np.int32)], 0)
    seen = small[(scene > 0) & (small < CLIPPED).all(axis=2)]
    if len(seen) < _LEAST_SCENE * scene.size:
        return Lamp(np.ones(3), 0.0)
    means = (linear_of_srgb(seen) ** _ORDER).mean(axis=0) ** (1 / _ORDER)
    if means.min() <= 0:
        return Lamp(np.ones(3), 0.0)
    colour = means / means.mean()
    angle = float(np.degrees(np.arccos(np.clip(colour.sum() / (np.sqrt(3) * np.linalg.norm(colour)), -1, 1))))
    return Lamp(np.clip(1 / colour, 1 / _MOST_GAIN, _MOST_GAIN), angle)
