"""From the conditions' probabilities to what the Skin Chapters application shows: conditions, score, chapter."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mien_core.errors import Rejected
from mien_core.model.face import Quality
from mien_core.model.skin import CONDITIONS, Condition, SkinReport, SkinType

# What each condition takes off the score at probability 1; together exactly 100.
DEDUCTIONS: Final[Mapping[Condition, int]] = MappingProxyType(
    {
        "acne": 20,
        "blackheads": 10,
        "wrinkles": 15,
        "dullness": 5,
        "redness": 10,
        "dehydration": 15,
        "hyperpigmentation": 10,
        "uneven_texture": 15,
    }
)
PRESENT_ABOVE: Final = 0.5
MAINTAINED_ABOVE: Final = 85

HYDRATION: Final = 1
REPAIR: Final = 2
PROTECTION: Final = 3
MAINTENANCE: Final = 4
BRIGHTENING: Final = 5
RECOVERY: Final = 6
PREVENTION: Final = 7


# Fails for a photo of several people and keeps nobody's skin from being seen.
_NO_HINDRANCE: Final = frozenset({"multiple_faces"})


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What follows from the conditions that a photo shows: those above 0.5, the score (0-100), the chapter (1-7)."""

    conditions: tuple[Condition, ...]
    skin_score: int
    recommended_chapter: int


def conclusion_of(report: SkinReport) -> Conclusion | None:
    """What follows from a report; None where the photo shows none of the conditions, since nothing follows from that.

    Without this a photo in the dark would score 100.
    """
    probabilities = {one.condition: one.probability for one in report.probabilities}
    if not probabilities:
        return None
    return Conclusion(
        conditions=conditions_of(probabilities),
        skin_score=skin_score(probabilities),
        recommended_chapter=recommended_chapter(report.skin_type, probabilities),
    )


def require_conclusion(report: SkinReport, quality: Quality) -> Conclusion:
    """What follows from a report, for an application that has nothing else to answer with.

    Raises:
        Rejected: where the photo shows none of the conditions: the code and the advice of the first gate that it
            failed and that has to do with its skin, or skin_not_visible with what the skin engine advises.
    """
    conclusion = conclusion_of(report)
    if conclusion is None:
        raise not_visible(report, quality)
    return conclusion


def not_visible(report: SkinReport, quality: Quality) -> Rejected:
    """Say why a photo shows nothing of the skin, and what to do: require_conclusion tells how."""
    for gate in quality.gates:
        if not gate.passed and gate.code not in _NO_HINDRANCE:
            return Rejected(gate.code, gate.advice or "Take another photo.")
    advice = report.abstained[0].advice
    return Rejected("skin_not_visible", f"This photo shows too little of the skin to say anything of it. {advice}")


def conditions_of(probabilities: Mapping[Condition, float]) -> tuple[Condition, ...]:
    """The conditions with a probability above 0.5, in the order of CONDITIONS.

    Args:
        probabilities: 0-1 by condition; one that the photo can't show is left out.
    """
    return tuple(one for one in CONDITIONS if probabilities.get(one, 0.0) > PRESENT_ABOVE)


def skin_score(probabilities: Mapping[Condition, float]) -> int:
    """int(100 - sum of deduction x probability), clamped to 0-100. What is left out deducts nothing.

    Args:
        probabilities: 0-1 by condition; one that the photo can't show is left out.
    """
    # fsum is exact, so the score can't depend on the order in which the conditions come.
    left = math.fsum([100, *(-DEDUCTIONS[one] * probability for one, probability in probabilities.items())])
    return max(0, min(100, int(left)))


def recommended_chapter(skin_type: SkinType | None, probabilities: Mapping[Condition, float]) -> int:
    """The chapter (1-7) that fits best: the first that applies, in the order below.

    Args:
        skin_type: None where the photo shows nothing that decides it.
        probabilities: 0-1 by condition; one that the photo can't show is left out.
    """
    shown = {*conditions_of(probabilities), skin_type}
    for chapter, any_of in (
        (HYDRATION, {"dehydration", "dry"}),
        (REPAIR, {"wrinkles", "wrinkly"}),
        (PROTECTION, {"sensitive", "redness"}),
        (BRIGHTENING, {"dullness", "hyperpigmentation"}),
        (RECOVERY, {"acne", "blackheads"}),
    ):
        if shown & any_of:
            return chapter
    return PREVENTION if skin_score(probabilities) > MAINTAINED_ABOVE else MAINTENANCE
