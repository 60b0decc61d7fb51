"""The colour of the skin: individual typology angle, Monk tone and undertone.

Skin is the cheeks and the forehead of the crop. Pixels with a clipped channel are highlights or overexposed and go; the
median of the rest in CIELAB is the skin's colour, which shine, shadow, freckles and strands of hair hardly move.

Sources: ITA and its classes: Chardon, Cretois, Hourseau, "Skin colour typology and suntanning pathways" (1991); the
ten tones: Monk, the Monk Skin Tone Scale (2019); CIEDE2000: see colour.py. The undertone is a convention of this
project, see undertone_of.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien_core.model.face import MONK_SCALE, MonkTone, Tone, ToneClass, Undertone
from mien_serving.face.colour import ciede2000, lab_of_srgb
from mien_serving.face.crop import CLIPPED, FaceCrop
from mien_serving.face.topology import FOREHEAD, LEFT_CHEEK, RIGHT_CHEEK

LEAST_PIXELS: Final = 200
# Half of the least colourful Monk tone's; what has less is a photo in black and white.
LEAST_CHROMA: Final = 1.9

MONK_LAB: Final = lab_of_srgb(np.array([list(bytes.fromhex(code)) for code in MONK_SCALE], dtype=np.uint8))

# Lower bounds of the classes by ITA in degrees; what is below them all is dark.
_CLASSES: Final[tuple[tuple[float, ToneClass], ...]] = (
    (55, "very_light"),
    (41, "light"),
    (28, "intermediate"),
    (10, "tan"),
    (-30, "brown"),
)

_NEUTRAL_HUE: Final = 58.0
_NEUTRAL_HUE_BROWN: Final = 54.0
_NEUTRAL_HALF_WIDTH: Final = 5.0


def skin_pixels(crop: FaceCrop) -> NDArray[np.uint8] | None:
    """The sRGB values (N x 3, 0-255) of skin that isn't clipped, or None where the crop shows fewer than 200."""
    colours = crop.pixels[crop.hull(RIGHT_CHEEK) | crop.hull(LEFT_CHEEK) | crop.hull(FOREHEAD)]
    unclipped = colours[(colours < CLIPPED).all(axis=1)]
    return np.asarray(unclipped, dtype=np.uint8) if len(unclipped) >= LEAST_PIXELS else None


def skin_colour(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """L*, a*, b* of skin: the median over its sRGB values (N x 3, 0-255)."""
    return np.asarray(np.median(lab_of_srgb(pixels), axis=0), dtype=np.float64)


def tone_in(crop: FaceCrop) -> Tone | None:
    """The tone of a face, or None where too little of its skin is visible or the photo has no colours."""
    pixels = skin_pixels(crop)
    if pixels is None:
        return None
    lab = skin_colour(pixels)
    return tone_of(lab) if np.hypot(lab[1], lab[2]) >= LEAST_CHROMA else None


def tone_of(lab: NDArray[np.float64]) -> Tone:
    """The tone of a skin colour (L*, a*, b*); ITA and distance rounded to 2 decimals."""
    ita = ita_of(lab)
    distances = ciede2000(MONK_LAB, lab)
    nearest = int(distances.argmin())
    return Tone(
        ita=round(ita, 2),
        tone_class=class_of(ita),
        monk=MonkTone(tone=nearest + 1, delta_e=round(float(distances[nearest]), 2)),
        undertone=undertone_of(lab),
    )


def ita_of(lab: NDArray[np.float64]) -> float:
    """The individual typology angle in degrees: atan2(L* - 50, b*)."""
    return float(np.degrees(np.arctan2(lab[0] - 50, lab[2])))


def class_of(ita: float) -> ToneClass:
    """The class of an individual typology angle in degrees."""
    for bound, name in _CLASSES:
        if ita > bound:
            return name
    return "dark"


def undertone_of(lab: NDArray[np.float64]) -> Undertone:
    """Warm, neutral or cool by the hue angle h = atan2(b*, a*) in degrees.

    Published means of facial skin lie at hue angles of about 50 to 65 degrees. Neutral is 58 +- 5, and 54 +- 5 from an
    ITA of 10 degrees down, because melanin beyond a tan takes b* away faster than a* (on the Monk scale the hue falls
    from 74 to 49 degrees between tones 6 and 8), so that the same hue there means a yellower skin; between the ITAs
    28 and 10 the centre moves from one to the other.
    """
    hue = float(np.degrees(np.arctan2(lab[2], lab[1])))
    centre = float(np.interp(ita_of(lab), [10, 28], [_NEUTRAL_HUE_BROWN, _NEUTRAL_HUE]))
    if hue > centre + _NEUTRAL_HALF_WIDTH:
        return "warm"
    return "cool" if hue < centre - _NEUTRAL_HALF_WIDTH else "neutral"
