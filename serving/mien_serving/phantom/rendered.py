"""A rendered patch of skin: a lit, curved surface of known albedo, with nobody's own spots and lines on it.

The surface carries no mesh of its own; it stands where a photographed face's skin was, so that measures find it, and
replaces all of that skin's colour, shading and detail.
"""

from typing import Final

import cv2
import numpy as np

from mien_serving.phantom.face_plan import FacePlan, Light, Picture
from mien_serving.phantom.light import to_light, to_photo
from mien_serving.phantom.painted import random_field
from mien_serving.phantom.tones import MONK

# Part of the lamp's light that comes from everywhere.
_AMBIENT: Final = 0.45
# Where the lamp is: right, up, towards the camera.
_LAMP: Final = np.array([-0.25, -0.45, 0.86]) / np.linalg.norm([-0.25, -0.45, 0.86])
# The head as an ellipsoid: half its width and height, and its depth, relative to the mesh's width.
_DEPTH: Final = 0.55
# The soft reflection of skin: share of the light, and how narrow (Blinn's exponent).
_SHEEN: Final = 0.18
_NARROW: Final = 7.0
# Deviation of the light of skin's fine relief.
_RELIEF: Final = 0.015
# The albedo of the lightest tone under this lamp stays below white.
_EXPOSURE: Final = 0.75


def rendered(photo: Picture, plan: FacePlan, tone: int, seed: int) -> Picture:
    """The face with its skin replaced by a rendered surface of a Monk tone (1-10); eyes, brows and lips stay.

    Lambert's law and a soft reflection (Blinn 1977) on an ellipsoid under one lamp and ambient light, with a relief of
    1.5 % that any skin has. seed: of that relief.
    """
    albedo = to_light(np.array([[list(bytes.fromhex(MONK[tone - 1]))]], dtype=np.uint8))[0, 0]
    shade, sheen = _shading(plan)
    relief = 1 + np.float32(_RELIEF) * random_field(plan, np.random.default_rng(seed), 0.3, 1.2)
    body = (shade * relief)[..., None] * albedo
    # The reflection has the lamp's colour; dark skin reflects no less of it, but relative to what a camera is exposed
    # for it is kept to the skin's own light, as the photographs of the other phantoms have it.
    light = np.float32(_EXPOSURE) * (body + sheen[..., None] * np.float32(albedo.mean()))
    cover = plan.skin[..., None]
    return to_photo(np.asarray(to_light(photo) * (1 - cover) + light * cover, dtype=np.float32))


def _shading(plan: FacePlan) -> tuple[Light, Light]:
    """Diffuse light (0-1) and soft reflection, each height x width."""
    low, high = plan.points.min(axis=0), plan.points.max(axis=0)
    middle, half = (low + high) / 2, (high - low) / 2 * 1.12
    down, across = np.mgrid[: plan.height, : plan.width].astype(np.float32)
    x, y = (across - middle[0]) / half[0], (down - middle[1]) / half[1]
    depth = np.sqrt(np.maximum(1 - x**2 - y**2, 0.02))
    normal = np.stack([x / half[0], y / half[1], depth / (2 * _DEPTH * half[0])], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    diffuse = _AMBIENT + (1 - _AMBIENT) * np.maximum(normal @ _LAMP, 0)
    halfway = _LAMP + np.array([0.0, 0.0, 1.0])
    glint = np.maximum(normal @ (halfway / np.linalg.norm(halfway)), 0) ** _NARROW
    blur = max(2.0 * plan.millimetre, 0.3)
    return (
        np.asarray(cv2.GaussianBlur(diffuse, (0, 0), blur), dtype=np.float32),
        np.asarray(_SHEEN * cv2.GaussianBlur(glint, (0, 0), blur), dtype=np.float32),
    )
