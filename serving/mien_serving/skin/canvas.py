"""The face as the skin's measures see it: level, one scale in every photo, the lamp's colour taken out, skin alone.

Scale: the centres of the eyes are IOD pixels apart. Adults' pupils are 63.4 mm apart on average (Dodgson, "Variation
and extrema of human interpupillary distance", 2004), so lengths are given in millimetres of an average face. A person's
own scale differs by some 6 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_core.model.face import FaceReport
from mien_serving.face.colour import linear_of_srgb
from mien_serving.face.crop import CLIPPED
from mien_serving.face.region import Region
from mien_serving.face.topology import FACE_OVAL, LEFT_EYE, RIGHT_EYE
from mien_serving.skin.topology import HOLES, REGIONS, Outline, both

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]

EYE_DISTANCE_MM: Final = 63.4
IOD: Final = 128.0
PIXELS_PER_MM: Final = IOD / EYE_DISTANCE_MM
# The square's side in distances between the eyes; a face is about 2.3 wide and 2.9 high.
SIDE: Final = 3.1
SIZE: Final = round(SIDE * IOD)

# How far skin keeps from eyes, brows, lips and nostrils, whose own edges would look like lines and spots.
HOLE_MARGIN_MM: Final = 2.5
# How far it keeps from the outline of the face.
RIM_MM: Final = 4.0
_MARGIN_MM: Final = 10.0
_LEVELS: Final = np.arange(256, dtype=np.uint8)
# Below these (light relative to white) eight bits hold too few steps: for what is told by a pixel's luminance, and for
# the ratio of two channels, which a larger one would pull towards grey on dark skin.
DARK: Final = 0.002
_DARK_CHANNEL: Final = 0.0005


@dataclass(frozen=True)
class Frame:
    """Where the face lies in the photo: its points (468 x 3, pixels), a level square around it, and the scale."""

    points: NDArray[np.float64]
    square: Region
    eye_distance: float
    width: int
    height: int

    def relative(self, canvas_points: NDArray[np.float64], size: int) -> NDArray[np.float64]:
        """Points (N x 2) of a canvas of size pixels as parts (0-1) of the photo's width and height."""
        spatial = np.concatenate([canvas_points / size, np.zeros((len(canvas_points), 1))], axis=1)
        return np.asarray(self.square.to_photo(spatial)[:, :2] / (self.width, self.height), dtype=np.float64)


def frame_of(photo_shape: tuple[int, ...], report: FaceReport) -> Frame:
    """The frame of the face that a report describes, in a photo of that shape (height, width, ...)."""
    height, width = photo_shape[:2]
    points = np.array([(one.x, one.y, one.z) for one in report.face.landmarks]) * (width, height, width)
    right, left = (points[[eye[0], eye[8]]].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE))
    # In space, so that a head turned a little keeps its scale.
    distance = max(float(np.linalg.norm(left - right)), 1.0)
    flat = points[:, :2]
    angle = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    level = flat @ turn
    centre = turn @ ((level.min(axis=0) + level.max(axis=0)) / 2)
    square = Region(float(centre[0]), float(centre[1]), SIDE * distance, angle)
    return Frame(points, square, distance, width, height)


@dataclass(frozen=True)
class Canvas:
    """A face cut out at one scale.

    linear is SIZE x SIZE x 3, light relative to white (0-1) under a neutral lamp; raw is the same as sRGB bytes before
    that; points 468 x 2 in its pixels; inside is true where the photo has a pixel.
    """

    frame: Frame
    raw: Pixels
    linear: NDArray[np.float32]
    points: NDArray[np.float64]
    inside: Mask

    @cached_property
    def density(self) -> NDArray[np.float32]:
        """Optical density -ln(light) of the three channels, SIZE x SIZE x 3 (Beer and Lambert)."""
        return np.asarray(-np.log(self.linear + np.float32(_DARK_CHANNEL)), dtype=np.float32)

    @cached_property
    def luminance(self) -> Plane:
        """The natural logarithm of relative luminance, so that equal ratios of light are equal steps on every skin."""
        light = self.linear @ np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
        return np.asarray(np.log(light + np.float32(DARK)), dtype=np.float32)

    @cached_property
    def erythema(self) -> Plane:
        """Erythema index 100 log10(R / G): blood takes green and leaves red (Yamamoto et al. 2008)."""
        return np.asarray((self.density[..., 1] - self.density[..., 0]) * (100 / np.log(10)), dtype=np.float32)

    @cached_property
    def melanin(self) -> Plane:
        """Melanin index 100 log10(1 / R): of the skin's pigments only melanin takes red (Yamamoto et al. 2008)."""
        return np.asarray(self.density[..., 0] * (100 / np.log(10)), dtype=np.float32)

    @cached_property
    def labels(self) -> NDArray[np.int16]:
        """SIZE x SIZE: for each pixel of skin the number of its region in REGIONS, elsewhere -1."""
        labels = np.full((SIZE, SIZE), -1, dtype=np.int16)
        for number, outline in enumerate(REGIONS.values()):
            cv2.fillPoly(labels, [self.corners(outline)], number)
        labels[~self.skin] = -1
        return labels

    @cached_property
    def plan(self) -> Mask:
        """Where skin would be by the mesh alone: inside the face, away from its rim, eyes, brows, lips, nostrils."""
        face = np.zeros((SIZE, SIZE), dtype=np.uint8)
        cv2.fillPoly(face, [self.corners(FACE_OVAL)], 1)
        face &= self.inside.astype(np.uint8)
        holes = np.zeros((SIZE, SIZE), dtype=np.uint8)
        for outline in HOLES:
            cv2.fillPoly(holes, [self.corners(outline)], 1)
        # A border of zeros, so that the photo's own edge counts as a rim.
        away = cv2.distanceTransform(cv2.copyMakeBorder(face, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0), cv2.DIST_L2, 5)
        clear = cv2.distanceTransform(1 - holes, cv2.DIST_L2, 5)
        return np.asarray(
            (away[1:-1, 1:-1] > RIM_MM * PIXELS_PER_MM) & (clear > HOLE_MARGIN_MM * PIXELS_PER_MM), dtype=np.bool_
        )

    @cached_property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns that hold the plan and a centimetre around it: what lies outside needn't be looked at."""
        left, top, width, height = cv2.boundingRect(self.plan.astype(np.uint8))
        margin = round(_MARGIN_MM * PIXELS_PER_MM)
        rows = slice(max(0, top - margin), min(SIZE, top + max(height, 1) + margin))
        return rows, slice(max(0, left - margin), min(SIZE, left + max(width, 1) + margin))

    @cached_property
    def skin(self) -> Mask:
        """The plan without what doesn't look like the rest: hair, glasses, hands, hard shadows, burnt-out light."""
        return self.plan & skin_likeness(self)

    @cached_property
    def clipped(self) -> Mask:
        """Where a channel may have been cut off by the camera."""
        return np.asarray((self.raw >= CLIPPED).any(axis=2), dtype=np.bool_)

    def within(self, names: tuple[str, ...]) -> Mask:
        """The skin of these regions."""
        wanted = np.zeros(len(REGIONS) + 1, dtype=np.bool_)
        wanted[[list(REGIONS).index(name) for name in names]] = True
        return np.asarray(wanted[self.labels], dtype=np.bool_)

    @cached_property
    def visible(self) -> Mapping[str, float]:
        """For each region the part (0-1) of its plan that is skin."""
        drawn = np.full((SIZE, SIZE), -1, dtype=np.int16)
        for number, outline in enumerate(REGIONS.values()):
            cv2.fillPoly(drawn, [self.corners(outline)], number)
        # The plan reaches to the photo's edge only; what lies beyond must count as hidden.
        planned = np.bincount(drawn[(drawn >= 0) & (self.plan | ~self.inside)], minlength=len(REGIONS))
        seen = np.bincount(self.labels[self.labels >= 0], minlength=len(REGIONS))
        return {
            name: float(seen[number] / planned[number]) if planned[number] else 0.0
            for number, name in enumerate(REGIONS)
        }

    def corners(self, outline: Outline) -> NDArray[np.int32]:
        """An outline through the mesh in pixels of the canvas, as OpenCV draws it (N x 2)."""
        return np.round(self.points[list(outline)] - 0.5).astype(np.int32)


def canvas_of(photo: Pixels, frame: Frame, gains: NDArray[np.float64]) -> Canvas:
    """Cut the face out.

    Args:
        photo: H x W x 3, 0-255, sRGB.
        frame: where the face lies.
        gains: what each channel's light is multiplied by, see constancy.
    """
    raw = frame.square.cut(photo, SIZE)
    points = frame.square.from_photo(frame.points)[:, :2] * SIZE
    linear = (linear_of_srgb(_LEVELS)[:, None] * gains).astype(np.float32)[raw, (0, 1, 2)]
    return Canvas(frame, raw, linear, points, _inside(frame))


def _inside(frame: Frame) -> Mask:
    corners = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], dtype=np.float64)
    edge = np.array([(0, 0, 0), (frame.width, 0, 0), (frame.width, frame.height, 0), (0, frame.height, 0)])
    square = frame.square.to_photo(corners)[:, :2]
    if (square >= 0).all() and (square <= (frame.width, frame.height)).all():
        return np.ones((SIZE, SIZE), dtype=np.bool_)
    photo = frame.square.from_photo(edge.astype(np.float64))[:, :2] * SIZE
    inside = np.zeros((SIZE, SIZE), dtype=np.uint8)
    # In sixteenths of a pixel, whose centre is at a whole number.
    cv2.fillConvexPoly(inside, np.round((photo - 0.5) * 16).astype(np.int32), 1, shift=4)
    return np.asarray(inside > 0, dtype=np.bool_)


# Skin of one face under one lamp: how far the light (natural logarithm) and the erythema index of a broad patch may
# lie from the face's own. A stop is 0.69; a head of hair is further away, in light or in colour.
_LIGHT_BELOW: Final = 0.9
_LIGHT_ABOVE: Final = 0.9
_ERYTHEMA_RANGE: Final = 18.0
_PATCH_MM: Final = 3.0
_TIPS_MM: Final = 4.0
# Pixels: 9 mm.
_BLOT: Final = 19
# Their middle is what this face's skin is like: a flush or a shadow on some of them doesn't move it far.
_CORE: Final = (
    *both("cheek_upper", "cheek_middle", "forehead"),
    "nose_bridge",
    "forehead_centre",
    "glabella",
    "chin",
)


def skin_likeness(canvas: Canvas) -> Mask:
    """Where broad patches (3 mm, so that no spot or pimple matters) have the light and colour of this face's skin.

    Of red light, which a flush leaves as it is.
    """
    sigma = _PATCH_MM * PIXELS_PER_MM / 2
    light = np.asarray(cv2.GaussianBlur(-canvas.density[..., 0], (0, 0), sigma), dtype=np.float32)
    red = np.asarray(cv2.GaussianBlur(canvas.erythema, (0, 0), sigma), dtype=np.float32)
    core = np.full((SIZE, SIZE), -1, dtype=np.int16)
    for number, name in enumerate(_CORE):
        cv2.fillPoly(core, [canvas.corners(REGIONS[name])], number)
    core[~canvas.plan] = -1
    parts = [part for part in (core == number for number in range(len(_CORE))) if part.any()]
    if not parts:
        return np.zeros((SIZE, SIZE), dtype=np.bool_)
    light -= np.float32(np.median([np.median(light[part]) for part in parts]))
    red -= np.float32(np.median([np.median(red[part]) for part in parts]))
    # Red that is no broader than a large pimple is skin.
    blot = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_BLOT, _BLOT))
    redder = cv2.morphologyEx((red > _ERYTHEMA_RANGE).astype(np.uint8), cv2.MORPH_OPEN, blot) > 0
    like = (light > -_LIGHT_BELOW) & (light < _LIGHT_ABOVE) & (red > -_ERYTHEMA_RANGE) & ~redder
    # The tips of hair reach further than the patch that gave the hair away.
    reach = 2 * round(_TIPS_MM * PIXELS_PER_MM) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return np.asarray(cv2.erode(like.astype(np.uint8), kernel) > 0, dtype=np.bool_)
