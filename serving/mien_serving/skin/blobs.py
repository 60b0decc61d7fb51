"""Small round things on skin, at their own size.

Scale space: Lindeberg, "Feature detection with automatic scale selection" (1998).

The Laplacian of a Gaussian, multiplied by its variance, answers strongest where a blob of its own size lies: a disc of
radius r is answered best at sigma = r / sqrt(2), by 2/e of its contrast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.skin.canvas import Mask, Plane
from mien_serving.skin.smoothing import masked

# The median of absolute values of a normal distribution, in deviations.
_DEVIATION: Final = 0.6745
_RADIUS: Final = float(np.sqrt(2))


@dataclass(frozen=True)
class Blob:
    """A blob's middle and radius in pixels, and what it is like.

    answer is in the map's unit; outstanding is the answer in deviations of its scale's answers; roundness is the ratio
    of the map's two curvatures there: 1 for a disc, 0 for a line.
    """

    x: int
    y: int
    radius: float
    answer: float
    outstanding: float
    roundness: float


def flattened(plane: Plane, mask: Mask, sigma: float) -> Plane:
    """A plane less its own local mean over the mask (Gaussian weights, sigma in pixels); 0 outside the mask."""
    return np.asarray(np.where(mask, plane - masked(plane, mask, sigma), 0), dtype=np.float32)


def blobs_in(plane: Plane, mask: Mask, sigmas: Sequence[float], least: float, outstanding: float) -> list[Blob]:
    """Bright blobs of a plane.

    Args:
        plane: H x W, flattened.
        mask: where a blob's middle may lie.
        sigmas: scales in pixels, rising.
        least: the smallest answer, in the plane's unit.
        outstanding: by how many deviations of its scale's answers an answer must exceed zero, so that mottled skin and
            a noisy camera ask for more.

    Returns:
        The blobs, strongest first; none lies within another's radius.
    """
    stack = np.stack(_answers(plane, sigmas))
    unrest = [_unrest(answers[mask]) for answers in stack]
    for answers, usual in zip(stack, unrest, strict=True):
        answers[answers < outstanding * usual] = 0
    around = np.stack([cv2.dilate(answers, np.ones((3, 3), np.uint8)) for answers in stack])
    best = stack.argmax(axis=0)
    strongest = stack.max(axis=0)
    peak = (strongest >= around.max(axis=0)) & (strongest >= least) & mask
    down, across = np.nonzero(peak)
    order = np.argsort(-strongest[down, across], kind="stable")
    found: list[Blob] = []
    taken = np.zeros(plane.shape, dtype=np.uint8)
    for index in order:
        y, x = int(down[index]), int(across[index])
        if taken[y, x]:
            continue
        sigma = sigmas[best[y, x]]
        radius = sigma * _RADIUS
        answer = float(strongest[y, x])
        found.append(Blob(x, y, radius, answer, answer / unrest[best[y, x]], _roundness(plane, x, y, sigma)))
        cv2.circle(taken, (x, y), round(radius * 1.3), 1, -1)
    return found


def _unrest(answers: NDArray[np.float32]) -> float:
    """The deviation of a scale's answers, by the median of absolute values, which blobs hardly move."""
    return max(float(np.median(np.abs(answers))) / _DEVIATION, 1e-6) if answers.size else 1.0


def _answers(plane: Plane, sigmas: Sequence[float]) -> list[Plane]:
    """The Laplacian at each scale; each is blurred from the one before, by what is missing (Gaussians add up)."""
    smooth, before, answers = plane, 0.0, []
    for sigma in sigmas:
        smooth = np.asarray(cv2.GaussianBlur(smooth, (0, 0), float(np.sqrt(sigma**2 - before**2))), dtype=np.float32)
        before = sigma
        answers.append(np.asarray(cv2.Laplacian(smooth, cv2.CV_32F, ksize=1, scale=-(sigma**2)), dtype=np.float32))
    return answers


def _roundness(plane: Plane, x: int, y: int, sigma: float) -> float:
    """The smaller curvature over the larger, from the map smoothed at the blob's own scale."""
    reach = int(np.ceil(3 * sigma)) + 1
    height, width = plane.shape
    if not (reach <= x < width - reach and reach <= y < height - reach):
        return 0.0
    patch = cv2.GaussianBlur(plane[y - reach : y + reach + 1, x - reach : x + reach + 1], (0, 0), sigma)
    c = patch[reach - 1 : reach + 2, reach - 1 : reach + 2].astype(np.float64)
    xx = c[1, 0] - 2 * c[1, 1] + c[1, 2]
    yy = c[0, 1] - 2 * c[1, 1] + c[2, 1]
    xy = (c[0, 0] + c[2, 2] - c[0, 2] - c[2, 0]) / 4
    middle, spread = (xx + yy) / 2, float(np.hypot((xx - yy) / 2, xy))
    steep, flat = middle - spread, middle + spread
    return float(np.clip(flat / steep, 0, 1)) if steep < 0 else 0.0


def contrast(planes: NDArray[np.float32], mask: Mask, blob: Blob) -> NDArray[np.float64] | None:
    """How much higher planes (H x W x C) are inside a blob than in a ring around it, medians over the mask, each of C.

    None where the mask holds too little of either.
    """
    outer = int(np.ceil(blob.radius * 2.2)) + 2
    top, left = max(0, blob.y - outer), max(0, blob.x - outer)
    rows, columns = slice(top, blob.y + outer + 1), slice(left, blob.x + outer + 1)
    down, across = np.ogrid[rows.start : min(rows.stop, planes.shape[0]), left : min(columns.stop, planes.shape[1])]
    distance = np.hypot(across - blob.x, down - blob.y)
    part, seen = planes[rows, columns], mask[rows, columns]
    inner = seen & (distance <= max(0.7 * blob.radius, 1.0))
    ring = seen & (distance > 1.5 * blob.radius + 0.5) & (distance <= outer)
    if inner.sum() < 3 or ring.sum() < 8:  # noqa: PLR2004 - a median of fewer says nothing
        return None
    return np.asarray(np.median(part[inner], axis=0) - np.median(part[ring], axis=0), dtype=np.float64)
