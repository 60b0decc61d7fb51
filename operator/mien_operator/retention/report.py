"""What a RetentionPolicy's status and conditions say of its newest run, for people."""

from datetime import datetime
from typing import Any, Final

from mien_operator.plan import Condition, Truth
from mien_operator.retention.runs import Run
from mien_operator.retention.spec import LastRun, Phase, Proposal, RetentionPolicyStatus, RuleCounts

# Its value is the id of the run that may delete what it lists.
APPROVE: Final = "mien.dev/approve"


def status_of(
    phase: Phase, run: Run | None, following: datetime | None, proposal: Proposal | None = None
) -> dict[str, Any]:
    """The policy's status."""
    last = None
    if run is not None:
        last = LastRun(
            id=run.id,
            state=run.state,
            started_at=run.as_of,
            ended_at=run.ended_at,
            listed=run.counts.listed,
            deleted=run.counts.deleted,
            held=run.counts.held,
            skipped=run.counts.skipped,
        )
    status = RetentionPolicyStatus(phase=phase, last_run=last, next_run_at=following, proposal=proposal)
    return status.model_dump(by_alias=True, mode="json")


def proposal_of(run: Run) -> Proposal:
    """What waits for an approval."""
    counts = tuple(
        RuleCounts(
            store=rule.store,
            data_class=rule.data_class,
            listed=rule.counts.listed,
            total=rule.counts.total,
            bytes=rule.counts.size,
        )
        for rule in run.rules
    )
    return Proposal(run_id=run.id, counts=counts, expires_at=run.expires_at or run.as_of)


def counted(run: Run) -> str:
    """What came of a run, in words."""
    counts = run.counts
    return f"{counts.listed} listed, {counts.deleted} deleted, {counts.held} held, {counts.skipped} skipped"


def how_to_approve(run: Run) -> str:
    """What to do about a proposal."""
    return f"Look at what it lists, and approve it with the annotation {APPROVE}={run.id}."


def ready() -> Condition:
    """The policy is carried out."""
    return Condition("Ready", Truth.TRUE, "Scheduled", "Runs begin as scheduled.")


def progressing(reason: str, message: str) -> Condition:
    """A run is under way."""
    return Condition("Progressing", Truth.TRUE, reason, message)


def idle(reason: str = "NothingUnderWay", message: str = "") -> Condition:
    """None is, and why."""
    return Condition("Progressing", Truth.FALSE, reason, message)


def paused() -> Condition:
    """Nobody wants one now."""
    return Condition("Paused", Truth.TRUE, "PausedBySpec", "No run begins. Set paused to false to go on.")


def healthy() -> Condition:
    """All is as expected."""
    return Condition("Degraded", Truth.FALSE, "AsExpected")


def health_of(run: Run | None) -> Condition:
    """Whether the last run met a bug."""
    if run is not None and run.state == "failed":
        message = f"The run {run.id} met {run.reason}. Look at the log of the role retention; the next run tries again."
        return Condition("Degraded", Truth.TRUE, "RunFailed", message)
    return healthy()


def breaker_of(run: Run) -> Condition:
    """Whether too much would go at once."""
    if run.reason != "too_many":
        return healthy()
    most = run.limits["maxPercent"]
    over = [
        f"{rule.counts.listed} of {rule.counts.total} {rule.data_class.value} in {rule.store.value}"
        for rule in run.rules
        if rule.counts.listed * 100 > most * rule.counts.total
    ]
    told = f"More than maxPercentPerRun ({most} %) would go: {', '.join(over)}."
    message = f"{told} {how_to_approve(run)} Or correct the rules."
    return Condition("Degraded", Truth.TRUE, "TooMany", message)
