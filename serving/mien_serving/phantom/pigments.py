"""Painted pigment: brown spots, pimples, flushed cheeks, circles under the eyes.

Absorption by band of a camera (610, 545, 460 nm): melanin falls with the wavelength to the power of 3.33 (Jacques,
"Optical properties of biological tissues", 2013); blood, two thirds oxygenated, after Prahl's tabulated extinction
of haemoglobin, relative to green.
"""

from typing import Final

import cv2
import numpy as np

from mien_serving.phantom.face_plan import FacePlan, Light, Picture
from mien_serving.phantom.light import to_light, to_photo
from mien_serving.phantom.painted import Painted, PaintedMark, absorbed, random_field

_BANDS_NM: Final = np.array([610.0, 545.0, 460.0])
MELANIN: Final = ((_BANDS_NM / _BANDS_NM[2]) ** -3.33).astype(np.float32)
BLOOD: Final = np.array([0.08, 1.0, 0.6], dtype=np.float32)

# Where circles lie from the skin around them in CIELAB, as a direction: darker, a little redder, bluer.
CIRCLES: Final = np.array([-0.9, 0.25, -0.36]) / np.linalg.norm([-0.9, 0.25, -0.36])

_RIGHT_FLUSH: Final = (111, 119, 120, 142, 203, 207, 187, 123)
_LEFT_FLUSH: Final = (340, 348, 349, 371, 423, 427, 411, 352)
_NOSE: Final = (193, 417, 437, 420, 360, 4, 131, 198, 217)
_RIGHT_BELOW: Final = (117, 118, 119, 100, 101, 50)
_LEFT_BELOW: Final = (346, 347, 348, 329, 330, 280)
_RIGHT_CRESCENT: Final = (226, 25, 110, 24, 23, 22, 26, 112, 245, 128, 121, 120, 119, 118, 117, 111, 35)
_LEFT_CRESCENT: Final = (446, 255, 339, 254, 253, 252, 256, 341, 465, 357, 350, 349, 348, 347, 346, 340, 265)


def spots(photo: Picture, plan: FacePlan, strength: float, seed: int) -> Painted:
    """Brown spots of 2.5 to 5.5 mm with ragged edges; strength (0-1) is how many and how dark. Truth: their number."""
    generator = np.random.default_rng(seed)
    places = plan.scatter(generator, round(20 * strength), apart_mm=8.0, margin_mm=3.0)
    density = np.zeros((plan.height, plan.width), dtype=np.float32)
    marks = []
    for x, y in places:
        radius = generator.uniform(1.25, 2.75) * plan.millimetre
        corners = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        ragged = radius * generator.uniform(0.8, 1.2, len(corners))
        outline = np.stack([x + ragged * np.cos(corners), y + ragged * np.sin(corners)], axis=1)
        density += plan.polygon(outline) * np.float32(generator.uniform(0.5, 0.8) * (0.6 + 0.4 * strength))
        marks.append(PaintedMark(float(x), float(y), float(radius)))
    soft = plan.soft(density, 0.3)
    return Painted(absorbed(photo, soft[..., None] * MELANIN), tuple(marks), float(len(marks)))


def acne(photo: Picture, plan: FacePlan, strength: float, seed: int) -> Painted:
    """Pimples of 3 to 6 mm: a red halo, a raised middle that catches light, strength (0-1).

    Truth: their number.
    """
    generator = np.random.default_rng(seed)
    places = plan.scatter(generator, round(14 * strength), apart_mm=10.0, margin_mm=3.5)
    blood = np.zeros((plan.height, plan.width), dtype=np.float32)
    relief = np.ones((plan.height, plan.width), dtype=np.float32)
    down, across = np.mgrid[: plan.height, : plan.width].astype(np.float32)
    marks = []
    for x, y in places:
        radius = generator.uniform(1.5, 3.0) * plan.millimetre
        reach = int(3 * radius) + 2
        rows = slice(max(0, int(y) - reach), int(y) + reach)
        columns = slice(max(0, int(x) - reach), int(x) + reach)
        distance = np.hypot(across[rows, columns] - x, down[rows, columns] - y) / radius
        blood[rows, columns] += generator.uniform(0.35, 0.6) * (0.6 + 0.4 * strength) / (1 + distance**4)
        lift = ((x - across[rows, columns]) + (y - down[rows, columns])) / radius * np.exp(-((1.6 * distance) ** 2))
        relief[rows, columns] *= 1 + 0.05 * lift
        marks.append(PaintedMark(float(x), float(y), float(radius)))
    light = to_light(absorbed(photo, blood[..., None] * BLOOD)) * relief[..., None]
    return Painted(to_photo(light), tuple(marks), float(len(marks)))


def redness(photo: Picture, plan: FacePlan, strength: float, seed: int) -> Painted:
    """Mottled blood in cheeks and nose; strength (0-1). Truth: the mean density of green light added in the middle."""
    generator = np.random.default_rng(seed)
    area = np.maximum.reduce([plan.filled(part) for part in (_RIGHT_FLUSH, _LEFT_FLUSH, _NOSE)])
    mottled = 1 + 0.12 * random_field(plan, generator, 2.0, 8.0)
    density = plan.soft(area, 4.0) * np.clip(mottled, 0, None) * np.float32(0.3 * strength)
    return Painted(absorbed(photo, (density * plan.skin)[..., None] * BLOOD), (), 0.3 * strength)


def dark_circles(photo: Picture, plan: FacePlan, strength: float, seed: int) -> Painted:
    """Bluish brown crescents under both eyes, in CIELAB up to 15 away from the cheek below; truth: that distance.

    What difference the face has of its own is taken out first, so that all of it is painted. On dark skin the distance
    ends where the crescent would be black.
    """
    del seed  # nothing about a crescent is left to chance
    lab = cv2.cvtColor(to_light(photo), cv2.COLOR_LRGB2LAB)
    below = [np.median(lab[plan.filled(part) > 0], axis=0) for part in (_RIGHT_BELOW, _LEFT_BELOW)]
    distance = strength * min(15.0, 0.6 * float(min(one[0] for one in below)))
    for crescent, cheek in zip((_RIGHT_CRESCENT, _LEFT_CRESCENT), below, strict=True):
        area = plan.filled(crescent)
        cover = np.clip(plan.soft(area, 1.5) * 1.6, 0, 1) * plan.skin
        # Its own broad shades go, its fine ones stay.
        broad = np.stack([plan.soft(np.ascontiguousarray(lab[..., part]), 3.0) for part in range(3)], axis=-1)
        lab = lab + cover[..., None] * (cheek + CIRCLES * distance - broad).astype(np.float32)
    return Painted(to_photo(np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2LRGB), dtype=np.float32)), (), distance)


def greyed(light: Light, share: Light) -> Light:
    """Light with a share (height x width, 0-1) of its colour taken away at the same mean."""
    grey = light.mean(axis=2, keepdims=True)
    return np.asarray(light + (grey - light) * share[..., None], dtype=np.float32)
