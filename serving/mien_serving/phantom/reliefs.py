"""Painted relief and light: wrinkles, pores, uneven texture, flakes, shine, dullness."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.phantom.face_plan import FacePlan, Light, Picture
from mien_serving.phantom.light import to_light, to_photo
from mien_serving.phantom.painted import Painted, PaintedMark, lit, random_field
from mien_serving.phantom.pigments import greyed

# Crow's feet: (start at the corner of the eye, end) as pairs of the mesh's points.
_FANS: Final = (((226, 143), (226, 156), (31, 116), (31, 111)), ((446, 372), (446, 383), (261, 345), (261, 340)))
# Lines across the forehead: from, over, to.
_FOREHEAD: Final = ((66, 9, 296), (107, 151, 336), (105, 151, 334))
_BELOW_EYES: Final = ((111, 119, 121), (340, 348, 350), (117, 101, 142), (346, 330, 371))
_CHEEKS: Final = ((50, 205, 207), (280, 425, 427))
_NOSE: Final = (193, 417, 437, 420, 360, 4, 131, 198, 217)
_RIGHT_INNER: Final = (119, 120, 142, 36, 101)
_LEFT_INNER: Final = (348, 349, 371, 266, 330)
# Part of a pixel that is skin from which all of it counts as skin.
_WHOLLY: Final = 0.95


def wrinkles(photo: Picture, plan: FacePlan, strength: float, seed: int) -> Painted:
    """Folds at the eyes, below them, on forehead and cheeks: a dark valley beside a lit ridge. Truth: millimetres.

    strength (0-1) is how many, how long and how deep (a quarter of the light at most).
    """
    generator = np.random.default_rng(seed)
    points = plan.points
    curves = [(points[a], (points[a] + points[b]) / 2, points[b]) for fan in _FANS for a, b in fan]
    curves += [(points[a], points[over], points[b]) for a, over, b in (*_BELOW_EYES, *_CHEEKS, *_FOREHEAD[:1])]
    count = max(1, round(len(curves) * (0.15 + 0.85 * strength)))
    factor = np.ones((plan.height, plan.width), dtype=np.float32)
    truth = 0.0
    for index in generator.permutation(len(curves))[:count]:
        start, over, end = curves[index]
        steps = np.linspace(0.1, 0.9, 40)[:, None]
        line = (1 - steps) ** 2 * start + 2 * steps * (1 - steps) * over + steps**2 * end
        line = line + np.cumsum(generator.normal(0, 0.05 * plan.millimetre, line.shape), axis=0)
        truth += float(np.hypot(*np.diff(line, axis=0).T).sum()) / plan.millimetre
        width = generator.uniform(0.4, 0.7) * (0.8 + 0.6 * strength)
        depth = (0.08 + 0.22 * strength) * generator.uniform(0.85, 1.15)
        valley = _stroke(plan, line, width)
        ridge = _stroke(plan, line + np.array([0, 2.2 * width * plan.millimetre]), width)
        factor *= (1 - depth * valley) * (1 + 0.3 * depth * ridge)
    return Painted(lit(photo, 1 + (factor - 1) * plan.skin), (), truth)


def pores(photo: Picture, plan: FacePlan, strength: float, seed: int) -> Painted:
    """Dark pores of 0.3 to 0.6 mm on nose and inner cheeks; strength (0-1) is how many and how dark. Truth: number."""
    generator = np.random.default_rng(seed)
    factor = np.ones((plan.height, plan.width), dtype=np.float32)
    marks = []
    for part in (_NOSE, _RIGHT_INNER, _LEFT_INNER):
        mask = plan.filled(part)
        down, across = np.nonzero(mask)
        area_cm2 = len(down) / plan.millimetre**2 / 100
        for index in generator.choice(len(down), round(60 * strength * area_cm2), replace=False):
            radius = generator.uniform(0.15, 0.3) * plan.millimetre
            marks.append(PaintedMark(float(across[index]), float(down[index]), float(radius)))
    for mark in marks:
        reach = int(4 * mark.radius) + 2
        rows = np.arange(max(0, int(mark.y) - reach), min(plan.height, int(mark.y) + reach))
        columns = np.arange(max(0, int(mark.x) - reach), min(plan.width, int(mark.x) + reach))
        squared = (columns[None, :] - mark.x) ** 2 + ((rows[:, None] - mark.y) * generator.uniform(0.8, 1.2)) ** 2
        dot = np.exp(-((squared / mark.radius**2) ** 1.5))
        factor[np.ix_(rows, columns)] *= (1 - generator.uniform(0.25, 0.5) * dot).astype(np.float32)
    return Painted(lit(photo, factor), tuple(marks), float(len(marks)))


def texture(photo: Picture, plan: FacePlan, strength: float, seed: int) -> Painted:
    """A rolling surface of 3 to 7 mm lit from above; truth: the deviation of its light (0-1)."""
    field = random_field(plan, np.random.default_rng(seed), 1.2, 2.6)
    slope = cv2.Sobel(field, cv2.CV_32F, 0, 1, ksize=3) + 0.5 * cv2.Sobel(field, cv2.CV_32F, 1, 0, ksize=3)
    slope = np.clip(slope / slope.std(), -2.5, 2.5)
    deviation = 0.09 * strength
    return Painted(lit(photo, 1 + np.float32(deviation) * slope * plan.skin), (), deviation)


def flakes(photo: Picture, plan: FacePlan, strength: float, seed: int) -> Painted:
    """Pale scales of about 1 mm with sharp edges in patches; truth: the part (0-1) of the skin they cover."""
    generator = np.random.default_rng(seed)
    field = random_field(plan, generator, 0.35, 0.9)
    crowd = random_field(plan, generator, 5.0, 12.0)
    cover = 0.12 * strength
    scales = (field + 0.4 * crowd > np.quantile(field + 0.4 * crowd, 1 - cover)).astype(np.float32)
    contrast = 0.08 + 0.1 * strength
    painted = plan.soft(scales, 0.12) * np.float32(contrast) * plan.skin
    return Painted(lit(photo, 1 + painted), (), cover)


def shine(photo: Picture, plan: FacePlan, strength: float, seed: int) -> Painted:
    """The lamp's white on forehead, nose and cheeks; truth: light added in the middle, relative to the skin's."""
    generator = np.random.default_rng(seed)
    light = to_light(photo)
    level = float(np.median(light[plan.skin > 0.5].mean(axis=1)))  # noqa: PLR2004 - half in
    down, across = np.mgrid[: plan.height, : plan.width].astype(np.float32)
    added = np.zeros((plan.height, plan.width), dtype=np.float32)
    for point, size_mm in ((9, 10.0), (5, 6.0), (4, 4.0), (50, 9.0), (280, 9.0), (199, 6.0)):
        x, y = plan.points[point] + generator.normal(0, plan.millimetre, 2)
        size = size_mm * plan.millimetre
        added += np.exp(-(((across - x) ** 2 + (down - y) ** 2) / size**2)).astype(np.float32)
    grain = 1 + 0.15 * random_field(plan, generator, 0.4, 1.5)
    amount = 0.6 * strength
    painted = np.clip(added, 0, 1) * grain * plan.skin * np.float32(amount * level)
    return Painted(to_photo(light + painted[..., None]), (), amount)


def dullness(photo: Picture, plan: FacePlan, strength: float, seed: int) -> Painted:
    """The soft highlights levelled, and a little colour lost; truth: the part (0-1) of the highlights that is gone."""
    del seed  # nothing is left to chance
    light = to_light(photo)
    mean = light.mean(axis=2)
    # beside dark skin even a tenth of a brow's or an eye's light would be its brightest highlight
    wholly = (plan.skin > _WHOLLY).astype(np.float32)
    broad = plan.soft(mean * wholly, 4.0) / np.maximum(plan.soft(wholly, 4.0), 1e-3)
    level = float(np.median(broad[wholly > 0]))
    above = np.maximum(np.log(np.maximum(broad, 1e-4) / level), 0)
    factor = np.exp(-strength * above * plan.skin)
    return Painted(to_photo(greyed(light * factor[..., None], 0.15 * strength * plan.skin)), (), strength)


def _stroke(plan: FacePlan, line: NDArray[np.float64], width_mm: float) -> Light:
    """Height x width, 0-1: a line of that width that fades towards its ends."""
    canvas = np.zeros((plan.height, plan.width), dtype=np.float32)
    steps = len(line) - 1
    for index in range(steps):
        fade = min(1.0, 4 * (index + 1) / steps, 4 * (steps - index) / steps)
        ends = [(round(x * 16), round(y * 16)) for x, y in line[index : index + 2]]
        cv2.line(canvas, ends[0], ends[1], fade, max(1, round(width_mm * plan.millimetre)), cv2.LINE_AA, 4)
    return plan.soft(canvas, 0.35 * width_mm)
