"""Pictures for a page: parts of the photo as JPEGs, and outlines to be drawn over them by the browser."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_core.model.skin import Polygon, SkinReport
from mien_serving.face.crop import crop_of
from mien_serving.face.tone import skin_pixels

Pixels = NDArray[np.uint8]

# Room around the face, relative to its size.
_ROOM: Final = 0.08
_QUALITY: Final = 88


@dataclass(frozen=True)
class Outline:
    """A polygon to be drawn over a picture, and what it is."""

    points: str
    title: str


@dataclass(frozen=True)
class Window:
    """A part of a photo: its left upper corner and its size, and the photo's size, all in pixels."""

    left: int
    top: int
    width: int
    height: int
    photo_width: int
    photo_height: int

    def corners(self, polygon: Polygon) -> str:
        """A polygon as SVG's attribute `points`, in pixels of this window."""
        placed = np.array(polygon) * (self.photo_width, self.photo_height) - (self.left, self.top)
        return " ".join(f"{x:g},{y:g}" for x, y in np.round(placed, 1).tolist())

    def cut(self, photo: Pixels) -> Pixels:
        """This part of a photo."""
        return photo[self.top : self.top + self.height, self.left : self.left + self.width]


def face_window(photo: Pixels, report: SkinReport) -> Window:
    """The part of a photo (H x W x 3) in which the skin's regions lie, with some room around."""
    height, width = photo.shape[:2]
    corners = np.concatenate([np.array(one.polygon) for one in report.regions]) * (width, height)
    low, high = corners.min(axis=0), corners.max(axis=0)
    room = _ROOM * (high - low)
    # At least a pixel stays, also of a face of which the photo shows nothing but the mesh's guess.
    left, top = np.clip(low - room, 0, (width - 1, height - 1)).astype(int).tolist()
    right, bottom = np.clip(high + room, (left + 1, top + 1), (width, height)).astype(int).tolist()
    return Window(left, top, right - left, bottom - top, width, height)


def jpeg(picture: Pixels, longest: int) -> bytes:
    """A picture (H x W x 3, 0-255, sRGB) as a JPEG without metadata whose longer side has at most so many pixels."""
    height, width = picture.shape[:2]
    scale = min(1.0, longest / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    colours = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", colours, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


def skin_colour(photo: Pixels, landmarks: Sequence[tuple[float, float, float]]) -> str | None:
    """The measured skin's median colour as `#rrggbb`, None where too little of it is seen.

    Args:
        photo: H x W x 3, 0-255, sRGB.
        landmarks: the face's mesh, relative to the photo.
    """
    height, width = photo.shape[:2]
    pixels = skin_pixels(crop_of(photo, np.array(landmarks) * (width, height, width)))
    if pixels is None:
        return None
    return "#" + bytes(np.median(pixels, axis=0).round().astype(np.uint8)).hex()
