"""Photos as light and back (IEC 61966-2-1), and what changes a whole photo: lamp, exposure, focus, noise."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.phantom.face_plan import Light, Picture


def to_light(photo: Picture) -> Light:
    """Light 0-1 of sRGB values 0-255."""
    encoded = np.arange(256) / 255
    table = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 - the standard's
    return np.asarray(table.astype(np.float32)[photo], dtype=np.float32)


def to_photo(light: NDArray[np.float32]) -> Picture:
    """Give the sRGB values 0-255 of light, clipped to 0-1."""
    clipped = np.clip(light, 0, 1)
    encoded = np.where(clipped <= 0.0031308, clipped * 12.92, 1.055 * np.maximum(clipped, 1e-9) ** (1 / 2.4) - 0.055)  # noqa: PLR2004 - the standard's
    return np.asarray(np.round(encoded * 255), dtype=np.uint8)


def cast(photo: Picture, gains: tuple[float, float, float]) -> Picture:
    """The photo under a coloured lamp: each channel's light times its gain."""
    return to_photo(to_light(photo) * np.array(gains, dtype=np.float32))


def exposed(photo: Picture, stops: float) -> Picture:
    """The photo under 2 to the power of stops times the light."""
    return to_photo(to_light(photo) * np.float32(2**stops))


def blurred(photo: Picture, sigma: float) -> Picture:
    """The photo out of focus; sigma in pixels."""
    return np.asarray(cv2.GaussianBlur(photo, (0, 0), sigma), dtype=np.uint8)


def noisy(photo: Picture, strength: float, seed: int) -> Picture:
    """The photo with a sensor's noise: variance = strength^2 (light + 0.01), light 0-1."""
    light = to_light(photo)
    spread = np.float32(strength) * np.sqrt(light + np.float32(0.01))
    grains = np.random.default_rng(seed).standard_normal(light.shape, dtype=np.float32)
    return to_photo(light + spread * grains)
