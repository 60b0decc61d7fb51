"""Colours as texts; their measures are tested with the face's (tests/unit/face/test_colour.py)."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mien_core.rules.colour import ciede2000, hex_of_lab, lab_of_hex


@given(st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06X}"))
def test_a_colour_comes_back_as_it_was_written(code: str) -> None:
    """From text to CIELAB and back nothing changes, for all that sRGB has."""
    assert hex_of_lab(lab_of_hex([code])[0]) == code


@given(st.floats(0, 100), st.floats(0, 2 * np.pi), st.floats(0, 150))
def test_what_srgb_lacks_keeps_lightness_and_hue(lightness: float, hue: float, chroma: float) -> None:
    """Chroma gives way: the colour shown is as light as asked for, and on the way to the grey of that lightness."""
    asked = np.array([lightness, chroma * np.cos(hue), chroma * np.sin(hue)])
    shown = lab_of_hex([hex_of_lab(asked)])[0]
    # eight bits a channel
    assert abs(shown[0] - lightness) < 1.5
    reached = min(float(np.hypot(shown[1], shown[2])), chroma)
    on_the_way = np.array([lightness, reached * np.cos(hue), reached * np.sin(hue)])
    assert float(ciede2000(shown, on_the_way)) < 3


def test_a_text_may_lack_its_sign() -> None:
    """As the Monk scale's do."""
    assert np.array_equal(lab_of_hex(["#a07e56"]), lab_of_hex(["A07E56"]))
