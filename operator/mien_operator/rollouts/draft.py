"""One look at a rollout: what was seen, what was said before, and what becomes of it while it is thought through.

A draft lives within one call of reconcile and is the only thing here that changes; what goes in and what comes out are
values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from mien_core.model.comparisons import Comparison, ComparisonWindow
from mien_core.rules.serve_config import ServeOptions, revision_name
from mien_operator.controller import Resource
from mien_operator.plan import Note, NoteType
from mien_operator.rollouts.analysis_spec import AnalysisMetric
from mien_operator.rollouts.judgement import Judgement
from mien_operator.rollouts.serve_state import Application, ServeState
from mien_operator.rollouts.spec import ModelRolloutSpec, Step
from mien_operator.rollouts.status import (
    HistoryEntry,
    ModelRolloutStatus,
    Outcome,
    Phase,
    RevisionRecord,
)

# A revision that had requests keeps running so long after the router sends it none: those that wait in the router's
# queue for it are answered by it.
LINGER: Final = timedelta(seconds=15)
_MOST_RETAINED: Final = 16
_LONGEST: Final = 1000

RolloutResource = Resource[ModelRolloutSpec]


# metrics, the windows of the present candidate, the present step, and since when it runs in seconds
Judge = Callable[[Sequence[AnalysisMetric], Sequence[ComparisonWindow], int, float], Judgement]


@dataclass(frozen=True, slots=True)
class Observed:
    """What a decision needs of the world.

    Args:
        serve: what Serve runs.
        windows: what was compared, of whatever rollout; none if serving doesn't say.
        elder: namespace and name of an older rollout of the same model, or nothing.
    """

    serve: ServeState
    windows: tuple[ComparisonWindow, ...] = ()
    elder: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a rollout doesn't go on now.

    Args:
        phase: where it is.
        reason: one CamelCase word.
        message: a sentence, with what to do where somebody has to do something.
        seconds: when to look again.
        on_serving: whether it is serving's turn, so that the progress deadline runs.
    """

    phase: Phase
    reason: str
    message: str
    seconds: float
    on_serving: bool = False


@dataclass(slots=True)
class Draft:
    """What becomes of a rollout in this look: before is what was last said of it, status what shall be."""

    resource: RolloutResource
    observed: Observed
    now: datetime
    options: ServeOptions
    judge: Judge
    before: ModelRolloutStatus
    status: ModelRolloutStatus
    notes: list[Note] = field(default_factory=list)
    # whether somebody asked that Serve begins anew with a stable revision that it gave up on
    reload: bool = False

    @property
    def spec(self) -> ModelRolloutSpec:
        """What is wanted."""
        return self.resource.spec

    @property
    def serve(self) -> ServeState:
        """What Serve runs."""
        return self.observed.serve

    @property
    def step(self) -> Step | None:
        """The present step; None after the last."""
        done = self.status.current_step
        return self.spec.steps[done] if done < len(self.spec.steps) else None

    @property
    def comparison(self) -> Comparison | None:
        """What is compared in the present step, if there is a candidate."""
        if self.status.candidate is None or self.status.stable is None:
            return None
        return Comparison(
            rollout=f"{self.resource.uid}-{self.status.attempt}",
            step=self.status.current_step,
            stable=self.status.stable.revision,
            candidate=self.status.candidate.revision,
        )

    def change(self, **fields: Any) -> None:
        """Say something else of the rollout."""
        self.status = self.status.model_copy(update=fields)

    def tell(self, reason: str, message: str) -> None:
        """Add an Event that is no cause for worry."""
        self.notes.append(Note(NoteType.NORMAL, reason, message))

    def warn(self, reason: str, message: str) -> None:
        """Add an Event that somebody should look at."""
        self.notes.append(Note(NoteType.WARNING, reason, message))

    def elapsed(self, since: datetime) -> timedelta:
        """How long something lasts; a clock that was set back makes it no shorter than nothing."""
        return max(self.now - since, timedelta())

    def application(self, record: RevisionRecord) -> Application | None:
        """A revision's application in Serve, unless there is none or it is being deleted."""
        live = self.serve.revisions.get(record.revision)
        return None if live is None else self.serve.application_of(live)

    @property
    def stable_gone(self) -> bool:
        """Whether Serve gave up on the stable revision, so that nobody answers."""
        stable = self.status.stable
        application = None if stable is None else self.application(stable)
        return application is not None and application.broken and application.replicas == 0

    def replicas(self, record: RevisionRecord | None) -> int:
        """How many of a revision's replicas run."""
        application = None if record is None else self.application(record)
        return 0 if application is None else application.replicas

    def enter(self, record: RevisionRecord, outcome: Outcome, reason: str = "") -> None:
        """Write into the history how a revision's rollout ended."""
        entry = HistoryEntry(
            revision=record.revision, digest=record.digest, outcome=outcome, reason=reason[:_LONGEST], at=self.now
        )
        self.change(history=(*self.status.history, entry)[-self.spec.revision_history_limit :])

    def retain(self, record: RevisionRecord, span: timedelta, *, was_stable: bool) -> None:
        """Keep a revision loaded, without requests, for a while."""
        kept = record.model_copy(update={"until": self.now + max(span, LINGER), "was_stable": was_stable})
        others = (one for one in self.status.retained if one.digest != record.digest)
        self.change(retained=(*others, kept)[-_MOST_RETAINED:])

    def forget(self, digest: str) -> None:
        """Retain this revision no longer."""
        self.change(retained=tuple(one for one in self.status.retained if one.digest != digest))


def new_record(spec: ModelRolloutSpec) -> RevisionRecord:
    """The revision that the spec names, as it would be loaded now."""
    return RevisionRecord(
        revision=revision_name(spec.artifact.digest),
        uri=spec.artifact.uri,
        digest=spec.artifact.digest,
        gpus_per_replica=spec.autoscaling.gpus_per_replica,
    )
