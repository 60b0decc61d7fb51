"""Colour as the eye sees it: CIELAB under D65 from sRGB and back, and the difference of two colours by CIEDE2000."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

# IEC 61966-2-1: linear sRGB to CIE XYZ, and the white of D65 (2 degree observer), which is the matrix times (1, 1, 1).
_TO_XYZ: Final = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE: Final = _TO_XYZ.sum(axis=1)
_TURN: Final = 360
_HALF_TURN: Final = 180
_ENCODED: Final = np.arange(256) / 255
_LINEAR_UP_TO: Final = 0.04045
_LINEAR: Final = np.where(_ENCODED <= _LINEAR_UP_TO, _ENCODED / 12.92, ((_ENCODED + 0.055) / 1.055) ** 2.4)
_FROM_XYZ: Final = np.linalg.inv(_TO_XYZ)
# Light that one step of eight bits can't show is within the gamut.
_ROUNDING: Final = 1e-4
_HALVINGS: Final = 12


def linear_of_srgb(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Light, 0-1, of sRGB values 0-255 of any shape (IEC 61966-2-1)."""
    return np.asarray(_LINEAR[pixels], dtype=np.float64)


def luminance_of_srgb(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Relative luminance Y, 0-1, of sRGB colours (... x 3, 0-255)."""
    return np.asarray(linear_of_srgb(pixels) @ _TO_XYZ[1], dtype=np.float64)


def lightness_of_luminance(luminance: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """L*, 0-100, of relative luminance 0-1 (CIE 15)."""
    return np.asarray(116 * _compressed(np.asarray(luminance)) - 16, dtype=np.float64)


def lab_of_srgb(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """L*, a*, b* (... x 3) under D65 of sRGB colours (... x 3, 0-255) (CIE 15)."""
    x, y, z = np.moveaxis(_compressed(linear_of_srgb(pixels) @ _TO_XYZ.T / _WHITE), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_of_hex(codes: Sequence[str]) -> NDArray[np.float64]:
    """L*, a*, b* (N x 3) of colours written as #RRGGBB."""
    return lab_of_srgb(np.array([list(bytes.fromhex(code.removeprefix("#"))) for code in codes], dtype=np.uint8))


def hex_of_lab(lab: NDArray[np.float64]) -> str:
    """The colour L*, a*, b* as #RRGGBB; where sRGB doesn't have it, the one of its lightness and hue with less chroma.

    Args:
        lab: one colour with a lightness of 0-100.
    """
    light = _light_of_lab(lab)
    if not _shown(light):
        # bisection: the greys of all lightnesses are in the gamut, so some chroma always is
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if _shown(_light_of_lab(lab * (1, middle, middle))) else (low, middle)
        light = _light_of_lab(lab * (1, low, low))
    light = np.clip(light, 0, 1)
    encoded = np.where(light <= _LINEAR_UP_TO / 12.92, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(float(value) * 255):02X}" for value in encoded)


def _light_of_lab(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear sRGB, outside of 0-1 where sRGB doesn't have the colour (CIE 15, the other way round)."""
    y = (lab[0] + 16) / 116
    ratio = np.array([y + lab[1] / 500, y, y - lab[2] / 200])
    delta = 6 / 29
    xyz = np.where(ratio > delta, ratio**3, 3 * delta**2 * (ratio - 4 / 29)) * _WHITE
    return np.asarray(_FROM_XYZ @ xyz, dtype=np.float64)


def _shown(light: NDArray[np.float64]) -> bool:
    return bool(((light >= -_ROUNDING) & (light <= 1 + _ROUNDING)).all())


def _compressed(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    delta = 6 / 29
    return np.asarray(np.where(ratio > delta**3, np.cbrt(ratio), ratio / (3 * delta**2) + 4 / 29), dtype=np.float64)


def ciede2000(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """The difference of two colours (each ... x 3 in CIELAB; shapes broadcast), with kL = kC = kH = 1.

    Formula and its published test pairs: Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula", Color Research
    and Application 30 (2005).
    """
    lightness_1, a_1, b_1 = np.moveaxis(np.asarray(one, dtype=np.float64), -1, 0)
    lightness_2, a_2, b_2 = np.moveaxis(np.asarray(other, dtype=np.float64), -1, 0)

    mean_chroma = (np.hypot(a_1, b_1) + np.hypot(a_2, b_2)) / 2
    stretch = 1 + 0.5 * (1 - np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7)))
    chroma_1, chroma_2 = np.hypot(stretch * a_1, b_1), np.hypot(stretch * a_2, b_2)
    hue_1 = np.degrees(np.arctan2(b_1, stretch * a_1)) % _TURN
    hue_2 = np.degrees(np.arctan2(b_2, stretch * a_2)) % _TURN
    grey = chroma_1 * chroma_2 == 0

    # The shorter way round; for exactly opposite hues the paper keeps the sign.
    way = hue_2 - hue_1
    way = np.where(way > _HALF_TURN, way - _TURN, np.where(way < -_HALF_TURN, way + _TURN, way))
    hue_difference = np.where(grey, 0, way)
    delta_lightness = lightness_2 - lightness_1
    delta_chroma = chroma_2 - chroma_1
    delta_hue = 2 * np.sqrt(chroma_1 * chroma_2) * np.sin(np.radians(hue_difference / 2))

    lightness, chroma = (lightness_1 + lightness_2) / 2, (chroma_1 + chroma_2) / 2
    hue_sum = hue_1 + hue_2
    far = np.abs(hue_1 - hue_2) > _HALF_TURN
    hue = np.where(far, np.where(hue_sum < _TURN, hue_sum + _TURN, hue_sum - _TURN), hue_sum) / 2
    hue = np.where(grey, hue_sum, hue)

    weight = (
        1
        - 0.17 * _cosine(hue - 30)
        + 0.24 * _cosine(2 * hue)
        + 0.32 * _cosine(3 * hue + 6)
        - 0.20 * _cosine(4 * hue - 63)
    )
    scale_lightness = 1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2)
    scale_chroma = 1 + 0.045 * chroma
    scale_hue = 1 + 0.015 * chroma * weight
    turn = 30 * np.exp(-(((hue - 275) / 25) ** 2))
    rotation = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * np.sin(np.radians(2 * turn))

    lightness_term = delta_lightness / scale_lightness
    chroma_term = delta_chroma / scale_chroma
    hue_term = delta_hue / scale_hue
    return np.asarray(
        np.sqrt(lightness_term**2 + chroma_term**2 + hue_term**2 + rotation * chroma_term * hue_term),
        dtype=np.float64,
    )


def _cosine(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.cos(np.radians(degrees)), dtype=np.float64)
