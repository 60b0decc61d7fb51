"""How a poster is made, whatever it shows."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done to the picture.

    grain is its standard deviation in 8-bit levels; vignette how much darker the corners are (0-1). rays go out from
    the bright thing; glow lies around what is in the accent's colour; monochrome takes the other colours away; framed
    draws a line around all. weight is the title's, 300-900, slanted leans it.
    """

    grain: float = 3.0
    vignette: float = 0.35
    rays: bool = False
    glow: bool = False
    monochrome: bool = False
    framed: bool = False
    weight: int = 800
    slanted: bool = False


_TREATMENTS: Final = {
    "classic": Treatment(framed=True),
    "minimal": Treatment(grain=0.0, vignette=0.0, weight=400),
    "modern": Treatment(grain=1.5, vignette=0.2, weight=700),
    "neon": Treatment(grain=2.0, vignette=0.5, glow=True, weight=600, slanted=True),
    "noir": Treatment(grain=6.0, vignette=0.55, monochrome=True, weight=700),
    "retro": Treatment(grain=5.0, vignette=0.25, rays=True, framed=True, weight=900, slanted=True),
    "vintage": Treatment(grain=6.0, vignette=0.45, rays=True, framed=True, weight=600),
}


def treatment_of(style: str) -> Treatment:
    """Give a style's treatment; one that nobody foresaw is the classic one."""
    return _TREATMENTS.get(" ".join(style.casefold().split()), _TREATMENTS["classic"])
