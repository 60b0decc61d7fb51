"""Looks by rules: what they aim at, what they take from the catalogue, and what they never do."""

from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mien_core.model.face import MonkTone, Tone, Undertone
from mien_core.model.looks import Category, Finish, Preset, Shade
from mien_core.model.overlays import OVERLAYS
from mien_core.model.recommendations import CatalogueProduct, RecommendedLook
from mien_core.rules.colour import ciede2000, lab_of_hex
from mien_core.rules.looks import FARTHEST, FARTHEST_FOUNDATION, STYLES, recommend
from tests.makers import skin_report

CATEGORIES: tuple[Category, ...] = get_args(Category)
UNDERTONES: tuple[Undertone, ...] = get_args(Undertone)
MONK_6 = "#A07E56"


def tone(monk: int = 5, undertone: Undertone = "neutral") -> Tone:
    return Tone(ita=30.0, tone_class="intermediate", monk=MonkTone(tone=monk, delta_e=1.0), undertone=undertone)


def product(product_id: str, color: str, category: Category = "lipstick", finish: Finish = "satin") -> CatalogueProduct:
    return CatalogueProduct(
        product_id=product_id,
        category=category,
        name="Colour",
        shade=Shade(name="One", hex=color),
        finish=finish,
        url=f"https://shop.example/{product_id}",
    )


def preset(look: RecommendedLook, category: Category) -> Preset:
    [found] = [one for one in look.presets if one.category == category]
    return found


def lab(look: RecommendedLook, category: Category) -> NDArray[np.float64]:
    return np.asarray(lab_of_hex([preset(look, category).color])[0], dtype=np.float64)


def hue(look: RecommendedLook, category: Category) -> float:
    _, a, b = lab(look, category)
    return float(np.degrees(np.arctan2(b, a)))


colors = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06X}")
catalogues = st.lists(
    st.builds(
        product,
        st.uuids().map(str),
        colors,
        st.sampled_from(CATEGORIES),
        st.sampled_from(get_args(Finish)),
    ),
    max_size=30,
)


@given(
    st.integers(1, 10) | st.none(),
    st.sampled_from(UNDERTONES),
    st.sampled_from([None, "oily", "dry", "combination", "sensitive"]),
    st.sets(st.sampled_from(["acne", "redness", "dehydration", "uneven_texture", "wrinkles"])),
    catalogues,
    st.randoms(use_true_random=False),
)
def test_whatever_the_face_and_the_catalogue_looks_are_whole_and_true(  # noqa: PLR0917 - what hypothesis draws
    monk: int | None,
    undertone: Undertone,
    skin_type: object,
    conditions: set[object],
    catalogue: list[CatalogueProduct],
    random: object,
) -> None:
    """A preset for each category, products that are the catalogue's word for word, and the same in any order of it."""
    skin = skin_report(dict.fromkeys(conditions, 0.9), skin_type)  # type: ignore[arg-type]  # drawn from them
    face = None if monk is None else tone(monk, undertone)
    looks = recommend(face, skin, catalogue)
    assert [look.name for look in looks] == [style.name for style in STYLES]
    known = {one.product_id: one for one in catalogue}
    for look in looks:
        categories = [one.category for one in look.presets]
        assert sorted(categories) == sorted(set(CATEGORIES) - (set() if face else {"foundation"}))
        for named in look.products:
            own = known[named.product_id]
            assert (named.name, named.shade, named.url) == (own.name, own.shade, own.url)
            shown = preset(look, own.category)
            assert (shown.color, shown.finish) == (own.shade.hex, own.finish)
            assert named.reason
    shuffled = list(catalogue)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random
    assert recommend(face, skin, shuffled) == looks


@pytest.mark.parametrize("monk", range(1, 11))
@pytest.mark.parametrize("category", ["lipstick", "blush", "eyeshadow"])
def test_hues_follow_the_undertone(monk: int, category: Category) -> None:
    """From cool to warm, lips, cheeks and lids go from blue-red towards yellow, on every tone."""
    for number in range(len(STYLES)):
        cool, neutral, warm = (hue(recommend(tone(monk, one), None, ())[number], category) for one in UNDERTONES)
        assert cool + 8 < neutral < warm - 8, (cool, neutral, warm)


def test_louder_looks_are_deeper() -> None:
    """Each style has darker lips and lids than the one before, and lays on more of it."""
    for monk in range(1, 8):
        looks = recommend(tone(monk), None, ())
        for quiet, loud in pairwise(looks):
            for category in ("lipstick", "eyeshadow"):
                assert lab(loud, category)[0] < lab(quiet, category)[0] - 4
                assert preset(loud, category).intensity > preset(quiet, category).intensity


def test_light_and_shadow_lie_around_the_skins_own() -> None:
    """On every tone the highlighter is lighter than the skin's colour and the contour darker; foundation is it."""
    for monk in range(1, 10):
        look = recommend(tone(monk), None, ())[0]
        skin = lab(look, "foundation")[0]
        assert lab(look, "contour")[0] < skin - 3
        # the lightest tones leave no room above them
        assert lab(look, "highlighter")[0] > min(skin + 2, 89)


def test_the_nearest_shade_is_taken() -> None:
    """By CIEDE2000; of two that are the same, the first by id."""
    wish = preset(recommend(tone(), None, ())[0], "lipstick").color
    near = product("lip-2", wish)
    twin = product("lip-3", wish)
    far = product("lip-1", "#8A4A50")
    [chosen] = recommend(tone(), None, [far, twin, near])[0].products
    assert chosen.product_id == "lip-2"


def test_a_shade_that_is_another_colour_is_no_product() -> None:
    """The preset then keeps the colour that was aimed at; for foundation a small difference is too much."""
    blue = product("lip-1", "#2040C0")
    look = recommend(tone(), None, [blue])[0]
    assert look.products == ()
    assert preset(look, "lipstick") == preset(recommend(tone(), None, ())[0], "lipstick")
    assert float(ciede2000(lab_of_hex([blue.shade.hex]), lab(look, "lipstick")[None])[0]) > FARTHEST
    skin, other = product("f-1", MONK_6, "foundation"), product("f-2", "#8C6A44", "foundation")
    assert 7 < float(ciede2000(lab_of_hex([MONK_6]), lab_of_hex([other.shade.hex]))[0]) < FARTHEST
    assert FARTHEST_FOUNDATION == 7
    assert [one.product_id for one in recommend(tone(6), None, [skin, other])[0].products] == ["f-1"]
    assert recommend(tone(6), None, [other])[0].products == ()


def test_a_product_of_another_category_is_no_substitute() -> None:
    """A blush in the colour of the lips isn't put onto lips."""
    wish = preset(recommend(tone(), None, ())[0], "lipstick").color
    look = recommend(tone(), None, [product("b-1", wish, "blush")])[0]
    assert "lipstick" not in {one.category for one in look.presets if one.color == "b-1"}
    assert preset(look, "lipstick").color == wish


def test_finishes_follow_the_skin() -> None:
    """No shimmer on uneven skin, no matte lips on dry skin, nothing that shines on an oily face's cheeks."""
    statement = len(STYLES) - 1
    plain = recommend(tone(), skin_report({}), ())
    assert preset(plain[statement], "eyeshadow").finish == "shimmer"
    assert preset(plain[statement], "lipstick").finish == "matte"
    assert preset(plain[0], "blush").finish == "satin"
    for condition in ("uneven_texture", "wrinkles", "acne"):
        uneven = recommend(tone(), skin_report({condition: 0.7}), ())
        assert {one.finish for look in uneven for one in look.presets} == {"matte", "satin"}
    for dry in (skin_report({}, "dry"), skin_report({"dehydration": 0.7})):
        assert preset(recommend(tone(), dry, ())[statement], "lipstick").finish == "satin"
    oily = recommend(tone(), skin_report({}, "oily"), ())[0]
    assert (preset(oily, "blush").finish, preset(oily, "foundation").finish) == ("matte", "matte")


def test_redness_gets_less_blush() -> None:
    """Half of it and a bit, and no other category changes."""
    plain = recommend(tone(), skin_report({}), ())[1]
    red = recommend(tone(), skin_report({"redness": 0.8}), ())[1]
    assert preset(red, "blush").intensity < preset(plain, "blush").intensity * 0.7
    assert [one for one in red.presets if one.category != "blush"] == [
        one for one in plain.presets if one.category != "blush"
    ]


def test_a_photo_that_does_not_show_the_tone_gets_neutral_looks() -> None:
    """Without a foundation, and every product says that the tone is not known."""
    wish = preset(recommend(None, None, ())[0], "lipstick").color
    look = recommend(None, None, [product("lip-1", wish)])[0]
    assert "Neutral" in look.reason
    assert "doesn't show" in (look.products[0].reason or "")
    assert 10 < hue(look, "lipstick") < 30


def test_overlays_are_named_where_there_are_some() -> None:
    """Every lipstick, eyeshadow and blush has one of its category, nothing else has any."""
    known = {overlay.asset_id: overlay.category for overlay in OVERLAYS}
    for look in recommend(tone(), None, ()):
        for one in look.presets:
            named = None if one.asset_id is None else known[one.asset_id]
            assert named == (one.category if one.category in set(known.values()) else None)
