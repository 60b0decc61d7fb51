"""Which words of a language model are shown to a user: those that claim nothing which this platform must not claim.

The rule is a small one and errs on the side of silence: an innocent text with one of these words isn't shown, and the
summary is instead. It knows English, so it asks for English.
"""

import re
from enum import StrEnum
from typing import Final

LONGEST: Final = 1500

# Beginnings of words; where a word ends is said where a longer one is innocent.
_ILLNESS: Final = (
    "diagnos disease disorder syndrome illness infect inflam cancer tumou?r an[ae]?emi pcos endometrio fibroid "
    "depressi hormon thyroid deficien allerg eczema rosacea dermatit"
)
_TREATMENT: Final = r"medic drugs?\b pills?\b prescri dosage dose supplement remed therap treatment cure heal\b"
_FERTILITY: Final = (
    r"contracep birth\scontrol pregnan conceiv concepti fertil infertil ovulat(?!ory\sphase) abortion miscarr "
    r"unprotected safe\sdays? safe\sto condom intercourse"
)
_PROMISES: Final = r"guarantee will\s(?:start|begin|come)\b"
_CLAIMS: Final = re.compile(
    rf"\b(?:{'|'.join(f'{_ILLNESS} {_TREATMENT} {_FERTILITY} {_PROMISES}'.split())})", re.IGNORECASE
)
# Links, marks of other languages than plain text, and what could be read as a part of the prompt.
_MARKUP: Final = re.compile(r"https?:|www\.|[<>{}`|]|\]\(|^#|\*\*", re.IGNORECASE)
# control characters, line breaks among them, and those that turn the direction of writing
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ADDRESSED: Final = re.compile(r"\byour?\b", re.IGNORECASE)


class Objection(StrEnum):
    """Why a text is not shown."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    MARKUP = "markup"
    NOT_ADDRESSED = "not_addressed"
    CLAIM = "claim"


def objection(text: str) -> Objection | None:
    """Say why a text of a language model must not be shown; None if it may. The first of Objection's order counts.

    Args:
        text: one paragraph, without blanks around it.
    """
    objections = {
        Objection.EMPTY: not text,
        Objection.TOO_LONG: len(text) > LONGEST,
        Objection.MARKUP: bool(_MARKUP.search(text) or _CONTROL.search(text)),
        # it was asked to speak to the user in English; what it says in another language this rule can't judge
        Objection.NOT_ADDRESSED: not _ADDRESSED.search(text),
        Objection.CLAIM: bool(_CLAIMS.search(text)),
    }
    return next((why for why, holds in objections.items() if holds), None)
