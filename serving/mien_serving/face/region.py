"""The rotated square that a face model looks at, and how it is cut out of a photo."""

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
        source, region = self._reduced(photo, size)
        scale = region.side / size
        cosine, sine = scale * np.cos(region.angle), scale * np.sin(region.angle)
        # From the result's pixel (u, v), whose centre is at (u + 0.5, v + 0.5), to the source's pixel.
        half = size / 2 - 0.5
        to_source = np.array(
            [
                [cosine, -sine, region.x - 0.5 - cosine * half + sine * half],
                [sine, cosine, region.y - 0.5 - sine * half - cosine * half],
            ]
        )
        warped = cv2.warpAffine(
            source,
            to_source,
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(warped, dtype=np.uint8)

    def _reduced(self, photo: NDArray[np.uint8], size: int) -> tuple[NDArray[np.uint8], "Region"]:
        """The part of the photo around the square, averaged down so that one of its pixels is one of the result's.

        Interpolation alone looks at four pixels only and would alias in a big photo.
        """
        factor = size / self.side
        reach = self.side / 2 * (abs(np.cos(self.angle)) + abs(np.sin(self.angle))) + 2 / min(factor, 1.0)
        height, width = photo.shape[:2]
        left, right = (int(np.clip(edge, 0, width)) for edge in (self.x - reach, self.x + reach + 1))
        top, bottom = (int(np.clip(edge, 0, height)) for edge in (self.y - reach, self.y + reach + 1))
        if factor >= 1 or right - left < 1 or bottom - top < 1:
            return photo, self
        part = photo[top:bottom, left:right]
        target = (max(1, round((right - left) * factor)), max(1, round((bottom - top) * factor)))
        reduced = cv2.resize(part, target, interpolation=cv2.INTER_AREA)
        across, down = target[0] / (right - left), target[1] / (bottom - top)
        moved = Region((self.x - left) * across, (self.y - top) * down, self.side * factor, self.angle)
        return np.asarray(reduced, dtype=np.uint8), moved


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
