"""Where on a photographed face something can be painted. Shares the mesh with the measures, and nothing else."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_core.model.face import FaceReport
from mien_serving.face.topology import FACE_OVAL, LEFT_BROW, LEFT_EYE, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE

Picture = NDArray[np.uint8]
Light = NDArray[np.float32]

# Adults' mean distance between the pupils (Dodgson 2004).
_PUPILS_MM: Final = 63.4
# Open skin, as triangles of the mesh's points and their mirror images: cheeks, chin, between the brows.
_RIGHT_CHEEK: Final = (117, 119, 142, 205, 187)
_LEFT_CHEEK: Final = (346, 348, 371, 425, 411)
_CHIN: Final = (201, 421, 262, 199, 32)
_BROW_CENTRE: Final = (107, 336, 285, 55)


@dataclass(frozen=True)
class FacePlan:
    """A photo's face: points (468 x 2, pixels), the photo's size, and pixels per millimetre of an average face."""

    points: NDArray[np.float64]
    width: int
    height: int

    @cached_property
    def millimetre(self) -> float:
        """Pixels in a millimetre."""
        right, left = (self.points[[eye[0], eye[8]]].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE))
        return float(np.linalg.norm(left - right)) / _PUPILS_MM

    @cached_property
    def skin(self) -> Light:
        """Height x width, 0-1: the face's oval without eyes, brows and lips, with soft edges of 1 mm."""
        mask = self.filled(FACE_OVAL)
        for part in (RIGHT_EYE, LEFT_EYE, RIGHT_BROW, LEFT_BROW, LIPS_OUTER):
            mask = np.minimum(mask, 1 - self.filled(part))
        return self.soft(mask, 0.5)

    @cached_property
    def tinted(self) -> Light:
        """As skin, with the brows: what has another colour where the skin has another tone."""
        mask = self.filled(FACE_OVAL)
        for part in (RIGHT_EYE, LEFT_EYE, LIPS_OUTER):
            mask = np.minimum(mask, 1 - self.filled(part))
        return self.soft(mask, 0.5)

    @cached_property
    def open_skin(self) -> tuple[NDArray[np.float64], ...]:
        """Polygons of skin without folds and hair: both cheeks, the chin, between the brows."""
        return tuple(self.points[list(part)] for part in (_RIGHT_CHEEK, _LEFT_CHEEK, _CHIN, _BROW_CENTRE))

    def filled(self, outline: tuple[int, ...]) -> Light:
        """Height x width, 1 inside the polygon through these points of the mesh, else 0."""
        return self.polygon(self.points[list(outline)])

    def polygon(self, corners: NDArray[np.float64]) -> Light:
        """Height x width, 1 inside the polygon (N x 2, pixels), else 0."""
        canvas = np.zeros((self.height, self.width), dtype=np.uint8)
        cv2.fillPoly(canvas, [np.round(corners).astype(np.int32)], 1)
        return canvas.astype(np.float32)

    def soft(self, plane: Light, millimetres: float) -> Light:
        """A plane blurred by a Gaussian of so many millimetres."""
        return np.asarray(cv2.GaussianBlur(plane, (0, 0), max(millimetres * self.millimetre, 0.3)), dtype=np.float32)

    def scatter(
        self, generator: np.random.Generator, count: int, apart_mm: float, margin_mm: float
    ) -> NDArray[np.float64]:
        """Up to count random places (N x 2, pixels) on open skin, no two nearer than apart_mm, margin_mm inside it."""
        room = np.zeros((self.height, self.width), dtype=np.uint8)
        for corners in self.open_skin:
            room |= (self.polygon(corners) > 0).astype(np.uint8)
        down, across = np.nonzero(cv2.distanceTransform(room, cv2.DIST_L2, 5) > margin_mm * self.millimetre)
        places: list[NDArray[np.float64]] = []
        for index in generator.permutation(len(down)):
            if len(places) == count:
                break
            place = np.array([across[index], down[index]], dtype=np.float64)
            if all(np.hypot(*(place - other)) >= apart_mm * self.millimetre for other in places):
                places.append(place)
        return np.array(places).reshape(-1, 2)


def plan_of(photo: Picture, report: FaceReport) -> FacePlan:
    """The plan of the face that a report describes."""
    height, width = photo.shape[:2]
    points = np.array([(one.x, one.y) for one in report.face.landmarks]) * (width, height)
    return FacePlan(points, width, height)
