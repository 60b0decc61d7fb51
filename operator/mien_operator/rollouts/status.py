"""What a ModelRollout says of itself. All that a decision needs later stands here or in Serve, and nowhere else."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mien_operator.rollouts.judgement import Outcome as Judged


class StatusModel(BaseModel):
    """What all parts of the status have in common: YAML's names, and no complaint about what a later version wrote."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class Phase(StrEnum):
    """Where a rollout is, in one word."""

    PENDING = "Pending"
    LOADING = "Loading"
    PROGRESSING = "Progressing"
    ANALYSING = "Analysing"
    PAUSED = "Paused"
    HELD = "Held"
    HEALTHY = "Healthy"
    COMPARED = "Compared"
    ABORTED = "Aborted"
    REFUSED = "Refused"


class Outcome(StrEnum):
    """How a revision's rollout ended."""

    ADOPTED = "Adopted"
    FIRST = "First"
    PROMOTED = "Promoted"
    RETURNED = "Returned"
    COMPARED = "Compared"
    ABORTED = "Aborted"
    SUPERSEDED = "Superseded"


class RevisionRecord(StatusModel):
    """A revision that serving runs for this rollout."""

    revision: str = Field(max_length=64, description="Its name, as answers carry it in model_revision.")
    uri: str = Field(max_length=1024, description="Where its artifact lies.")
    digest: str = Field(max_length=71, description="SHA-256 of its artifact.")
    gpus_per_replica: float = Field(default=0, description="GPUs of each replica, as it was loaded.")
    was_stable: bool = Field(default=False, description="Whether it answered all requests before; if so, it may again.")
    until: AwareDatetime | None = Field(default=None, description="Until when it stays loaded without requests.")


class Weights(StatusModel):
    """Percent of the requests that the revision in spec.artifact answers."""

    desired: int = Field(default=0, description="What the present step asks for; 100 once it is stable.")
    observed: int = Field(default=0, description="What the router does.")


class AnalysisRun(StatusModel):
    """What one analysis step found."""

    step: int = Field(description="Which step it is, counted from 1.")
    revision: str = Field(max_length=64, description="The candidate that was compared.")
    attempt: int = Field(description="Which attempt of this rollout it was.")
    outcome: Judged = Field(description="What it came to.")
    samples: int = Field(default=0, description="Compared answers.")
    findings: tuple[str, ...] = Field(default=(), max_length=32, description="What was found, in sentences.")
    started_at: AwareDatetime = Field(description="When the step began.")
    ended_at: AwareDatetime | None = Field(default=None, description="When it had its outcome.")


class HistoryEntry(StatusModel):
    """How the rollout of one revision ended."""

    revision: str = Field(max_length=64, description="The revision.")
    digest: str = Field(max_length=71, description="SHA-256 of its artifact.")
    outcome: Outcome = Field(description="How it ended.")
    reason: str = Field(default="", max_length=1024, description="Why, in a sentence.")
    at: AwareDatetime = Field(description="When.")


class Ended(StatusModel):
    """A candidate that is not tried again until somebody asks for it or names another artifact."""

    digest: str = Field(max_length=71, description="Its digest.")
    uri: str = Field(max_length=1024, description="Where it lay.")
    outcome: Outcome = Field(description="Aborted or Compared.")
    reason: str = Field(max_length=64, description="One word for programs.")
    message: str = Field(default="", max_length=1024, description="What happened and what to do.")


class Answered(StatusModel):
    """The annotations that were followed last, by their values: none is followed twice."""

    promote: str = Field(default="", max_length=64, description="Of mien.dev/promote.")
    abort: str = Field(default="", max_length=64, description="Of mien.dev/abort.")
    retry: str = Field(default="", max_length=64, description="Of mien.dev/retry.")


class AppliedAutoscaling(StatusModel):
    """Serve's settings of the stable revision's deployment, and how many replicas answer."""

    min_replicas: int = Field(description="Serve's min_replicas.")
    max_replicas: int = Field(description="Serve's max_replicas.")
    target_ongoing_requests: float = Field(description="Serve's target_ongoing_requests.")
    max_ongoing_requests: int = Field(description="Serve's max_ongoing_requests.")
    max_queued_requests: int = Field(description="Serve's max_queued_requests.")
    gpus_per_replica: float = Field(description="GPUs of each replica.")
    stable_replicas: int = Field(description="Replicas of the stable revision that run.")
    candidate_replicas: int = Field(default=0, description="Replicas of the candidate that run.")


class ModelRolloutStatus(StatusModel):
    """Where the rollout is and what runs."""

    phase: Phase = Field(default=Phase.PENDING, description="Where the rollout is, in one word.")
    step: str = Field(default="", max_length=16, description="The present step and how many there are, as 2/5.")
    current_step: int = Field(default=0, description="Steps that are done.")
    attempt: int = Field(default=0, description="Counts the times that a candidate was begun with.")
    stable_revision: str = Field(default="", max_length=64, description="The revision that answers.")
    candidate_revision: str = Field(default="", max_length=64, description="The revision that may take over.")
    weights: Weights = Field(
        default=Weights(), description="Percent of the requests that the revision in spec.artifact answers."
    )
    stable: RevisionRecord | None = Field(default=None, description="The revision that answers.")
    stable_proved: bool = Field(default=False, description="Whether the stable revision was seen running.")
    candidate: RevisionRecord | None = Field(default=None, description="The revision that may take over.")
    retained: tuple[RevisionRecord, ...] = Field(
        default=(), max_length=16, description="Revisions that get no requests any more and are still loaded."
    )
    shadow_percent: int = Field(default=0, description="Percent of the requests that are copied to the candidate.")
    capacity: int = Field(default=0, description="Replicas that setCapacity gave to the candidate.")
    step_started_at: AwareDatetime | None = Field(default=None, description="When the present step began.")
    serving_since: AwareDatetime | None = Field(
        default=None, description="Since when serving works on what the present step asks for."
    )
    passed: bool = Field(default=False, description="Whether an analysis of this attempt passed.")
    ended: Ended | None = Field(default=None, description="The candidate that is not tried again by itself.")
    held: str = Field(
        default="", max_length=1024, description="What an analysis found that abortPolicy Hold waits with."
    )
    analysis_runs: tuple[AnalysisRun, ...] = Field(default=(), max_length=16, description="The newest last.")
    history: tuple[HistoryEntry, ...] = Field(default=(), max_length=50, description="The newest last.")
    answered: Answered = Field(default=Answered(), description="The annotations that were followed last.")
    autoscaling: AppliedAutoscaling | None = Field(default=None, description="What Serve was told, and what runs.")
