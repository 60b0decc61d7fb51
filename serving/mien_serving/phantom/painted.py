"""What a phantom hands over: the picture and the truth about it."""

from dataclasses import dataclass

import numpy as np

from mien_serving.phantom.face_plan import FacePlan, Light, Picture
from mien_serving.phantom.light import to_light, to_photo


@dataclass(frozen=True)
class PaintedMark:
    """One painted thing: its middle and radius in pixels of the photo."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Painted:
    """A picture and what was painted into it; truth is the painted amount in the unit that its painter names."""

    picture: Picture
    marks: tuple[PaintedMark, ...]
    truth: float


def absorbed(photo: Picture, density: Light) -> Picture:
    """The photo with so much optical density (height x width x 3, natural) added: light times exp(-density)."""
    return to_photo(to_light(photo) * np.exp(-density))


def lit(photo: Picture, factor: Light) -> Picture:
    """The photo with its light multiplied by a factor (height x width)."""
    return to_photo(to_light(photo) * factor[..., None])


def random_field(plan: FacePlan, generator: np.random.Generator, fine_mm: float, coarse_mm: float) -> Light:
    """Gaussian noise between two sizes, height x width, deviation 1."""
    noise = generator.standard_normal((plan.height, plan.width), dtype=np.float32)
    field = plan.soft(noise, fine_mm) - plan.soft(noise, coarse_mm)
    return np.asarray(field / field.std(), dtype=np.float32)
