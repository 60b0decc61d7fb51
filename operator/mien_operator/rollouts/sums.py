"""A tally as arrays, whose rows the checks ask for by name.

The tones' rows come beside one for everybody, in which photos of an unknown tone count, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from mien_core.model.comparisons import QUANTITIES, TONE_GROUPS, VERDICTS, Deltas, Flips, Group, Tally
from mien_operator.rollouts.evidence import Floats

Crowd = Literal["everybody", "light", "medium", "dark"]
CROWDS: Final[tuple[Crowd, ...]] = ("everybody", "light", "medium", "dark")

_NO_DELTAS: Final = Deltas()
_NO_FLIPS: Final = Flips()
_NOBODY: Final = Group()


class Question(StrEnum):
    """What can be asked of a quantity, a verdict, or all calls.

    LOST and GAINED, SLOW and FAILING are net of what changes the other way; LARGE, UNMEASURED, CHANGED and MISSED
    count all.
    """

    HIGHER = "higher"
    LOWER = "lower"
    LARGE = "large"
    UNMEASURED = "unmeasured"
    LOST = "lost"
    GAINED = "gained"
    CHANGED = "changed"
    MISSED = "missed"
    SLOWER = "slower"
    SLOW = "slow"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Row:
    """Where an answer stands."""

    question: Question
    subject: str
    crowd: Crowd


def _rows(question: Question, subjects: tuple[str, ...]) -> list[Row]:
    return [Row(question, subject, crowd) for crowd in CROWDS for subject in subjects]


def _places(rows: list[Row]) -> Mapping[Row, int]:
    return MappingProxyType({row: place for place, row in enumerate(rows)})


# Where each row stands in the arrays of means_of and shares_of.
MEANS: Final = _places(
    [
        *_rows(Question.HIGHER, QUANTITIES),
        *_rows(Question.LOWER, QUANTITIES),
        Row(Question.SLOWER, "time", "everybody"),
    ]
)
SHARES: Final = _places(
    [
        *_rows(Question.LARGE, QUANTITIES),
        *_rows(Question.UNMEASURED, QUANTITIES),
        *_rows(Question.LOST, VERDICTS),
        *_rows(Question.GAINED, VERDICTS),
        *_rows(Question.CHANGED, VERDICTS),
        *_rows(Question.MISSED, VERDICTS),
        Row(Question.SLOW, "time", "everybody"),
        Row(Question.FAILING, "calls", "everybody"),
    ]
)


@dataclass(frozen=True, slots=True)
class Sums:
    """The rows: means (n, 3) of count, sum and sum of squares; shares (n, 3) of count, against and for it."""

    means: Floats
    shares: Floats

    def plus(self, other: "Sums") -> "Sums":
        """Both together."""
        return Sums(self.means + other.means, self.shares + other.shares)


def sums_of(tally: Tally) -> Sums:
    """All rows of a tally, each so turned that more of it speaks against the candidate."""
    groups = [tally.groups.get(name, _NOBODY) for name in TONE_GROUPS]
    deltas = _with_everybody(
        [[_of_deltas(group.quantities.get(name, _NO_DELTAS)) for name in QUANTITIES] for group in groups]
    )
    flips = _with_everybody([[_of_flips(group.verdicts.get(name, _NO_FLIPS)) for name in VERDICTS] for group in groups])
    count, total, squares, large, lost, gained = deltas.T
    asked, gone, new = flips.T
    nothing = np.zeros_like
    higher, lower = np.stack([count, total, squares], 1), np.stack([count, -total, squares], 1)
    return Sums(
        np.concatenate([higher, lower, [_of_deltas(tally.slowdown)[:3]]]),
        np.concatenate(
            [
                np.stack([count, large, nothing(large)], 1),
                np.stack([count + lost + gained, lost, nothing(lost)], 1),
                np.stack([asked, gone, new], 1),
                np.stack([asked, new, gone], 1),
                np.stack([asked, gone + new, nothing(gone)], 1),
                np.stack([asked, gone, nothing(gone)], 1),
                [_of_flips(tally.slow), _of_flips(tally.errors)],
            ]
        ),
    )


def _with_everybody(groups: list[list[tuple[float, ...]]]) -> Floats:
    """(crowds x names, fields), from the tone groups, the last of which is of unknown tone."""
    values = np.array(groups, float)
    crowds = np.concatenate([values.sum(0, keepdims=True), values[: len(CROWDS) - 1]])
    return crowds.reshape(-1, values.shape[-1])


def _of_deltas(one: Deltas) -> tuple[float, ...]:
    return one.count, one.total, one.squares, one.large, one.lost, one.gained


def _of_flips(one: Flips) -> tuple[float, ...]:
    return one.count, one.lost, one.gained
