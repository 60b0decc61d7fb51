"""Bad input made from good photos by warping and drawing along the face's mesh.

Each warp takes a photo (H x W x 3, 0-255, sRGB) and its face's mesh (468 x 3 in pixels of the photo, as the engine
reports it), leaves both alone and returns a new photo of the same size. They draw what a gate is about, as it looks at
arm's length; none of them tells the gates anything but pixels.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_core.model.face import FaceReport
from mien_serving.face.topology import FACE_OVAL, LEFT_EYE, RIGHT_EYE
from tests.faces import Picture, relit

Points = NDArray[np.float64]
Plane = NDArray[np.floating]

# Fractions of a pixel for OpenCV's drawing: sixteenths.
_SHIFT: Final = 4
# Rows of the mesh from the lid's crease to its edge, and the lower lid's edge, each from the person's right to left.
_CREASES: Final = ((247, 30, 29, 27, 28, 56, 190), (414, 286, 258, 257, 259, 260, 467))
_UPPER: Final = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (362, 398, 384, 385, 386, 387, 388, 466, 263))
_LOWER: Final = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (362, 382, 381, 380, 374, 373, 390, 249, 263))
# Where a beard grows: from ear to ear below the cheekbones, round the chin.
_BEARD: Final = (
    132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 411, 425, 423, 326, 2, 97,
    203, 205, 187,
)  # fmt: skip
_MOUTH: Final = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_MASK: Final = (
    127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356,
    347, 348, 6, 119, 118,
)  # fmt: skip


def unit(points: Points) -> float:
    """The distance between the eyes in pixels, by which everything drawn is measured."""
    right, left = (points[[eye[0], eye[8]], :2].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE))
    return float(np.linalg.norm(left - right))


def points_of(photo: Picture, report: FaceReport) -> Points:
    """The mesh of a report (468 x 3) in pixels of its photo."""
    height, width = photo.shape[:2]
    return np.array([(one.x, one.y, one.z) for one in report.face.landmarks]) * (width, height, width)


def lids_closed(photo: Picture, points: Points) -> Picture:
    """Both eyes shut: the upper lid's skin is drawn down to the lower lid, with lashes along it."""
    across, down = np.meshgrid(np.arange(photo.shape[1], dtype=np.float32), np.arange(photo.shape[0], dtype=np.float32))
    source = down.copy()
    eye_distance = unit(points)
    for crease, upper, lower in zip(_CREASES, _UPPER, _LOWER, strict=True):
        columns = np.arange(
            round(points[[upper[0], lower[0]], 0].min()), round(points[[upper[-1], lower[-1]], 0].max()) + 1
        )
        top = _height_at(points, crease, columns) - 0.03 * eye_distance
        edge = np.minimum(_height_at(points, upper, columns) - 0.035 * eye_distance, top + 100)
        bottom = _height_at(points, lower, columns) + 0.02 * eye_distance
        for column, first, before, last in zip(columns, top, edge, bottom, strict=True):
            # The strip between crease and lash line is stretched over the eye.
            rows = np.arange(int(first), int(last) + 1)
            source[rows, column] = first + (rows - first) * (max(before - first, 1.0) / max(last - first, 1.0))
    closed = cv2.remap(photo, across, source, cv2.INTER_LINEAR)
    lashes = np.zeros(photo.shape[:2], dtype=np.float32)
    for lower in _LOWER:
        line = points[list(lower), :2] + (0, 0.015 * eye_distance)
        _line(lashes, line, max(1, round(0.025 * eye_distance)))
    return _mixed(np.asarray(closed, dtype=np.uint8), (40, 28, 24), _soft(lashes, 0.006 * eye_distance) * 0.85)


def glasses(
    photo: Picture,
    points: Points,
    *,
    colour: tuple[int, int, int] = (24, 22, 26),
    thickness: float = 0.07,
    tint: float = 0.0,
    reflection: float = 0.35,
) -> Picture:
    """Glasses on the nose: two round rims, a bridge, temples, and a window's reflection in each lens.

    Args:
        photo: the photo.
        points: its face.
        colour: the frame's, sRGB.
        thickness: the frame's, in distances between the eyes.
        tint: how much of the light the lenses take, 0-1; sunglasses take 0.9.
        reflection: how much of the reflection covers the lens, 0-1.
    """
    eye_distance = unit(points)
    below = np.array([0, 0.07 * eye_distance])
    centres = [points[[eye[0], eye[8]], :2].mean(axis=0) + below for eye in (RIGHT_EYE, LEFT_EYE)]
    across = (centres[1] - centres[0]) / np.linalg.norm(centres[1] - centres[0])
    degrees = float(np.degrees(np.arctan2(across[1], across[0])))
    radii = np.array([0.40, 0.31]) * eye_distance
    frame, lenses, shine = (np.zeros(photo.shape[:2], dtype=np.float32) for _ in range(3))
    width = max(1, round(thickness * eye_distance))
    for centre, side, ear in zip(centres, (-1, 1), (127, 356), strict=True):
        placed, axes = _fixed(centre), _fixed(radii)
        for canvas, stroke in ((lenses, cv2.FILLED), (frame, width)):
            cv2.ellipse(canvas, placed, axes, degrees, 0, 360, 1.0, stroke, cv2.LINE_AA, _SHIFT)
        start = centre + side * across * radii[0]
        _line(frame, np.stack([start, points[ear, :2] + (0, -0.02 * eye_distance)]), width)
        slant = np.array([[-0.22, -0.2], [-0.02, -0.24], [-0.14, 0.2], [-0.3, 0.12]]) * eye_distance
        cv2.fillPoly(shine, [np.round(centre + slant).astype(np.int32)], 1.0, cv2.LINE_AA)
    inner = [centre - side * across * radii[0] for centre, side in zip(centres, (-1, 1), strict=True)]
    lift = np.array([0, -0.08 * eye_distance])
    _line(frame, np.stack([inner[0] + lift / 2, (inner[0] + inner[1]) / 2 + lift, inner[1] + lift / 2]), width)
    # A frame throws a soft shadow below itself.
    shadow = np.roll(_soft(frame, 0.03 * eye_distance), round(0.05 * eye_distance), axis=0) * (1 - lenses * 0.5)
    shaded = relit(photo, 1 - 0.3 * np.clip(shadow, 0, 1)[..., None].astype(np.float64))
    tinted = relit(shaded, 1 - tint * lenses[..., None].astype(np.float64))
    reflecting = _mixed(tinted, (225, 235, 245), np.minimum(_soft(shine, 0.01 * eye_distance), lenses) * reflection)
    return _mixed(reflecting, colour, frame)


def bearded(photo: Picture, points: Points, seed: int = 5) -> Picture:
    """A full dark beard of short curved hairs, denser away from its edge; the lips stay free."""
    eye_distance = unit(points)
    area = _soft(_filled(photo, points, _BEARD), 0.06 * eye_distance)
    around = cv2.dilate(_filled(photo, points, _MOUTH), np.ones((5, 5), np.uint8)).astype(np.float32)
    lips = _soft(around, 0.015 * eye_distance)
    area = np.clip(area * 1.3 - 0.15, 0, 1) * (1 - np.clip(lips * 1.4, 0, 1))
    generator = np.random.default_rng(seed)
    down, across = np.nonzero(area > 0.05)
    hairs = np.zeros(photo.shape[:2], dtype=np.float32)
    middle = points[[152, 1], 0].mean()
    for index in generator.integers(
        0, len(down), round(3.2 * len(down) / (0.02 * eye_distance) / (0.1 * eye_distance))
    ):
        x, y = float(across[index]), float(down[index])
        if generator.random() > area[down[index], across[index]]:
            continue
        length = generator.uniform(0.06, 0.13) * eye_distance
        turn = np.radians(90 + 25 * (middle - x) / eye_distance) + generator.normal(0, 0.35)
        bend = generator.normal(0, 0.5)
        ends = np.array(
            [
                (x, y),
                (x + length / 2 * np.cos(turn), y + length / 2 * np.sin(turn)),
                (x + length * np.cos(turn + bend), y + length * np.sin(turn + bend)),
            ]
        )
        one = [np.round(ends * (1 << _SHIFT)).astype(np.int32)]
        cv2.polylines(hairs, one, False, float(generator.uniform(0.5, 1)), 1, cv2.LINE_AA, _SHIFT)
    covered = _mixed(photo, (46, 34, 28), _soft(area, 0.01 * eye_distance) * 0.72)
    return _mixed(covered, (20, 14, 12), np.clip(hairs, 0, 1) * np.clip(area * 1.5, 0, 1) * 0.85)


def hand(photo: Picture, points: Points) -> Picture:
    """Four fingers in the face's own colour across cheek and mouth, rounded by shading, with a shadow beside them."""
    eye_distance = unit(points)
    skin = np.median(photo[_filled(photo, points, (50, 101, 118, 117, 123, 147, 187, 205)) > 0], axis=0)
    start, end = points[361, :2] + np.array([0.55, 0.75]) * eye_distance, points[206, :2]
    way = (end - start) / np.linalg.norm(end - start)
    aside = np.array([-way[1], way[0]])
    radius = 0.145 * eye_distance
    result = photo
    for finger, reach in zip((1.5, 0.5, -0.5, -1.5), (0.78, 0.97, 1.0, 0.86), strict=True):
        line = np.stack([start, start + (end - start) * reach]) + aside * finger * radius * 1.9
        distance = _distance_to(photo, line)
        shadow = np.exp(-np.maximum(distance - radius, 0) / (0.06 * eye_distance)) * 0.55
        result = relit(result, 1 - shadow[..., None])
        # A cylinder lit from the front.
        round_off = np.sqrt(np.clip(1 - (distance / radius) ** 2, 0, 1)) ** 0.5
        body = np.clip((radius - distance) / 1.2 + 0.5, 0, 1)[..., None]
        shade = skin * (0.62 + 0.4 * round_off[..., None]) * (1 + 0.02 * np.sin(distance / radius * 9))[..., None]
        result = np.asarray(np.round(np.clip(result * (1 - body) + shade * body, 0, 255)), dtype=np.uint8)
    return result


def masked(photo: Picture, points: Points) -> Picture:
    """A surgeon's pale blue mask from nose to chin, with folds and its loops."""
    eye_distance = unit(points)
    corners = points[list(_MASK), :2].copy()
    cover = np.zeros(photo.shape[:2], dtype=np.float32)
    cv2.fillPoly(cover, [np.round(corners).astype(np.int32)], 1.0, cv2.LINE_AA)
    down = np.arange(photo.shape[0], dtype=np.float32)[:, None]
    top, bottom = points[6, 1], points[152, 1]
    folds = 0.93 + 0.07 * np.sign(np.sin((down - top) / (bottom - top) * 9 * np.pi))
    middle, half = points[4, 0], np.ptp(points[:, 0]) / 2
    side = 1 - 0.35 * np.clip(np.abs(np.arange(photo.shape[1]) - middle) / half, 0, 1)[None, :] ** 2
    shade = np.asarray(cv2.GaussianBlur((folds * side).astype(np.float32), (0, 0), 1.2))[..., None]
    cloth = np.array([150, 190, 214], dtype=np.float32) * shade
    cover = _soft(cover, 0.008 * eye_distance)[..., None]
    return np.asarray(np.round(photo * (1 - cover) + cloth * cover), dtype=np.uint8)


def fringe(photo: Picture, points: Points, seed: int = 3) -> Picture:
    """Dark strands of hair hanging from above the forehead over one eye and cheek."""
    eye_distance = unit(points)
    generator = np.random.default_rng(seed)
    strands = np.zeros(photo.shape[:2], dtype=np.float32)
    for _ in range(420):
        begin = points[10, :2] + (generator.uniform(-0.75, 0.75) * eye_distance, -0.75 * eye_distance)
        goal = points[280, :2] + (
            generator.normal(0.15, 0.3) * eye_distance,
            generator.uniform(-0.4, 0.5) * eye_distance,
        )
        over = (begin + goal) / 2 + (0.25 * eye_distance, -0.25 * eye_distance)
        steps = np.linspace(0, 1, 24)[:, None]
        line = (1 - steps) ** 2 * begin + 2 * steps * (1 - steps) * over + steps**2 * goal
        shade = float(generator.uniform(0.6, 1.0))
        width = max(1, round(0.022 * eye_distance))
        corners = [np.round(line * (1 << _SHIFT)).astype(np.int32)]
        cv2.polylines(strands, corners, False, shade, width, cv2.LINE_AA, _SHIFT)
    return _mixed(photo, (38, 26, 20), strands * 0.95)


def microphone(photo: Picture, points: Points) -> Picture:
    """A microphone's dark grille and handle before mouth and chin."""
    eye_distance = unit(points)
    centre = points[17, :2] + (0.1 * eye_distance, 0.12 * eye_distance)
    handle = _distance_to(photo, np.stack([centre, centre + np.array([0.6, 2.4]) * eye_distance]))
    result = _mixed(photo, (26, 26, 28), np.clip(0.2 * eye_distance - handle, 0, 1).astype(np.float32))
    ball = _distance_to(photo, np.stack([centre, centre + 0.01]))
    across, down = np.meshgrid(np.arange(photo.shape[1]), np.arange(photo.shape[0]))
    step = 0.045 * eye_distance
    grille = 46 + 34 * np.sign(np.sin(across / step * np.pi) * np.sin(down / step * np.pi))
    lit = grille * (1.25 - np.clip(ball / (0.42 * eye_distance), 0, 1))
    body = np.clip(0.42 * eye_distance - ball, 0, 1)[..., None]
    return np.asarray(np.round(result * (1 - body) + lit[..., None] * body), dtype=np.uint8)


def beautified(photo: Picture, points: Points) -> Picture:
    """A beauty filter: skin smoothed as an edge-keeping filter does it, eyes, brows and lips left sharp."""
    eye_distance = unit(points)
    reach = max(5, round(0.09 * eye_distance))
    smooth = photo
    for _ in range(3):
        smooth = np.asarray(cv2.bilateralFilter(smooth, reach, 28, 0.06 * eye_distance), dtype=np.uint8)
    skin = _filled(photo, points, FACE_OVAL)
    for part in (
        RIGHT_EYE,
        LEFT_EYE,
        _MOUTH,
        (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
        (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
    ):
        skin = np.minimum(skin, 1 - _filled(photo, points, part))
    cover = _soft(skin, 0.03 * eye_distance)[..., None]
    return np.asarray(np.round(photo * (1 - cover) + smooth * cover), dtype=np.uint8)


def _height_at(points: Points, row: Sequence[int], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    line = points[list(row), :2]
    order = np.argsort(line[:, 0])
    return np.asarray(np.interp(columns, line[order, 0], line[order, 1]), dtype=np.float64)


def _filled(photo: Picture, points: Points, outline: Sequence[int]) -> Plane:
    canvas = np.zeros(photo.shape[:2], dtype=np.float32)
    cv2.fillPoly(canvas, [np.round(points[list(outline), :2] - 0.5).astype(np.int32)], 1.0)
    return canvas


def _soft(plane: Plane, sigma: float) -> Plane:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), max(sigma, 0.3)), dtype=np.float32)


def _line(canvas: Plane, line: Points, width: int) -> None:
    corners = [np.round(line[:, :2] * (1 << _SHIFT)).astype(np.int32)]
    cv2.polylines(canvas, corners, False, 1.0, width, cv2.LINE_AA, _SHIFT)


def _fixed(pair: NDArray[np.float64]) -> tuple[int, int]:
    x, y = np.round(pair * (1 << _SHIFT)).astype(int)
    return int(x), int(y)


def _distance_to(photo: Picture, line: Points) -> NDArray[np.float64]:
    """Each pixel's distance to a segment (2 x 2, pixels)."""
    across, down = np.meshgrid(np.arange(photo.shape[1]), np.arange(photo.shape[0]))
    way = line[1] - line[0]
    along = ((across - line[0, 0]) * way[0] + (down - line[0, 1]) * way[1]) / (way @ way)
    along = np.clip(along, 0, 1)
    return np.asarray(np.hypot(across - line[0, 0] - along * way[0], down - line[0, 1] - along * way[1]))


def _mixed(photo: Picture, colour: tuple[int, int, int], cover: Plane) -> Picture:
    share = np.clip(cover, 0, 1)[..., None]
    return np.asarray(np.round(photo * (1 - share) + np.array(colour) * share), dtype=np.uint8)
