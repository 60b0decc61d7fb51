"""Composed posters: their sizes, that they repeat, that they differ, and that their words can be read."""

import io
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from mien_core.model.serving import Aspect
from mien_serving.poster.compose import SIZES, Order, as_png, compose
from mien_serving.poster.lettering import Face, _visual, fitted, flowed
from mien_serving.poster.palettes import Colour, monochrome, palette_of
from mien_serving.poster.styles import treatment_of

ORDER = Order("The Last Lighthouse", "A keeper finds a door beneath the sea.", "drama", "classic", "1:1")
GENRES = ["action", "comedy", "crime", "drama", "horror", "romance", "sci-fi", "western", "gardening", ""]
# WCAG 2.2, success criterion 1.4.3, for text of any size
LEAST_CONTRAST = 4.5
# likewise, for what is large or no text
LEAST_OF_LARGE_CONTRAST = 3.0


def luminance(colour: Colour) -> float:
    """Relative luminance of an sRGB colour, as WCAG 2.2 defines it."""
    shares = np.array(colour) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def contrast(one: Colour, other: Colour) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def photo(height: int = 300, width: int = 200) -> NDArray[np.uint8]:
    """White in its upper third, and black below."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 3] = 255
    return pixels


@pytest.mark.parametrize("aspect", get_args(Aspect))
def test_a_poster_has_the_shape_that_was_asked_for(aspect: Aspect) -> None:
    """To the pixel, with a photo as without one."""
    width, height = SIZES[aspect]
    wide, high = (int(part) for part in aspect.split(":"))
    assert width * high == height * wide
    for shown in (None, photo()):
        picture = compose(replace(ORDER, aspect=aspect), shown)
        assert picture.shape == (height, width, 3)
        assert picture.dtype == np.uint8


def test_the_same_order_gives_the_same_bytes() -> None:
    """Also as a PNG, whose pixels are the picture's."""
    picture = compose(ORDER)
    data = as_png(picture)
    assert as_png(compose(replace(ORDER))) == data
    with Image.open(io.BytesIO(data)) as decoded:
        assert np.array_equal(np.asarray(decoded), picture)


def test_every_word_of_an_order_shows() -> None:
    """Another title, prompt, genre, style or photo is another picture."""
    orders = [
        ORDER,
        replace(ORDER, title="The Sea"),
        replace(ORDER, prompt="Another."),
        replace(ORDER, genre="western"),
        replace(ORDER, style="noir"),
    ]
    pictures = [compose(order) for order in orders] + [compose(ORDER, photo()), compose(ORDER, photo(200, 300))]
    for number, picture in enumerate(pictures):
        assert not any(np.array_equal(picture, other) for other in pictures[:number])


def test_a_photo_fills_the_upper_part_and_keeps_its_light() -> None:
    """What was light stays lighter than what was dark, in the palette's colours; below, the ground covers it."""
    picture = compose(replace(ORDER, style="minimal"), photo()).astype(float).mean(axis=2)
    height = picture.shape[0]
    assert picture[: height // 4].mean() > picture[int(height * 0.40) : int(height * 0.47)].mean() + 80
    ground = sum(palette_of("drama").ground) / 3
    assert abs(float(picture[-8:].mean()) - ground) < 6


@pytest.mark.parametrize("genre", GENRES)
def test_words_can_be_read(genre: str) -> None:
    """On the ground of every palette, made-up ones too, ink and accent have the contrast that WCAG asks for."""
    for palette in (palette_of(genre), monochrome(palette_of(genre))):
        assert contrast(palette.ink, palette.ground) >= LEAST_CONTRAST
        assert contrast(palette.accent, palette.ground) >= LEAST_OF_LARGE_CONTRAST


@given(st.text(max_size=40))
def test_any_genre_has_a_palette_of_its_own(genre: str) -> None:
    """The same each time, whatever capitals and spaces it is written with, and readable."""
    palette = palette_of(genre)
    assert palette_of(f" {genre} ") == palette
    assert contrast(palette.ink, palette.ground) >= LEAST_CONTRAST
    assert all(0 <= value <= 255 for colour in (palette.top, palette.horizon, palette.accent) for value in colour)


def test_an_unknown_style_is_the_classic_one() -> None:
    """Known ones are known in any capitals."""
    assert treatment_of("whatever") == treatment_of("classic")
    assert treatment_of(" NOIR ") == treatment_of("noir") != treatment_of("classic")


@settings(max_examples=40)
@given(st.text(min_size=1, max_size=200))
def test_a_title_fits_its_box(title: str) -> None:
    """However long its words are and in whatever script: no line is wider, and all are no higher than the box."""
    face = Face(800)
    block = fitted(title, face, 800.0, 300.0, 3)
    assert 1 <= len(block.lines) <= 3
    assert all(face.width(line, block.size) <= 800.5 for line in block.lines)
    assert block.height <= 300.5
    assert "".join("".join(block.lines).split()) == "".join(title.split())


@settings(max_examples=40)
@given(st.text(max_size=400))
def test_a_text_that_is_too_long_says_so(text: str) -> None:
    """Two lines at most, and an ellipsis where something was left out."""
    block = flowed(text, Face(300), 600.0, 24.0, 2)
    assert len(block.lines) <= 2
    whole = "".join("".join(block.lines).split()) == "".join(text.split())
    assert whole or block.lines[-1].endswith("…")


def test_hebrew_is_drawn_from_right_to_left() -> None:
    """OpenCV draws letters from left to right as they come, so the line is turned round before; others aren't."""
    assert _visual("\u05d0\u05d1 \u05d2!") == "!\u05d2 \u05d1\u05d0"
    assert _visual("The Sea") == "The Sea"
    assert _visual("\u05d0\u05d1 of 7") == "\u05d0\u05d1 of 7"
