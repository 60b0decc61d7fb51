"""The colours of light and skin, as this library speaks of them. The formulas are core's: its rules need them, too."""

from mien_core.rules.colour import (
    ciede2000,
    lab_of_srgb,
    lightness_of_luminance,
    linear_of_srgb,
    luminance_of_srgb,
)

__all__ = ["ciede2000", "lab_of_srgb", "lightness_of_luminance", "linear_of_srgb", "luminance_of_srgb"]
