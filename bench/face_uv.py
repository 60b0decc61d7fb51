"""`python -m bench.face_uv` lays the face mesh flat anew and writes serving/mien_serving/makeup/face_uv.json.

The formula stands in mien_serving.makeup.face_uv. It has been run once: whoever draws on the mesh keeps the file, so
another one would be another UV space. A test derives it again and compares.
"""

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from mien_serving.face.mesh import SIZE, MeshModel
from mien_serving.face.model_files import MESH, installed_model_files
from mien_serving.face.region import Region
from mien_serving.makeup.face_uv import DECIMALS, MARGIN
from mien_serving.tflite.executor import TorchExecutor

Points = NDArray[np.float64]

FILE = Path(__file__).parents[1] / "serving" / "mien_serving" / "makeup" / "face_uv.json"
GREY = 127
# part of the face's width
MOST_APART = 0.1
# OpenCV's subdivision wants pixels; this many of them keep all decimals apart.
PIXELS = 10**DECIMALS


def average_face() -> Points:
    """What the mesh model answers to a picture of nothing: 468 x 3 in pixels of its picture."""
    model = MeshModel(TorchExecutor(installed_model_files().paths[MESH]))
    nothing = np.full((SIZE, SIZE, 3), GREY, np.uint8)
    return model.fit([nothing], [Region(SIZE / 2, SIZE / 2, SIZE, 0.0)])[0].points


def partners(face: Points) -> NDArray[np.int64]:
    """For each point its partner on the other side: the pairing under which face and mirror image differ least.

    Raises:
        ValueError: a point lies far from its partner's image, so this is no frontal face.
    """
    centred = face - (face.min(axis=0) + face.max(axis=0)) / 2 * (1, 0, 0)
    apart = np.linalg.norm(centred[:, None] - (centred * (-1, 1, 1))[None], axis=2)
    _, found = linear_sum_assignment(apart**2)
    if apart[np.arange(len(face)), found].max() > MOST_APART * np.ptp(face[:, 0]):
        raise ValueError("the face is too far from its mirror image to be an average one")
    return np.asarray(found, dtype=np.int64)


def mirrored(face: Points) -> Points:
    """The face between this one and its mirror image; x is 0 in its middle."""
    centred = face - (face.min(axis=0) + face.max(axis=0)) / 2 * (1, 0, 0)
    return np.asarray((centred + (centred * (-1, 1, 1))[partners(face)]) / 2, dtype=np.float64)


def unrolled(face: Points) -> Points:
    """Roll a face that is its own mirror image off its cylinder: u and v, 468 x 2."""
    low, high = face.min(axis=0), face.max(axis=0)
    u = 0.5 + np.arctan2(face[:, 0], high[2] - face[:, 2]) * (1 - 2 * MARGIN) / np.pi
    v = MARGIN + (face[:, 1] - low[1]) * (1 - 2 * MARGIN) / (high[1] - low[1])
    return np.round(np.stack([u, v], axis=1), DECIMALS)


def triangles(uv: Points) -> list[tuple[int, int, int]]:
    """The mesh between the points (Delaunay), each triangle by its points' indices, in order."""
    plane = cv2.Subdiv2D((0, 0, PIXELS + 1, PIXELS + 1))
    index_of: dict[tuple[int, int], int] = {}
    for index, (x, y) in enumerate(np.round(uv * PIXELS).astype(int).tolist()):
        plane.insert((float(x), float(y)))
        index_of.setdefault((x, y), index)
    found: set[tuple[int, ...]] = set()
    for corners in np.round(plane.getTriangleList()).astype(int).reshape(-1, 3, 2).tolist():
        # the subdivision's own corners lie far outside
        if all(tuple(corner) in index_of for corner in corners):
            found.add(tuple(sorted(index_of[x, y] for x, y in corners)))
    return sorted((first, second, third) for first, second, third in found)


def main() -> None:
    """Write the file."""
    uv = unrolled(mirrored(average_face()))
    FILE.write_text(json.dumps({"uv": uv.tolist(), "triangles": triangles(uv)}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
