"""Faces in the ten tones of the Monk Skin Tone scale (Monk 2019)."""

from typing import Final

import numpy as np

from mien_serving.phantom.face_plan import FacePlan, Picture
from mien_serving.phantom.light import to_light, to_photo

MONK: Final = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420")
# A photographer exposes for the highlights: the brightest part of the face reaches this light, no more.
_BRIGHTEST: Final = 0.8
_BRIGHTEST_PERCENTILE: Final = 99.5


def in_tone(photo: Picture, plan: FacePlan, tone: int) -> Picture:
    """The face with skin of a Monk tone (1-10) under the same light.

    Each channel of the face's skin is multiplied so that its median becomes the tone. Where that would burn out the
    highlights of a light tone, the face gets less light, as a photographer would see to.
    """
    light = to_light(photo)
    target = to_light(np.array([[list(bytes.fromhex(MONK[tone - 1]))]], dtype=np.uint8))[0, 0]
    sample = light[np.maximum(plan.polygon(plan.open_skin[0]), plan.polygon(plan.open_skin[1])) > 0]
    factor = target / np.median(sample, axis=0)
    highlights = np.percentile(light[plan.skin > 0.5] * factor, _BRIGHTEST_PERCENTILE, axis=0).max()  # noqa: PLR2004 - half in
    factor = factor * min(1.0, _BRIGHTEST / float(highlights))
    return to_photo(light * (1 + plan.tinted[..., None] * (factor - 1)).astype(np.float32))
