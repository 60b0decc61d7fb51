"""Looks for a face by rules, always the same for the same face and catalogue.

Each style aims at a colour for each category: its hue follows the skin's undertone, its lightness the skin's own, in
CIELAB. Of the catalogue the product whose shade comes nearest by CIEDE2000 takes the place of that colour, unless even
that one is too far away; then the preset keeps the colour, and no product is named.

The aims are a convention of this project. They say in numbers what make-up artists teach: warm skin wears corals,
bronze and gold, cool skin berries, mauve and rose; lips a good deal darker than the skin stand out, lips of its own
depth don't; shimmer shows every unevenness, matte shows every flake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien_core.model.face import MONK_SCALE, Tone, Undertone
from mien_core.model.looks import Category, Finish, Preset, Product
from mien_core.model.recommendations import CatalogueProduct, RecommendedLook
from mien_core.model.skin import Condition, SkinReport
from mien_core.rules.colour import ciede2000, hex_of_lab, lab_of_hex
from mien_core.rules.skin import PRESENT_ABOVE

# What a shade may differ from the colour that is aimed at (CIEDE2000). Another foundation than the skin's is a mask;
# all else is a matter of taste, up to where it would be another colour.
FARTHEST: Final = 16.0
FARTHEST_FOUNDATION: Final = 7.0
# What another finish counts for: as much as a difference in colour that is seen at a glance.
FINISH_COUNTS: Final = 3.0

_MONK_LAB: Final = lab_of_hex(MONK_SCALE)
# Where the photo doesn't show the skin's colour: the lightness in the middle of the scale, for hues that suit most.
_UNKNOWN_LIGHTNESS: Final = 60.0
_DARKEST, _LIGHTEST = 8.0, 94.0
# What is put on redness adds to it.
_BLUSH_ON_REDNESS: Final = 0.6


class _Hues(NamedTuple):
    """Hue angles in CIELAB, in degrees, by undertone."""

    cool: float
    neutral: float
    warm: float


class _Aim(NamedTuple):
    """A category's colour, for skin of lightness L and a style of depth d (0 is its quietest).

    Lightness is base + follows L - deeper d, chroma is chroma + richer d.
    """

    hues: _Hues
    base: float
    follows: float
    deeper: float
    chroma: float
    richer: float
    intensity: float
    finish: Finish
    reason: str


_FOLLOWS_UNDERTONE: Final = "Its hue follows your {undertone} undertone."
_AIMS: Final[Mapping[Category, _Aim]] = MappingProxyType(
    {
        "lipstick": _Aim(_Hues(5, 20, 38), 18, 0.45, 8, 30, 10, 1.0, "satin", _FOLLOWS_UNDERTONE),
        "eyeshadow": _Aim(_Hues(335, 45, 68), 12, 0.5, 10, 12, 6, 0.8, "matte", _FOLLOWS_UNDERTONE),
        "eyeliner": _Aim(_Hues(40, 50, 60), 14, 0.1, 4, 10, -4, 0.9, "matte", "Dark enough to define your eyes."),
        "lashes": _Aim(_Hues(60, 60, 60), 8, 0, 0, 2, 0, 1.0, "matte", "Dark enough to define your eyes."),
        "brows": _Aim(_Hues(45, 55, 62), 10, 0.3, 3, 12, 0, 0.6, "matte", "As deep as brows are with your skin."),
        "blush": _Aim(_Hues(5, 25, 45), 20, 0.55, 4, 24, 4, 0.7, "satin", _FOLLOWS_UNDERTONE),
        "contour": _Aim(_Hues(52, 58, 64), -8, 0.9, 3, 18, 0, 0.5, "matte", "A shadow's depth below your skin."),
        "highlighter": _Aim(
            _Hues(20, 60, 80), 26, 0.73, 0, 14, 0, 0.6, "shimmer", "A light above your skin's, of its undertone."
        ),
    }
)
_FOUNDATION_INTENSITY: Final = 0.5
_FOUNDATION_REASON: Final = "The catalogue's nearest shade to your skin."
_UNKNOWN_REASON: Final = "A colour that suits most skin; the photo doesn't show yours."


class _Style(NamedTuple):
    """A look before it meets a face; overlays and finishes are by category, where they are its own."""

    name: str
    depth: int
    intensity: float
    reason: str
    overlays: Mapping[Category, str]
    finishes: Mapping[Category, Finish]


STYLES: Final = (
    _Style(
        "Everyday",
        0,
        0.45,
        "{Undertone} colours close to your own, for every day.",
        {"lipstick": "lipstick-soft", "eyeshadow": "eyeshadow-lid", "blush": "blush-apples"},
        {},
    ),
    _Style(
        "Soft evening",
        1,
        0.7,
        "{Undertone} colours that stand out from your skin, with some light on the lids.",
        {"lipstick": "lipstick-full", "eyeshadow": "eyeshadow-crease", "blush": "blush-lifted"},
        {"eyeshadow": "shimmer"},
    ),
    _Style(
        "Statement",
        2,
        0.9,
        "The deepest {undertone} colours that your skin carries, on lips and eyes.",
        {"lipstick": "lipstick-full", "eyeshadow": "eyeshadow-smoky", "blush": "blush-lifted"},
        {"lipstick": "matte", "eyeshadow": "shimmer"},
    ),
)


@dataclass(frozen=True, slots=True)
class _Face:
    """What the rules look at; skin (L*, a*, b*) is None where the photo doesn't show it."""

    skin: NDArray[np.float64] | None
    undertone: Undertone
    oily: bool
    dry: bool
    uneven: bool
    red: bool


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a style wants of a category on a face, before anybody looks into the catalogue."""

    category: Category
    lab: NDArray[np.float64]
    finish: Finish
    intensity: float
    asset_id: str | None
    reason: str

    @property
    def farthest(self) -> float:
        return FARTHEST_FOUNDATION if self.category == "foundation" else FARTHEST


def recommend(
    tone: Tone | None, skin: SkinReport | None, catalogue: Sequence[CatalogueProduct]
) -> tuple[RecommendedLook, ...]:
    """A look of each style, the quietest first, with a preset for each category.

    Args:
        tone: None where the photo doesn't show the skin's colour: there is no foundation then, and all else is neutral.
        skin: None where it was not measured.
        catalogue: all that may be named; without any, looks are presets alone.
    """
    face = _face(tone, skin)
    wishes = [_wishes(style, face) for style in STYLES]
    found = iter(_nearest([wish for of_style in wishes for wish in of_style], catalogue))
    return tuple(
        _look(style, face, [(wish, next(found)) for wish in of_style])
        for style, of_style in zip(STYLES, wishes, strict=True)
    )


def _face(tone: Tone | None, skin: SkinReport | None) -> _Face:
    def shows(*conditions: Condition) -> bool:
        return skin is not None and any((skin.probability_of(one) or 0.0) > PRESENT_ABOVE for one in conditions)

    skin_type = skin.skin_type if skin else None
    return _Face(
        # one of ten: the nearest, which is how the tone was told
        skin=None if tone is None else _MONK_LAB[tone.monk.tone - 1],
        undertone="neutral" if tone is None else tone.undertone,
        oily=skin_type in {"oily", "combination"},
        dry=skin_type == "dry" or shows("dehydration"),
        uneven=shows("uneven_texture", "wrinkles", "acne"),
        red=shows("redness"),
    )


def _wishes(style: _Style, face: _Face) -> list[_Wish]:
    wishes = [_wish(category, aim, style, face) for category, aim in _AIMS.items()]
    if face.skin is not None:
        finish: Finish = "matte" if face.oily else "satin"
        intensity = round(_FOUNDATION_INTENSITY * style.intensity, 2)
        wishes.append(_Wish("foundation", face.skin, finish, intensity, None, _FOUNDATION_REASON))
    return wishes


def _wish(category: Category, aim: _Aim, style: _Style, face: _Face) -> _Wish:
    own = _UNKNOWN_LIGHTNESS if face.skin is None else float(face.skin[0])
    lightness = min(max(aim.base + aim.follows * own - aim.deeper * style.depth, _DARKEST), _LIGHTEST)
    chroma = aim.chroma + aim.richer * style.depth
    hue = np.radians(getattr(aim.hues, face.undertone))
    intensity = aim.intensity * style.intensity
    if category == "blush" and face.red:
        intensity *= _BLUSH_ON_REDNESS
    return _Wish(
        category,
        np.array([lightness, chroma * np.cos(hue), chroma * np.sin(hue)]),
        _finish(category, style.finishes.get(category, aim.finish), face),
        round(intensity, 2),
        style.overlays.get(category),
        _UNKNOWN_REASON if face.skin is None else aim.reason.format(undertone=face.undertone),
    )


def _finish(category: Category, wanted: Finish, face: _Face) -> Finish:
    if wanted == "shimmer" and face.uneven:
        return "satin"
    if category == "lipstick" and face.dry and wanted == "matte":
        return "satin"
    return "matte" if category == "blush" and face.oily else wanted


def _nearest(wishes: Sequence[_Wish], catalogue: Sequence[CatalogueProduct]) -> list[CatalogueProduct | None]:
    """For each wish the product that comes nearest; of equals the first by id."""
    if not catalogue:
        return [None] * len(wishes)
    products = sorted(catalogue, key=lambda one: one.product_id)
    shades = lab_of_hex([one.shade.hex for one in products])
    distances = ciede2000(np.stack([wish.lab for wish in wishes])[:, None], shades[None])
    return [_choice(wish, products, row) for wish, row in zip(wishes, distances.tolist(), strict=True)]


def _choice(wish: _Wish, products: Sequence[CatalogueProduct], distances: Sequence[float]) -> CatalogueProduct | None:
    fitting = [
        (distance + FINISH_COUNTS * (product.finish != wish.finish), product)
        for product, distance in zip(products, distances, strict=True)
        if product.category == wish.category and distance <= wish.farthest
    ]
    return min(fitting, key=lambda one: one[0])[1] if fitting else None


def _look(style: _Style, face: _Face, chosen: Sequence[tuple[_Wish, CatalogueProduct | None]]) -> RecommendedLook:
    undertone = face.undertone
    return RecommendedLook(
        name=style.name,
        reason=style.reason.format(undertone=undertone, Undertone=undertone.capitalize()),
        presets=tuple(_preset(wish, product) for wish, product in chosen),
        products=tuple(_product(wish, product) for wish, product in chosen if product is not None),
    )


def _preset(wish: _Wish, product: CatalogueProduct | None) -> Preset:
    return Preset(
        category=wish.category,
        color=product.shade.hex if product else hex_of_lab(wish.lab),
        finish=product.finish if product else wish.finish,
        intensity=wish.intensity,
        asset_id=wish.asset_id,
    )


def _product(wish: _Wish, product: CatalogueProduct) -> Product:
    return Product(
        product_id=product.product_id, name=product.name, shade=product.shade, url=product.url, reason=wish.reason
    )
