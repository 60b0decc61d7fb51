"""From measures to probabilities, metrics and the type.

A probability is how likely a careful layman at arm's length would say "yes, I see it". Each is Hill's curve

    p = v^n / (v^n + h^n)

of its measure v: monotone, 0 without any, one half at v = h. The halves are a convention of this project: no published
ground truth maps an appearance measure to what people see. They were set by looking at real faces and at phantoms.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mien_core.model.skin import Condition, MeasureName, SkinMetrics, SkinType
from mien_serving.skin.finding import Finding
from mien_serving.skin.topology import CHEEKS, T_ZONE

# The logistic curve is 0 to all digits below this.
_FLAT: Final = 700.0


@dataclass(frozen=True)
class Curve:
    """Hill's curve: half is where it reaches 0.5, in the measure's unit; steepness is n. falling turns it round."""

    half: float
    steepness: float
    falling: bool = False

    def at(self, value: float) -> float:
        """The probability (0-1) of a value."""
        # As a logistic curve of the logarithm, which no value is too small or too large for.
        steps = self.steepness * (math.log(value) - math.log(self.half)) if value > 0 else -math.inf
        rising = 1 / (1 + math.exp(-steps)) if steps > -_FLAT else 0.0
        return 1 - rising if self.falling else rising


SOURCES: Final[Mapping[Condition, MeasureName]] = MappingProxyType(
    {
        "acne": "acne",
        "blackheads": "pores",
        "wrinkles": "wrinkles",
        "dullness": "radiance",
        "redness": "redness",
        "dehydration": "dryness",
        "hyperpigmentation": "spots",
        "uneven_texture": "texture",
    }
)
CURVES: Final[Mapping[MeasureName, Curve]] = MappingProxyType(
    {
        "acne": Curve(7.0, 3.0),
        "pores": Curve(20.0, 2.5),
        "wrinkles": Curve(320.0, 3.9),
        "radiance": Curve(0.235, 6.0, falling=True),
        "redness": Curve(5.0, 3.0),
        "dryness": Curve(4.3, 3.0),
        "spots": Curve(1.2, 3.0),
        "texture": Curve(3.45, 4.0),
        "dark_circles": Curve(9.0, 3.0),
        "shine": Curve(10.0, 3.0),
    }
)


def probabilities_of(findings: Mapping[MeasureName, Finding]) -> dict[Condition, float]:
    """The probability (0-1, 4 decimals) of each condition whose measure was found."""
    return {
        condition: round(CURVES[measure].at(findings[measure].value), 4)
        for condition, measure in SOURCES.items()
        if measure in findings
    }


def metrics_of(findings: Mapping[MeasureName, Finding]) -> SkinMetrics:
    """The diary's metrics: 100 times what is left of 1 after the curve of the measure, to one decimal."""

    def metric(measure: MeasureName) -> float | None:
        return round(100 * (1 - CURVES[measure].at(findings[measure].value)), 1) if measure in findings else None

    return SkinMetrics(
        radiance=metric("radiance"),
        moisture=metric("dryness"),
        texture=metric("texture"),
        pores=metric("pores"),
        dark_circles=metric("dark_circles"),
    )


def skin_type_of(findings: Mapping[MeasureName, Finding], probabilities: Mapping[Condition, float]) -> SkinType | None:
    """The type whose sign stands out most, "normal" where none does, None where the photo shows none of the signs.

    oily: shine in T-zone and cheeks; combination: in the T-zone alone; dry: the dryness proxy; sensitive: redness;
    wrinkly: wrinkles, if no other condition is as probable. A sign stands out by what it exceeds one half.
    """
    margins: dict[SkinType, float] = {}
    if "shine" in findings:
        by_region = findings["shine"].by_region
        zones = [[by_region[name] for name in zone if name in by_region] for zone in (T_ZONE, CHEEKS)]
        if all(zones):
            middle, sides = (CURVES["shine"].at(sum(zone) / len(zone)) for zone in zones)
            margins["oily"] = min(middle, sides)
            margins["combination"] = min(middle, 1 - sides)
    if "dehydration" in probabilities:
        margins["dry"] = probabilities["dehydration"]
    if "redness" in probabilities:
        margins["sensitive"] = probabilities["redness"]
    if "wrinkles" in probabilities and probabilities["wrinkles"] == max(probabilities.values()):
        margins["wrinkly"] = probabilities["wrinkles"]
    if not margins and "wrinkles" not in probabilities:
        return None
    strongest = max(margins, key=lambda one: margins[one], default=None)
    return strongest if strongest is not None and margins[strongest] > 0.5 else "normal"  # noqa: PLR2004 - one half
