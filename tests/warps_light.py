"""Bad light made from good photos: cast shadows, lamps, night, noise. Called as those of warps.py are."""

import numpy as np
from numpy.typing import NDArray

from tests.faces import Picture, relit
from tests.warps import Points, unit


def half_shadow(photo: Picture, points: Points, *, stops: float = 1.6, softness: float = 0.012) -> Picture:
    """A wall's shadow whose edge runs aslant over forehead, nose and cheek; softness in distances between the eyes."""
    eye_distance = unit(points)
    centre = points[5, :2]
    across, down = np.meshgrid(np.arange(photo.shape[1]), np.arange(photo.shape[0]))
    beyond = (across - centre[0] + 0.5 * (down - centre[1]) - 0.35 * eye_distance).astype(np.float32)
    return relit(photo, 2.0 ** (-stops * _step(beyond, softness * eye_distance)[..., None]))


def blinds(photo: Picture, points: Points, *, stops: float = 1.3) -> Picture:
    """The shadow of a blind: bars across the whole face, with edges as soft as the sun makes them."""
    eye_distance = unit(points)
    across, down = np.meshgrid(np.arange(photo.shape[1]), np.arange(photo.shape[0]))
    wave = np.sin((down + 0.35 * across) / (0.62 * eye_distance) * 2 * np.pi).astype(np.float32)
    return relit(photo, 2.0 ** (-stops * _step(wave, 0.12)[..., None]))


def cap_shadow(photo: Picture, points: Points, *, stops: float = 1.5) -> Picture:
    """The shadow of a cap's peak over forehead and eyes, with a curved edge below the eyes."""
    eye_distance = unit(points)
    across, down = np.meshgrid(np.arange(photo.shape[1]), np.arange(photo.shape[0]))
    edge = points[5, 1] - 0.05 * eye_distance - 0.12 * ((across - points[5, 0]) ** 2) / eye_distance
    return relit(photo, 2.0 ** (-stops * _step((edge - down).astype(np.float32), 0.02 * eye_distance)[..., None]))


def noisy(photo: Picture, strength: float = 0.12, seed: int = 1) -> Picture:
    """A sensor's grain: variance = strength^2 (light + 0.01), light 0-1, in each channel."""
    encoded = photo / 255
    light = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    grains = np.random.default_rng(seed).standard_normal(photo.shape)
    return _encoded(light + strength * np.sqrt(light + 0.01) * grains)


def night(photo: Picture) -> Picture:
    """Taken at night by what light there is: a sixtieth of it, and the grain that comes with that."""
    return noisy(relit(photo, 1 / 60), 0.03)


def lit_by(photo: Picture, gains: tuple[float, float, float]) -> Picture:
    """Under a coloured lamp: light times a gain in each channel."""
    return relit(photo, np.array(gains, dtype=np.float64))


def _step(plane: NDArray[np.float32], softness: float) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(plane / max(softness, 1e-3), -30, 30))), dtype=np.float64)


def _encoded(light: NDArray[np.float64]) -> Picture:
    clipped = np.clip(light, 0, 1)
    again = np.where(clipped <= 0.0031308, clipped * 12.92, 1.055 * np.maximum(clipped, 1e-9) ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(again * 255), dtype=np.uint8)
