"""Blurring what is seen, and only that: what a mask leaves out has no say in what lies beside it."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.skin.canvas import Mask, Plane

# From this sigma (pixels) on a blur holds nothing that a quarter of the pixels in each direction doesn't show.
_COARSE: Final = 6.0
_STEP: Final = 4
# The mean of square roots of absolute values of a normal distribution of deviation 1: 2^(1/4) Gamma(3/4) / sqrt(pi). A
# deviation told by it is hardly raised by what stands out here and there.
ROOT_OF_DEVIATION: Final = np.float32(0.8222)
# A weight below which there is nothing near to go by.
_NOTHING: Final = np.float32(1e-3)


def blurred(plane: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """A plane (H x W or H x W x C) blurred by a Gaussian; sigma in pixels. Broad ones are blurred on a coarser grid."""
    if sigma < _COARSE:
        return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), dtype=np.float32)
    height, width = plane.shape[:2]
    small = cv2.resize(plane, (-(-width // _STEP), -(-height // _STEP)), interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(small, (0, 0), sigma / _STEP)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def masked(plane: NDArray[np.float32], mask: Mask, sigma: float) -> NDArray[np.float32]:
    """As blurred, over the mask alone (normalised convolution, Knutsson and Westin 1993).

    Where the mask is far away the values fall to 0.
    """
    weight = mask.astype(np.float32)
    weights = np.maximum(blurred(weight, sigma), _NOTHING)
    if plane.ndim == 2:  # noqa: PLR2004 - a plane without channels
        return np.asarray(blurred(plane * weight, sigma) / weights, dtype=np.float32)
    return np.asarray(blurred(plane * weight[..., None], sigma) / weights[..., None], dtype=np.float32)


def filled(plane: Plane, mask: Mask, sigma: float) -> Plane:
    """A plane (H x W) that goes on outside the mask as it is around: near by finely, far away broadly.

    So a blur across the mask's edge meets no step. sigma: of the finer of the two fillings, in pixels.
    """
    weight = mask.astype(np.float32)
    near = blurred(weight, sigma)
    broad = masked(plane, mask, 4 * sigma)
    share = np.minimum(near / np.float32(0.1), 1)
    around = masked(plane, mask, sigma) * share + broad * (1 - share)
    return np.asarray(np.where(mask, plane, around), dtype=np.float32)
