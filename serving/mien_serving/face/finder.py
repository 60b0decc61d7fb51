"""All faces of a photo: detectors propose, the mesh decides.

1. Both detectors look at the whole photo: the short-range model sees faces from about an eighth of its longer side,
   the full-range model from about a thirteenth, which is what tells that somebody else is in the picture.
2. Only where that found nothing, the full-range model looks at overlapping tiles of a quarter of the photo's longer
   side: it finds faces from about 2 % of that side (40 pixels in a photo of 1920).

A proposal is believed where the mesh model sees a face twice: in the square around the detection, and then in the
square around the mesh that it found there. What is no face rarely passes both (see the thresholds).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.face.detector import MERGE_AT_OVERLAP, Box, Detection, Detector, merged
from mien_serving.face.mesh import MeshModel
from mien_serving.face.region import region_of_detection, region_of_points
from mien_serving.face.timings import Timings

# Twice the larger model's input.
OVERVIEW: Final = 384
TILES_A_SIDE: Final = 4
TILE_OVERLAP: Final = 0.25
# Smaller tiles would be enlarged to the model's input and show nothing more.
LEAST_TILE: Final = 192
MOST_CANDIDATES: Final = 8
# The model's own threshold for the first look. The second is stricter: of 197 detected faces of 30 to 200 pixels,
# turned, some blurred and badly lit, the two keep 190, and of 97 proposals in pictures without a face they let 2 pass
# (0.5 both times: 191 and 18).
FIRST_LOOK: Final = 0.5
SECOND_LOOK: Final = 0.9


@dataclass(frozen=True)
class FoundFace:
    """A face in a photo; score is the detector's, 0-1, and points is the mesh, 468 x 3 in pixels of the photo."""

    score: float
    points: NDArray[np.float64]

    @property
    def box(self) -> Box:
        """The mesh's bounding box in pixels."""
        left, top = self.points[:, :2].min(axis=0)
        right, bottom = self.points[:, :2].max(axis=0)
        return Box(float(left), float(top), float(right - left), float(bottom - top))


class Finder:
    """Finds all faces in photos.

    Args:
        short_range: detector of near faces.
        full_range: detector of near and far faces.
        mesh: the mesh model.
    """

    def __init__(self, short_range: Detector, full_range: Detector, mesh: MeshModel) -> None:
        self._short_range = short_range
        self._full_range = full_range
        self._mesh = mesh

    def find(self, photos: Sequence[NDArray[np.uint8]], timings: Timings) -> list[list[FoundFace]]:
        """The faces of each photo, the largest first; at most eight.

        Args:
            photos: H x W x 3, 0-255, sRGB, upright.
            timings: gets the time spent in steps detect and mesh.
        """
        found = self._believed(photos, self._in_whole, timings)
        left = [index for index, faces in enumerate(found) if not faces]
        for index, faces in zip(
            left, self._believed([photos[index] for index in left], self._in_tiles, timings), strict=True
        ):
            found[index] = faces
        return found

    def _believed(
        self,
        photos: Sequence[NDArray[np.uint8]],
        propose: Callable[[Sequence[NDArray[np.uint8]]], list[list[Detection]]],
        timings: Timings,
    ) -> list[list[FoundFace]]:
        with timings.step("detect"):
            proposed = [
                (index, detection)
                for index, detections in enumerate(propose(photos))
                for detection in detections[:MOST_CANDIDATES]
            ]
        with timings.step("mesh"):
            first = self._mesh.fit(
                [photos[index] for index, _ in proposed],
                [region_of_detection(detection) for _, detection in proposed],
            )
            likely = [
                (index, detection.score, region_of_points(mesh.points))
                for (index, detection), mesh in zip(proposed, first, strict=True)
                if mesh.presence >= FIRST_LOOK
            ]
            # The second look is also the better one: it moves the points by about 1 % of the face's width (a third
            # would by 0.4 %), and makes the pose independent of which detector found the face.
            second = self._mesh.fit([photos[index] for index, _, _ in likely], [region for _, _, region in likely])
        found: list[list[FoundFace]] = [[] for _ in photos]
        for (index, score, _), mesh in zip(likely, second, strict=True):
            if mesh.presence >= SECOND_LOOK:
                found[index].append(FoundFace(score, mesh.points))
        return [sorted(distinct(faces), key=lambda face: -face.box.area) for faces in found]

    def _in_whole(self, photos: Sequence[NDArray[np.uint8]]) -> list[list[Detection]]:
        small = [_overview(photo) for photo in photos]
        return [
            [
                detection.scaled(photo.shape[1] / overview.shape[1], photo.shape[0] / overview.shape[0])
                for detection in merged([*near, *far])
            ]
            for photo, overview, near, far in zip(
                photos, small, self._short_range.detect(small), self._full_range.detect(small), strict=True
            )
        ]

    def _in_tiles(self, photos: Sequence[NDArray[np.uint8]]) -> list[list[Detection]]:
        return [self._in_tiles_of(photo) for photo in photos]

    def _in_tiles_of(self, photo: NDArray[np.uint8]) -> list[Detection]:
        height, width = photo.shape[:2]
        side = max(LEAST_TILE, round(max(height, width) / TILES_A_SIDE))
        if side >= max(height, width):
            return []
        corners = [(left, top) for top in tile_starts(height, side) for left in tile_starts(width, side)]
        # All tiles in one batch: they are views of the photo, and small once the detector has scaled them down.
        found = self._full_range.detect([photo[top : top + side, left : left + side] for left, top in corners])
        return merged(
            [
                detection.moved(left, top)
                for (left, top), detections in zip(corners, found, strict=True)
                for detection in detections
            ]
        )


def distinct(faces: Sequence[FoundFace]) -> list[FoundFace]:
    """Each face once: two proposals too far apart to be merged may have led the mesh to the same face."""
    kept: list[FoundFace] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(face.box.overlap(other.box) <= MERGE_AT_OVERLAP for other in kept):
            kept.append(face)
    return kept


def _overview(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photo averaged down to OVERVIEW pixels on its longer side: reading a big one is done once, not per model."""
    height, width = photo.shape[:2]
    longer = max(height, width)
    if longer <= OVERVIEW:
        return photo
    size = (max(1, round(width * OVERVIEW / longer)), max(1, round(height * OVERVIEW / longer)))
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def tile_starts(length: int, side: int) -> list[int]:
    """Where tiles of side pixels begin so that they cover length pixels and neighbours share at least a quarter."""
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * (1 - TILE_OVERLAP)))) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]
