"""What an analysis comes to."""

from dataclasses import dataclass
from enum import StrEnum

from mien_operator.rollouts.analysis_spec import Comparator


class Outcome(StrEnum):
    """What follows: go on, go back, ask a person, or wait for more samples."""

    PASS = "pass"  # noqa: S105 - the outcome, and no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one comparator says, in a sentence for people."""

    comparator: Comparator
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an analysis comes to, why (what failed comes first), and after how many samples of the present step."""

    outcome: Outcome
    findings: tuple[Finding, ...]
    samples: int
