"""A face turned towards profile: the photo as a relief, its depth taken from the face's mesh, looked at from aside."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.face.topology import FACE_OVAL
from tests.faces import Picture
from tests.warps import Points

# Each pixel is carried over as so many pieces, so that what is stretched has no gaps.
_PIECES: Final = 4
# How steeply the head and what is around it fall away behind the face's rim, pixels a pixel.
_SLOPE: Final = 1.0


def turned(photo: Picture, points: Points, yaw: float) -> Picture:
    """The person turned by so many degrees, about the middle of the head; yaw > 0 is towards the image's right.

    Parallel projection: a point's new column is x cos(yaw) + z sin(yaw), its row stays. Where two fall on each other
    the nearer one is seen; what was never photographed is stretched from its neighbours, as any relief would show it.
    """
    height, width = photo.shape[:2]
    depth = _depth(photo.shape, points)
    angle = np.radians(yaw)
    head = float(np.ptp(points[:, 0]))
    x0, z0 = float(points[[127, 356], 0].mean()), float(points[:, 2].min() + 0.55 * head)
    columns = (np.arange(width * _PIECES, dtype=np.float32) + 0.5) / _PIECES - 0.5
    result = np.zeros_like(photo)
    for row in range(height):
        z = np.interp(columns, np.arange(width), depth[row]) - z0
        seen = x0 + (columns - x0) * np.cos(angle) - z * np.sin(angle)
        near = z * np.cos(angle) + (columns - x0) * np.sin(angle)
        colours = np.stack([np.interp(columns, np.arange(width), photo[row, :, each]) for each in range(3)], axis=1)
        result[row] = _row(seen, near, colours, width)
    return result


def _row(
    seen: NDArray[np.float64], near: NDArray[np.float64], colours: NDArray[np.float64], width: int
) -> NDArray[np.uint8]:
    # Far pieces first, so that near ones overwrite them; each piece fills what lies before the next one.
    ends = np.append(seen[1:], seen[-1] + 1 / _PIECES)
    order = np.argsort(-near, kind="stable")
    row = np.full((width, 3), -1.0)
    for reach in range(3):
        places = np.round(seen + reach * np.sign(ends - seen) * (np.abs(ends - seen) > reach)).astype(int)[order]
        inside = (places >= 0) & (places < width)
        fresh = np.full((width, 3), -1.0)
        fresh[places[inside]] = colours[order][inside]
        row = np.where(row < 0, fresh, row)
    known = np.flatnonzero(row[:, 0] >= 0)
    filled = np.stack([np.interp(np.arange(width), known, row[known, each]) for each in range(3)], axis=1)
    return np.asarray(np.round(filled), dtype=np.uint8)


def _depth(shape: tuple[int, ...], points: Points) -> NDArray[np.float32]:
    """Height x width, pixels, larger is further: the mesh's inside the face, falling away around it."""
    height, width = shape[:2]
    plan = cv2.Subdiv2D((-4 * width, -4 * height, 9 * width, 9 * height))
    index = {}
    for number, (x, y) in enumerate(points[:, :2].astype(np.float32)):
        index[(float(x), float(y))] = number
        plan.insert((float(x), float(y)))
    depth = np.full((height, width), np.nan, dtype=np.float32)
    for triangle in np.asarray(plan.getTriangleList()).reshape(-1, 3, 2):
        corners = [index.get((float(x), float(y))) for x, y in triangle]
        if None in corners:
            continue
        _fill(depth, triangle.astype(np.float64), points[[one for one in corners if one is not None], 2])
    face = np.zeros((height, width), dtype=np.uint8)
    cv2.fillPoly(face, [np.round(points[list(FACE_OVAL), :2]).astype(np.int32)], 1)
    known = np.isfinite(depth) & (face > 0)
    # Beyond the rim: the nearest depth of the face, and further away the further from it.
    away, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(int(labels.max()) + 1, dtype=np.float32)
    nearest[labels[known]] = depth[known]
    head = float(np.ptp(points[:, 0]))
    outside = nearest[labels] + _SLOPE * np.minimum(away, 0.35 * head)
    whole = np.where(known, depth, outside).astype(np.float32)
    smooth = cv2.GaussianBlur(whole, (0, 0), 0.02 * head)
    return np.asarray(np.where(cv2.erode(face, np.ones((9, 9), np.uint8)) > 0, whole, smooth), dtype=np.float32)


def _fill(depth: NDArray[np.float32], corners: NDArray[np.float64], z: NDArray[np.float64]) -> None:
    """Write a triangle's plane (corners 3 x 2 in pixels, z at each) into the depth."""
    low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int)
    left, top = np.maximum(low, 0)
    right, bottom = np.minimum(high, (depth.shape[1] - 1, depth.shape[0] - 1))
    matrix = np.vstack([corners.T, np.ones(3)])
    if left > right or top > bottom or abs(np.linalg.det(matrix)) < 1e-6:
        return
    across, down = np.meshgrid(np.arange(left, right + 1), np.arange(top, bottom + 1))
    weights = np.linalg.solve(matrix, np.stack([across.ravel(), down.ravel(), np.ones(across.size)]))
    inside = (weights >= -1e-6).all(axis=0)
    depth[down.ravel()[inside], across.ravel()[inside]] = (z @ weights)[inside]
