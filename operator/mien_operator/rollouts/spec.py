"""ModelRollout: which model answers, and how the next one takes over; its status is beside it in status.py."""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mien_operator.cel import CelRule
from mien_operator.rollouts.analysis_spec import METRIC_RULES, AnalysisMetric, Comparator
from mien_operator.rollouts.durations import Duration
from mien_operator.rollouts.optional import LeftOut


class SpecModel(BaseModel):
    """What all parts of the spec have in common: the names that YAML has, and no field that nobody reads."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class ModelRef(SpecModel):
    """The model that is rolled out."""

    name: Literal["face"] = Field(description="The model, as serving calls it. One rollout a model.")


class Artifact(SpecModel):
    """The model's file. Serving loads it only if its content has this digest."""

    uri: str = Field(
        pattern=r"^(file:///|s3://[^/]+/).+$",
        max_length=1024,
        description="Where the artifact lies: s3://bucket/key, or file:// with a path that all workers see.",
    )
    digest: str = Field(
        pattern=r"^sha256:[0-9a-f]{64}$",
        max_length=71,
        description="SHA-256 of the artifact, as `python -m mien_serving artifact build` prints it.",
    )


class StrategyType(StrEnum):
    """How a candidate takes over."""

    CANARY = "Canary"
    BLUE_GREEN = "BlueGreen"
    SHADOW = "Shadow"


class Strategy(SpecModel):
    """How a candidate takes over."""

    type: StrategyType = Field(
        default=StrategyType.CANARY,
        description=(
            "Canary shifts requests step by step. BlueGreen shifts all of them at once, after the last step. "
            "Shadow shifts none: the candidate is compared and unloaded."
        ),
    )


class Pause(SpecModel):
    """Wait for a while or, without a duration, for somebody."""

    duration: Annotated[Duration | None, LeftOut()] = Field(
        default=None,
        description="How long, such as 10m. Without it the rollout waits for the annotation mien.dev/promote.",
    )


class AnalysisStep(SpecModel):
    """Wait until the comparison of both revisions' outputs has an outcome."""

    minimum: Annotated[Duration | None, LeftOut()] = Field(
        default=None, description="Look for at least so long, such as 10m, whatever the first samples say."
    )


class ShadowStep(SpecModel):
    """Ask the candidate, too, after the answer was sent, and compare both."""

    percent: Annotated[int, Field(ge=0, le=100)] = Field(
        description="Of how many requests the candidate gets a copy, from now to the end of the rollout."
    )
    comparators: tuple[Comparator, ...] = Field(
        default=(),
        max_length=8,
        description="Which of analysis.metrics are judged from now on; none named means all of them.",
    )


class CapacityStep(SpecModel):
    """Give the candidate more replicas before it gets more requests."""

    replicas: Annotated[int, Field(ge=1, le=1000)] = Field(
        description="Replicas that the candidate has at least, from now to the end of the rollout."
    )


class Step(SpecModel):
    """Exactly one of these."""

    set_weight: Annotated[Annotated[int, Field(ge=0, le=100)] | None, LeftOut()] = Field(
        default=None, description="Percent of the requests that the candidate answers from now on."
    )
    pause: Annotated[Pause | None, LeftOut()] = Field(default=None, description="Wait for a while, or for somebody.")
    analysis: Annotated[AnalysisStep | None, LeftOut()] = Field(
        default=None, description="Wait until both revisions are compared."
    )
    shadow: Annotated[ShadowStep | None, LeftOut()] = Field(
        default=None, description="Copy requests to the candidate, whose answers nobody gets."
    )
    set_capacity: Annotated[CapacityStep | None, LeftOut()] = Field(
        default=None, description="Give the candidate replicas."
    )


class Analysis(SpecModel):
    """What is compared between the stable revision and the candidate."""

    metrics: tuple[AnalysisMetric, ...] = Field(
        default=(), max_length=8, description="Each is judged by itself; one that fails ends the rollout."
    )


class MaxSurge(SpecModel):
    """What a rollout may take beside what serves already."""

    gpus: float = Field(
        default=0,
        ge=0,
        le=1000,
        description="GPUs for revisions beside the stable one. A candidate that needs more waits, and says so.",
    )


class AbortPolicy(StrEnum):
    """What becomes of the requests when an analysis fails."""

    ROLLBACK = "Rollback"
    HOLD = "Hold"


class Autoscaling(SpecModel):
    """Serve's settings of each revision's deployment, as Ray Serve knows them."""

    min_replicas: int = Field(default=1, ge=1, le=1000, description="Serve's min_replicas.")
    max_replicas: int = Field(
        default=1, ge=1, le=1000, description="Serve's max_replicas; more than minReplicas turns autoscaling on."
    )
    target_ongoing_requests: float = Field(
        default=8, gt=0, le=10000, description="Serve's target_ongoing_requests: requests a replica that it aims at."
    )
    max_ongoing_requests: int = Field(
        default=16,
        ge=1,
        le=10000,
        description="Serve's max_ongoing_requests: requests that a replica works on at once.",
    )
    max_queued_requests: int = Field(
        default=64,
        ge=1,
        le=100000,
        description="Serve's max_queued_requests, per router; beyond it callers hear 503. There is no unlimited queue.",
    )
    upscale_delay_seconds: float = Field(
        default=30,
        ge=0,
        le=86400,
        description="Serve's upscale_delay_s: how long the load is high before replicas come.",
    )
    downscale_delay_seconds: float = Field(
        default=600, ge=0, le=86400, description="Serve's downscale_delay_s: how long it is low before they go."
    )
    gpus_per_replica: float = Field(
        default=0,
        ge=0,
        le=16,
        description=(
            "GPUs, or a share of one, for each replica; 0 means CPU. A revision keeps what it was loaded with, because "
            "a change would restart it; it holds for revisions that are loaded afterwards."
        ),
    )


class ModelRolloutSpec(SpecModel):
    """Which artifact of a model shall answer, and on what way it gets there."""

    model_ref: ModelRef = Field(description="The model that is rolled out.")
    artifact: Artifact = Field(description="The revision that shall answer. A change begins a rollout.")
    strategy: Strategy = Field(default=Strategy(), description="How a candidate takes over.")
    steps: tuple[Step, ...] = Field(
        min_length=1,
        max_length=32,
        description="The way of a candidate, in order. The first revision of all takes none.",
    )
    analysis: Analysis = Field(default=Analysis(), description="What is compared between both revisions.")
    max_surge: MaxSurge = Field(default=MaxSurge(), description="What a rollout may take beside what serves already.")
    progress_deadline_seconds: int = Field(
        default=600,
        ge=10,
        le=86400,
        description=(
            "How long serving may take for one step, such as loading the candidate, before the rollout is aborted."
        ),
    )
    abort_policy: AbortPolicy = Field(
        default=AbortPolicy.ROLLBACK,
        description=(
            "Rollback gives all requests back to the stable revision at once when an analysis fails. Hold leaves the "
            "weights and waits for mien.dev/abort or mien.dev/retry. A candidate that breaks is always rolled back."
        ),
    )
    rollback_window: Duration = Field(
        default="1h",
        description=(
            "How long the revision that was stable before stays loaded, without requests, so that going back to it "
            "takes seconds. It keeps its GPUs so long."
        ),
    )
    revision_history_limit: int = Field(default=10, ge=1, le=50, description="How many revisions status.history names.")
    paused: bool = Field(
        default=False, description="Stop at the present step, with its weights. Going back and aborting still work."
    )
    autoscaling: Autoscaling = Field(
        default=Autoscaling(), description="Serve's settings of each revision's deployment."
    )


_WEIGHTS: Final = "self.steps.filter(s, has(s.setWeight)).map(s, s.setWeight)"

RULES: Final = (
    CelRule(
        path="steps[]",
        rule=(
            "[has(self.setWeight), has(self.pause), has(self.analysis), has(self.shadow), has(self.setCapacity)]"
            ".exists_one(kind, kind)"
        ),
        message="a step is exactly one of setWeight, pause, analysis, shadow and setCapacity",
    ),
    CelRule(
        rule=f"{_WEIGHTS}.isSorted() && {_WEIGHTS}.all(w, {_WEIGHTS}.exists_one(v, v == w))",
        message="each setWeight must be higher than the one before",
    ),
    CelRule(
        rule=(
            "self.strategy.type != 'Canary' || (has(self.steps[self.steps.size() - 1].setWeight)"
            " && self.steps[self.steps.size() - 1].setWeight == 100)"
        ),
        message="the last step of a Canary must be setWeight: 100",
    ),
    CelRule(
        rule="self.strategy.type == 'Canary' || !self.steps.exists(s, has(s.setWeight))",
        message="only a Canary has setWeight: BlueGreen shifts everything after its last step, Shadow nothing",
    ),
    CelRule(
        rule="self.steps.exists(s, has(s.analysis))",
        message="there must be an analysis step: no candidate gets all requests without having been compared",
    ),
    CelRule(
        rule="has(self.analysis.metrics) && self.analysis.metrics.size() > 0",
        message="analysis.metrics must name at least one comparator for the analysis steps",
    ),
    CelRule(
        rule="self.strategy.type != 'Shadow' || self.steps.exists(s, has(s.shadow) && s.shadow.percent > 0)",
        message="a Shadow needs a shadow step with a percent above 0",
    ),
    CelRule(
        rule=(
            "!has(self.analysis.metrics) || self.analysis.metrics.all(m, m.comparator in ['Latency', 'Errors'])"
            " || self.steps.exists(s, has(s.shadow) && s.shadow.percent > 0)"
        ),
        message="all comparators but Latency and Errors need a shadow step with a percent above 0",
    ),
    CelRule(
        rule=(
            "self.steps.all(s, !has(s.shadow) || !has(s.shadow.comparators) || s.shadow.comparators.all("
            "c, has(self.analysis.metrics) && self.analysis.metrics.exists(m, m.comparator == c)))"
        ),
        message="shadow.comparators can only name what analysis.metrics has",
    ),
    CelRule(
        path="autoscaling",
        rule="self.maxReplicas >= self.minReplicas",
        message="maxReplicas must be at least minReplicas",
    ),
    CelRule(
        rule="self.steps.all(s, !has(s.setCapacity) || s.setCapacity.replicas <= self.autoscaling.maxReplicas)",
        message="setCapacity can't ask for more replicas than autoscaling.maxReplicas",
    ),
    CelRule(
        rule="self.modelRef.name == oldSelf.modelRef.name",
        message="modelRef can't be changed; make a ModelRollout of the other model",
    ),
    *METRIC_RULES,
)
