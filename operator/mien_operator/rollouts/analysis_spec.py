"""What an analysis compares between two revisions, and how much of a difference is none; part of ModelRollout."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mien_operator.cel import CelRule


class Comparator(StrEnum):
    """What is compared."""

    LANDMARKS = "Landmarks"
    SCORES = "Scores"
    CONDITIONS = "Conditions"
    TONE = "Tone"
    POSE = "Pose"
    ANSWERS = "Answers"
    LATENCY = "Latency"
    ERRORS = "Errors"


class OnNoData(StrEnum):
    """What follows from too few samples."""

    HOLD = "Hold"
    INCONCLUSIVE = "Inconclusive"
    FAIL = "Fail"


class Tolerance(NamedTuple):
    """What is harmless unless a metric says otherwise: margin and max_share as AnalysisMetric has them."""

    margin: float
    max_share: float


# docs/rollout-analysis.md says what each of them means, and what becomes of candidates beyond them.
TOLERANCES: Final = MappingProxyType(
    {
        Comparator.LANDMARKS: Tolerance(0.04, 0.05),
        Comparator.SCORES: Tolerance(1.0, 0.10),
        Comparator.CONDITIONS: Tolerance(0.02, 0.15),
        Comparator.TONE: Tolerance(2.0, 0.10),
        Comparator.POSE: Tolerance(2.0, 0.05),
        Comparator.ANSWERS: Tolerance(0.01, 0.02),
        Comparator.LATENCY: Tolerance(0.10, 0.02),
        Comparator.ERRORS: Tolerance(0.002, 0.002),
    }
)


class AnalysisMetric(BaseModel):
    """One thing to compare."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    comparator: Comparator = Field(
        description=(
            "Landmarks: how far the face mesh's points lie apart. Scores: the metrics and the conditions' "
            "probabilities, in points of 100. Conditions: verdicts that change. Tone and Pose: in degrees. Answers: "
            "faces that are no longer found, values that are no longer measured, numbers that are none. Latency and "
            "Errors need no copies of requests; all others need a shadow step before."
        )
    )
    min_samples: int = Field(
        default=300,
        ge=30,
        le=100_000,
        description="Compared requests, since the present step began, without which the metric doesn't pass.",
    )
    min_samples_per_tone: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description=(
            "Compared photos of each of light (Monk 1-3), medium (4-6) and dark skin (7-10), since the rollout began, "
            "without which the metric doesn't pass. Latency and Errors know no tones."
        ),
    )
    on_no_data: OnNoData = Field(
        default=OnNoData.HOLD,
        description=(
            "What follows when noDataAfterSeconds are over and there are still too few samples. Hold waits on and "
            "never promotes, Inconclusive leaves it to a person, Fail aborts."
        ),
    )
    no_data_after_seconds: int = Field(
        default=600, ge=1, le=86_400, description="How long a step may collect samples before onNoData decides."
    )
    margin: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description=(
            "The mean difference that is harmless. Landmarks: in inter-ocular distances (0.04; twice as much for the "
            "point that only 5 % lie beyond). Scores: points of 100 (1). Tone and Pose: degrees (2). Conditions: the "
            "share of photos that lose a condition less the share that gain it, or the reverse (0.02). Answers: the "
            "share that is lost (0.01). Latency: relative (0.1). Errors: the share of requests (0.002)."
        ),
    )
    max_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description=(
            "The share of photos that may change by much, whatever the mean: by 0.1 inter-ocular distances (0.05), by "
            "10 points (0.1) or degrees (0.1; Pose 0.05); a condition that flips either way (0.15); a value that is no "
            "longer measured (0.02); a request that takes more than twice as long (0.02). Errors have no use for it."
        ),
    )

    @property
    def tolerance(self) -> Tolerance:
        """What is harmless by this metric."""
        usual = TOLERANCES[self.comparator]
        return Tolerance(
            usual.margin if self.margin is None else self.margin,
            usual.max_share if self.max_share is None else self.max_share,
        )


# For where the metrics are, spec.analysis.
METRIC_RULES: Final = (
    CelRule(
        path="analysis",
        rule="!has(self.metrics) || self.metrics.all(m, self.metrics.exists_one(n, n.comparator == m.comparator))",
        message="analysis.metrics names a comparator twice; each has one entry",
    ),
    CelRule(
        path="analysis.metrics[]",
        rule=("!has(self.margin) || !(self.comparator in ['Conditions', 'Answers', 'Errors']) || self.margin < 1.0"),
        message="the margin of Conditions, Answers and Errors is a share of requests, below 1",
    ),
)
