"""What a genre looks like: its colours and what its scene shows. Colours are sRGB, 0-255."""

import colorsys
import hashlib
from dataclasses import dataclass, replace
from typing import Final, Literal

Colour = tuple[int, int, int]
Motif = Literal["ridges", "skyline", "stars", "trunks", "confetti"]


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by where they are: a sky from top to horizon, the ground with words in ink on it, and what shines."""

    top: Colour
    horizon: Colour
    ground: Colour
    accent: Colour
    ink: Colour
    motif: Motif


_CREAM: Final = (250, 244, 230)
_WHITE: Final = (245, 247, 250)

_PALETTES: Final = {
    "action": Palette((38, 18, 20), (224, 92, 38), (22, 12, 14), (255, 176, 59), _CREAM, "skyline"),
    "adventure": Palette((24, 74, 104), (242, 178, 92), (18, 38, 44), (255, 214, 120), _CREAM, "ridges"),
    "animation": Palette((70, 88, 210), (250, 150, 160), (34, 30, 92), (255, 221, 87), _WHITE, "confetti"),
    "comedy": Palette((245, 140, 52), (255, 205, 84), (104, 36, 44), (255, 250, 230), _CREAM, "confetti"),
    "crime": Palette((22, 24, 34), (104, 72, 60), (12, 12, 16), (206, 44, 44), _CREAM, "skyline"),
    "documentary": Palette((56, 70, 78), (168, 170, 158), (24, 30, 34), (232, 196, 104), _WHITE, "ridges"),
    "drama": Palette((42, 40, 74), (214, 118, 96), (22, 18, 36), (250, 196, 140), _CREAM, "ridges"),
    "fantasy": Palette((38, 24, 84), (120, 180, 190), (18, 16, 44), (236, 214, 140), _CREAM, "ridges"),
    "horror": Palette((16, 16, 20), (92, 16, 20), (8, 8, 10), (200, 28, 30), _CREAM, "trunks"),
    "mystery": Palette((16, 30, 44), (88, 118, 120), (8, 16, 24), (222, 190, 104), _CREAM, "trunks"),
    "romance": Palette((110, 52, 98), (250, 172, 150), (60, 20, 50), (255, 224, 200), _CREAM, "ridges"),
    "sci-fi": Palette((8, 10, 34), (34, 92, 140), (6, 8, 20), (96, 232, 240), _WHITE, "stars"),
    "thriller": Palette((14, 22, 32), (46, 92, 104), (8, 12, 18), (240, 96, 60), _WHITE, "skyline"),
    "war": Palette((52, 54, 44), (196, 150, 90), (24, 24, 20), (224, 88, 44), _CREAM, "ridges"),
    "western": Palette((150, 62, 36), (250, 186, 96), (60, 22, 18), (255, 232, 176), _CREAM, "ridges"),
}
_ALIASES: Final = {
    "biography": "drama",
    "family": "animation",
    "film noir": "crime",
    "history": "war",
    "musical": "comedy",
    "noir": "crime",
    "romantic comedy": "romance",
    "science fiction": "sci-fi",
    "scifi": "sci-fi",
    "space": "sci-fi",
}
_MOTIFS: Final[tuple[Motif, ...]] = ("ridges", "skyline", "stars", "trunks", "confetti")


def palette_of(genre: str) -> Palette:
    """Give a genre's palette; one that nobody foresaw has colours of its own, the same each time."""
    name = " ".join(genre.casefold().replace("_", " ").split())
    known = _PALETTES.get(_ALIASES.get(name, name))
    return known or _made_up(name)


def monochrome(palette: Palette) -> Palette:
    """Take all colour away but the accent's."""
    return replace(palette, top=_grey(palette.top), horizon=_grey(palette.horizon), ground=_grey(palette.ground))


def _made_up(name: str) -> Palette:
    digest = hashlib.sha256(name.encode()).digest()
    hue = digest[0] / 256
    return Palette(
        top=_colour(hue, 0.30, 0.55),
        horizon=_colour(hue + 0.09, 0.66, 0.60),
        ground=_colour(hue, 0.10, 0.45),
        accent=_colour(hue + 0.5, 0.70, 0.85),
        ink=_CREAM,
        motif=_MOTIFS[digest[1] % len(_MOTIFS)],
    )


def _colour(hue: float, lightness: float, saturation: float) -> Colour:
    red, green, blue = colorsys.hls_to_rgb(hue % 1.0, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def _grey(colour: Colour) -> Colour:
    # Rec. 709 weights; on the gamma-coded values, as a picture's luma is
    luma = round(0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2])
    return luma, luma, luma
