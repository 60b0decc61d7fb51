"""A shadow that something casts onto the face, told from the shading that every face has.

Light on a rounded matt surface is, but for a few per cent, a quadratic function of its normals whatever the lamps
(Basri and Jacobs, "Lambertian reflectance and linear subspaces", PAMI 2003), so over a face it is nearly one of the
place. And folds, sockets and nose come in pairs, so that what differs between the halves of a face, less a slope from
side to side, is light and no anatomy (the symmetry used by Zhao and Chellappa, "Symmetric shape-from-shading using
self-ratio image", IJCV 2001). A cast shadow is explained by neither: horizontal ones (a cap) leave the first large,
upright ones (a wall, a pole) the second.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.face.crop import SIZE
from mien_serving.face.open_skin import Mask, OpenSkin, Plane
from mien_serving.face.topology import MIRROR_PAIRS

# Parts of the planned skin that must be seen: at all, and on both sides.
_LEAST_SEEN: Final = 0.4
_LEAST_PAIRED: Final = 0.3
# Pixels of the crop below which a fit of six numbers says nothing; a face has some 7,000.
_LEAST_PIXELS: Final = 500
# Around what is no skin, whose edge would look like a shadow's.
_AROUND_FOREIGN: Final = 7
# Sigma in pixels of the crop under which the halves are compared: the mesh's mirror is no better.
_COMPARED_AT: Final = 2.0
_SEEN: Final = 0.9
_OUTERMOST: Final = (5.0, 95.0)
# So that the fit's numbers are near one.
_SCALE: Final = 50.0

_RIGHT: Final = np.array([right for right, _ in MIRROR_PAIRS])
_LEFT: Final = np.array([left for _, left in MIRROR_PAIRS])


def unexplained_stops(skin: OpenSkin) -> float | None:
    """How much light on the skin neither roundness nor the other half of the face explains, in stops.

    The spread (5th to 95th percentile) of log2 of the light's residuals, of the larger of the two models. None where
    too little skin is seen.
    """
    near = (
        cv2.dilate(skin.foreign_in_shadow.astype(np.uint8), np.ones((_AROUND_FOREIGN, _AROUND_FOREIGN), np.uint8)) > 0
    )
    usable = np.asarray(skin.plan & ~near, dtype=np.bool_)
    least = int(skin.planned.sum())
    if usable.sum() < max(_LEAST_SEEN * least, _LEAST_PIXELS):
        return None
    across, down = _coordinates(skin, usable)
    round_face = _spread(skin.light[usable], (np.ones_like(across), across, down, across**2, across * down, down**2))
    difference, paired = _halves(skin, usable)
    if paired.sum() < max(_LEAST_PAIRED * least, _LEAST_PIXELS):
        return None
    across, down = _coordinates(skin, paired)
    return max(round_face, _spread(difference[paired], (across, across * down)))


def _halves(skin: OpenSkin, usable: Mask) -> tuple[Plane, Mask]:
    """The light less that of the mirrored place, and where both are seen."""
    points = skin.crop.points
    here, there = np.concatenate([points[_RIGHT], points[_LEFT]]), np.concatenate([points[_LEFT], points[_RIGHT]])
    design = np.hstack([here, np.ones((len(here), 1))])
    mirror = np.linalg.lstsq(design, there, rcond=None)[0].T
    weight = usable.astype(np.float32)
    sums = cv2.GaussianBlur(skin.light * weight, (0, 0), _COMPARED_AT)
    weights = cv2.GaussianBlur(weight, (0, 0), _COMPARED_AT)

    def mirrored(plane: Plane) -> Plane:
        turned = cv2.warpAffine(plane, mirror, (SIZE, SIZE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return np.asarray(turned, dtype=np.float32)

    least = np.float32(1e-3)
    other = mirrored(np.asarray(sums)) / np.maximum(mirrored(np.asarray(weights)), least)
    paired = usable & (mirrored(weight) > _SEEN)
    return np.asarray(sums / np.maximum(weights, least) - other, dtype=np.float32), np.asarray(paired)


def _coordinates(skin: OpenSkin, mask: Mask) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    down, across = (indices.astype(np.float64) for indices in np.nonzero(mask))
    return (across - float(skin.crop.points[:, 0].mean())) / _SCALE, (down - SIZE / 2) / _SCALE


def _spread(values: Plane, terms: tuple[NDArray[np.float64], ...]) -> float:
    """The spread of what a least-squares fit of the terms leaves of the values."""
    design = np.stack(terms, axis=1)
    # The normal equations: thousands of rows, six columns of numbers near one.
    fit = np.linalg.solve(design.T @ design, design.T @ values)
    low, high = np.percentile(values - design @ fit, _OUTERMOST)
    return float(high - low)
