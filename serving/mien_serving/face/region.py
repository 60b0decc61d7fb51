"""The rotated square that a face model looks at, and how it is cut out of a photo."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.face.detector import Detection
from mien_serving.face.topology import LEFT_EYE, RIGHT_EYE

ENLARGE: Final = 1.5


@dataclass(frozen=True)
class Region:
    """A square in pixels of the photo around (x, y), turned clockwise by angle (radians); may reach beyond it."""

    x: float
    y: float
    side: float
    angle: float

    def to_photo(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points of the square (N x 3, x and y 0-1, z in the same unit) in pixels of the photo, z in pixels too."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        centred = (points - np.array([0.5, 0.5, 0.0])) * self.side
        return np.stack(
            [
                self.x + cosine * centred[:, 0] - sine * centred[:, 1],
                self.y + sine * centred[:, 0] + cosine * centred[:, 1],
                centred[:, 2],
            ],
            axis=1,
        )

    def from_photo(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse of to_photo: points in pixels of the photo (N x 3) as parts of the square's side."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        right, down = points[:, 0] - self.x, points[:, 1] - self.y
        turned = np.stack([cosine * right + sine * down, cosine * down - sine * right, points[:, 2]], axis=1)
        return np.asarray(turned / self.side + np.array([0.5, 0.5, 0.0]), dtype=np.float64)

    def cut(self, photo: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """The square as an upright picture of size x size pixels; beyond the photo its edge is continued.

        Args:
            photo: H x W x 3, 0-255.
            size: side of the result in pixels.
        """
        height, width = photo.shape[:2]
        part = self.part(height, width, size)
        source = photo[part.top : part.bottom, part.left : part.right]
        if source.shape[:2] != (part.rows, part.columns):
            source = np.asarray(
                cv2.resize(source, (part.columns, part.rows), interpolation=cv2.INTER_AREA), dtype=np.uint8
            )
        warped = cv2.warpAffine(
            source,
            part.region.to_source(size),
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(warped, dtype=np.uint8)

    def part(self, height: int, width: int, size: int) -> "Part":
        """What is needed of a photo to cut the square out of it.

        Interpolation alone looks at four pixels only and would alias in a big photo, so the part is averaged down
        first, until one of its pixels is one of the result's.

        Args:
            height: of the photo in pixels.
            width: of the photo in pixels.
            size: side of the result in pixels.
        """
        factor = size / self.side
        reach = self.side / 2 * (abs(np.cos(self.angle)) + abs(np.sin(self.angle))) + 2 / min(factor, 1.0)
        left, right = (int(np.clip(edge, 0, width)) for edge in (self.x - reach, self.x + reach + 1))
        top, bottom = (int(np.clip(edge, 0, height)) for edge in (self.y - reach, self.y + reach + 1))
        if factor >= 1 or right - left < 1 or bottom - top < 1:
            return Part(0, 0, width, height, height, width, self)
        columns, rows = max(1, round((right - left) * factor)), max(1, round((bottom - top) * factor))
        across, down = columns / (right - left), rows / (bottom - top)
        moved = Region((self.x - left) * across, (self.y - top) * down, self.side * factor, self.angle)
        return Part(left, top, right, bottom, rows, columns, moved)

    def to_source(self, size: int) -> NDArray[np.float64]:
        """The matrix (2 x 3) from the result's pixel (u, v), whose centre is at (u + 0.5, v + 0.5), to the photo's."""
        scale, half = self.side / size, size / 2 - 0.5
        cosine, sine = scale * np.cos(self.angle), scale * np.sin(self.angle)
        return np.array(
            [
                [cosine, -sine, self.x - 0.5 - cosine * half + sine * half],
                [sine, cosine, self.y - 0.5 - sine * half - cosine * half],
            ]
        )


@dataclass(frozen=True)
class Part:
    """A rectangle of a photo, in whole pixels, to be averaged down to rows x columns; region is the square in that."""

    left: int
    top: int
    right: int
    bottom: int
    rows: int
    columns: int
    region: Region


def cut_on_host(photos: Sequence[NDArray[np.uint8]], regions: Sequence[Region], size: int) -> NDArray[np.float32]:
    """The regions as a batch: number of regions x size x size x 3, 0-1.

    Args:
        photos: for each region the photo it lies in, H x W x 3, 0-255; may repeat.
        regions: where to cut.
        size: side of the results in pixels.
    """
    cuts = np.stack([region.cut(photo, size) for photo, region in zip(photos, regions, strict=True)])
    return cuts.astype(np.float32) / np.float32(255)


def region_of_detection(detection: Detection) -> Region:
    """The square around a detected face, turned so that its eyes lie level, 1.5 times the box's longer side."""
    right_eye, left_eye = detection.keypoints[0], detection.keypoints[1]
    box = detection.box
    return Region(
        x=box.left + box.width / 2,
        y=box.top + box.height / 2,
        side=ENLARGE * max(box.width, box.height),
        angle=float(np.arctan2(left_eye[1] - right_eye[1], left_eye[0] - right_eye[0])),
    )


def region_of_points(points: NDArray[np.float64]) -> Region:
    """The square around a face whose mesh is known (468 x 3, pixels), by the same rule as for a detection."""
    right_eye, left_eye = points[RIGHT_EYE[0], :2], points[LEFT_EYE[0], :2]
    angle = float(np.arctan2(left_eye[1] - right_eye[1], left_eye[0] - right_eye[0]))
    cosine, sine = np.cos(angle), np.sin(angle)
    level = points[:, :2] @ np.array([[cosine, -sine], [sine, cosine]])
    lowest, highest = level.min(axis=0), level.max(axis=0)
    centre = np.array([[cosine, -sine], [sine, cosine]]) @ ((lowest + highest) / 2)
    return Region(float(centre[0]), float(centre[1]), ENLARGE * float((highest - lowest).max()), angle)
