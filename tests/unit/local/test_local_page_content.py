"""What report pages show: numbers in words, on scales, and as outlines and pictures."""

import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mien_core.model.face import Gate
from mien_local.analysed import Analysed
from mien_local.page.content import focus, gate_rows, number, time_rows, tone_scale
from mien_local.page.pictures import Window, face_window, jpeg, skin_colour
from mien_local.page.scales import bar, place_between


def test_failed_gates_come_first_with_their_advice() -> None:
    """What to do stands on top; the threshold lies on the bar where the value would just pass."""
    good = Gate(code="blur", value=0.1, threshold=0.03, passed=True)
    bad = Gate(code="a_new_gate", value=3.0, threshold=1.5, passed=False, advice="Do better.")
    first, second = gate_rows([good, bad])
    assert (first.label, first.advice, first.bound) == ("A new gate", "Do better.", "at most")
    assert first.bar.mark is not None
    assert first.bar.value == pytest.approx(2 * first.bar.mark, abs=0.02)
    assert (second.label, second.bound, second.threshold) == ("Sharpness", "at least", "0.030")


def test_outlines_lie_where_the_evidence_is() -> None:
    """A polygon's corners, relative to the photo, are pixels of the window that was cut out."""
    window = Window(left=100, top=50, width=200, height=300, photo_width=1000, photo_height=500)
    assert window.corners(((0.1, 0.1), (0.3, 0.1), (0.2, 0.7))) == "0,0 200,0 100,300"
    photo = np.arange(500 * 1000 * 3, dtype=np.uint32).astype(np.uint8).reshape(500, 1000, 3)
    assert (window.cut(photo)[0, 0] == photo[50, 100]).all()
    assert window.cut(photo).shape == (300, 200, 3)


def test_the_window_holds_the_face_and_ends_with_the_photo(astronaut: Analysed) -> None:
    """All regions lie in it where the photo has them; beyond the photo there is nothing to cut."""
    pixels = astronaut.photo.pixels
    window = face_window(pixels, astronaut.skin)
    corners = np.concatenate([np.array(one.polygon) for one in astronaut.skin.regions]) * (1920, 1080)
    assert (corners >= (window.left, window.top)).all()
    assert (corners <= (window.left + window.width, window.top + window.height)).all()
    half = np.ascontiguousarray(pixels[:, : round(corners[:, 0].mean())])
    stretched = [
        one.model_copy(update={"polygon": tuple((x * 1920 / half.shape[1], y) for x, y in one.polygon)})
        for one in astronaut.skin.regions
    ]
    cut = face_window(half, astronaut.skin.model_copy(update={"regions": tuple(stretched)}))
    assert cut.left + cut.width == half.shape[1]
    assert cut.cut(half).shape == (cut.height, cut.width, 3)


def test_pictures_are_made_smaller_and_never_larger() -> None:
    """The longer side is at most what is asked for; red stays red."""
    picture = np.zeros((60, 120, 3), dtype=np.uint8)
    picture[..., 0] = 200
    with Image.open(BytesIO(jpeg(picture, 40))) as smaller:
        assert smaller.size == (40, 20)
        red, green, blue = np.asarray(smaller)[10, 20]
    assert abs(int(red) - 200) < 6
    assert max(green, blue) < 6
    with Image.open(BytesIO(jpeg(picture, 400))) as same:
        assert same.size == (120, 60)


def test_the_swatch_is_the_skin_that_was_measured(astronaut: Analysed) -> None:
    """Its ITA is the report's; a photo without skin has no swatch."""
    landmarks = [(one.x, one.y, one.z) for one in astronaut.face.face.landmarks]
    colour = skin_colour(astronaut.photo.pixels, landmarks)
    assert colour is not None
    assert re.fullmatch("#[0-9a-f]{6}", colour)
    red, green, blue = bytes.fromhex(colour[1:])
    assert red > green > blue
    assert skin_colour(np.full_like(astronaut.photo.pixels, 255), landmarks) is None


def test_the_tone_stands_in_its_class(astronaut: Analysed) -> None:
    """Exactly one class is chosen, and the mark lies in it; the classes fill the scale."""
    tone = astronaut.face.tone
    assert tone is not None
    for ita, name in ((-80.0, "dark"), (0.0, "brown"), (33.0, "intermediate"), (60.0, "very_light")):
        scale = tone_scale(tone.model_copy(update={"ita": ita, "tone_class": name}), None)
        (chosen,) = [one for one in scale.classes if one.chosen]
        assert chosen.left <= scale.ita <= chosen.left + chosen.width
        assert sum(one.width for one in scale.classes) == pytest.approx(100, abs=0.1)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.floats(0, 1e6), st.none() | st.floats(-1e6, 1e6))
def test_a_bar_holds_all_its_numbers_in_their_order(
    value: float, below: float, above: float, mark: float | None
) -> None:
    """low, value and high lie between 0 and 100 in this order; a mark lies there, too, on the right side."""
    made = bar(value, mark, value - below, value + above)
    assert 0 <= made.low <= made.value <= made.high <= 100
    if mark is not None:
        assert made.mark is not None
        assert 0 <= made.mark <= 100
        assert (made.mark <= made.value) or (mark >= value)


def test_places_beyond_a_scale_are_at_its_end() -> None:
    """An angle of -80 degrees stands at the dark end, not outside the page."""
    assert place_between(-80, -60, 90) == 0
    assert place_between(15, -60, 90) == 50
    assert place_between(120, -60, 90) == 100


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.00001, "0"), (0.00012, "0.0001"), (2.3456, "2.35"), (254.3, "254")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    """Short, and never in powers of ten."""
    assert number(value) == text


def test_the_photo_is_framed_around_its_face(astronaut: Analysed) -> None:
    """The middle of the face's box; a face beyond the photo is at its edge."""
    assert focus(astronaut) == "44% 43%"
    face = astronaut.face.face
    box = face.bounding_box.model_copy(update={"left": -0.9, "top": 0.9})
    moved = astronaut.face.model_copy(update={"face": face.model_copy(update={"bounding_box": box})})
    assert focus(replace(astronaut, face=moved)) == "0% 100%"


def test_steps_inside_a_hop_stand_below_it() -> None:
    """A platform's time is told as a tree, in words where there are some."""
    assert time_rows({"serving": 9.0, "serving.mesh": 6.0}) == (("Serving", 0, 9.0), ("Fit the mesh", 1, 6.0))
