"""What follows from a policy, its newest run and the time: pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from mien_core.errors import Rejected
from mien_operator.controller import Resource
from mien_operator.plan import Condition, Note, NoteType, Plan, Truth
from mien_operator.retention.news import news_of
from mien_operator.retention.report import (
    APPROVE,
    breaker_of,
    counted,
    health_of,
    healthy,
    how_to_approve,
    idle,
    paused,
    progressing,
    proposal_of,
    ready,
    status_of,
)
from mien_operator.retention.runs import Run, wanted_of
from mien_operator.retention.schedule import Schedule
from mien_operator.retention.spec import Phase, RetentionPolicySpec

# How often a run that is under way is looked at, and one that waits for people.
UNDER_WAY_SECONDS: Final = 5.0
WAITING_SECONDS: Final = 60.0
# Clocks are set back, and zones change: nobody sleeps for longer than this.
_LONGEST_SECONDS: Final = 3600.0
# A run that was told to stop has done so.
_STOPPING_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Observed:
    """The newest run that the api knows of the policy."""

    run: Run | None


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for the run of a scheduled moment."""

    run_id: str
    scheduled_at: datetime
    wanted: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Approve:
    """Pass on the approval of a proposal."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop a run."""

    run_id: str
    reason: str


Action = Ask | Approve | Stop


def run_id_of(policy_id: str, scheduled_at: datetime) -> str:
    """The id of the run of a scheduled moment: the same however often it is asked for."""
    return str(uuid5(UUID(policy_id), scheduled_at.isoformat()))


def reconcile(resource: Resource[RetentionPolicySpec], observed: Observed, now: datetime) -> Plan[Action]:
    """Decide what is to be done for a policy."""
    run = observed.run
    plan = _decided(resource, run, now)
    return replace(plan, notes=(*news_of(resource.status, run), *plan.notes))


def _decided(resource: Resource[RetentionPolicySpec], run: Run | None, now: datetime) -> Plan[Action]:
    if resource.deleting:
        return _released(run)
    spec = resource.spec
    try:
        schedule = Schedule.of(spec.schedule, spec.time_zone, now)
    except Rejected as error:
        return _invalid(run, error)
    if run is not None and not run.ended:
        return _open(resource, run, schedule, now)
    return _paused(run) if spec.paused else _between(resource, run, schedule, now)


def _open(resource: Resource[RetentionPolicySpec], run: Run, schedule: Schedule, now: datetime) -> Plan[Action]:
    """A run is under way, or waits: it goes on as long as it is what is wanted."""
    spec = resource.spec
    if spec.paused or not run.is_of(wanted_of(spec)):
        return _stopped(resource, run, "policy_paused" if spec.paused else "policy_changed")
    if run.state == "proposed":
        return _proposed(resource, run, schedule, now)
    return _under_way(run, schedule, now)


def _between(
    resource: Resource[RetentionPolicySpec], run: Run | None, schedule: Schedule, now: datetime
) -> Plan[Action]:
    """No run is under way: one is asked for if a moment has come since the last one's."""
    due = _due(resource, run, schedule, now)
    following = schedule.following(now)
    if due is not None and not news_of(resource.status, run):
        return Plan(
            status=status_of(Phase.LISTING, run, following),
            conditions=(ready(), progressing("Asked", "A run was asked for."), healthy()),
            actions=(due,),
            look_again_seconds=UNDER_WAY_SECONDS,
        )
    return Plan(
        status=status_of(Phase.WAITING, run, following),
        conditions=(ready(), idle(), health_of(run)),
        # how a run ended is told before another is asked for: of two, one would be seen no more
        look_again_seconds=_until(following, now) if due is None else 0.0,
    )


def _due(resource: Resource[RetentionPolicySpec], run: Run | None, schedule: Schedule, now: datetime) -> Ask | None:
    """What is to be asked for: the latest moment that came since the last run's, and never one a second time.

    A run that was asked for by a clock that was ahead counts from when the database noted it.
    """
    since = resource.created_at if run is None else min(run.scheduled_at, run.as_of)
    moment = schedule.latest(since, now)
    if moment is None:
        return None
    run_id = run_id_of(resource.uid, moment)
    if run is not None and run.id == run_id:
        return None
    return Ask(run_id, moment, wanted_of(resource.spec))


def _proposed(resource: Resource[RetentionPolicySpec], run: Run, schedule: Schedule, now: datetime) -> Plan[Action]:
    """A proposal waits for people until it expires; moments that come meanwhile are missed, but for the latest."""
    following = schedule.following(now)
    said = resource.annotations.get(APPROVE, "").strip()
    expired = run.expires_at is not None and now >= run.expires_at
    if said == run.id and not expired:
        return Plan(
            status=status_of(Phase.DELETING, run, following),
            conditions=(ready(), progressing("Approved", "What is on the approved list goes."), healthy()),
            actions=(Approve(run.id),),
            look_again_seconds=UNDER_WAY_SECONDS,
        )
    if expired:
        return Plan(
            status=status_of(Phase.WAITING, run, following),
            conditions=(ready(), idle(), healthy()),
            actions=(Stop(run.id, "proposal_expired"),),
            look_again_seconds=_STOPPING_SECONDS,
        )
    waiting = idle("AwaitingApproval", how_to_approve(run))
    if said:
        told = f"{APPROVE} names {said}, which is not the present proposal. {how_to_approve(run)}"
        waiting = idle("ApprovalIgnored", told)
    known = (resource.status.get("proposal") or {}).get("runId")
    asking = Note(NoteType.NORMAL, "RunProposed", f"The run {run.id} asks: {counted(run)}. {how_to_approve(run)}")
    left = WAITING_SECONDS if run.expires_at is None else (run.expires_at - now).total_seconds()
    return Plan(
        status=status_of(Phase.PROPOSED, run, following, proposal_of(run)),
        conditions=(ready(), waiting, breaker_of(run)),
        notes=() if known == run.id else (asking,),
        look_again_seconds=max(1.0, min(left, WAITING_SECONDS)),
    )


def _under_way(run: Run, schedule: Schedule, now: datetime) -> Plan[Action]:
    listing = run.state == "listing"
    message = f"{run.counts.listed} listed" if listing else counted(run)
    return Plan(
        status=status_of(Phase.LISTING if listing else Phase.DELETING, run, schedule.following(now)),
        conditions=(ready(), progressing("Listing" if listing else "Deleting", message), healthy()),
        look_again_seconds=UNDER_WAY_SECONDS,
    )


def _stopped(resource: Resource[RetentionPolicySpec], run: Run, reason: str) -> Plan[Action]:
    is_paused = resource.spec.paused
    return Plan(
        status=status_of(Phase.PAUSED if is_paused else Phase.WAITING, run, None),
        conditions=(ready(), idle(), healthy(), *((paused(),) if is_paused else ())),
        actions=(Stop(run.id, reason),),
        look_again_seconds=_STOPPING_SECONDS,
    )


def _paused(run: Run | None) -> Plan[Action]:
    conditions = (ready(), idle(), health_of(run), paused())
    return Plan(status=status_of(Phase.PAUSED, run, None), conditions=conditions)


def _invalid(run: Run | None, error: Rejected) -> Plan[Action]:
    """Nobody can tell what is wanted, so nothing goes on."""
    actions: tuple[Action, ...] = () if run is None or run.ended else (Stop(run.id, error.code),)
    reason = "".join(word.capitalize() for word in error.code.split("_"))
    return Plan(
        status=status_of(Phase.INVALID, run, None),
        conditions=(Condition("Ready", Truth.FALSE, reason, error.detail), idle(), healthy()),
        actions=actions,
        notes=(Note(NoteType.WARNING, reason, error.detail),),
    )


def _released(run: Run | None) -> Plan[Action]:
    """A policy goes once nothing is done in its name any more."""
    status = status_of(Phase.WAITING, run, None)
    if run is None or run.ended:
        return Plan(status=status, released=True)
    return Plan(
        status=status,
        actions=(Stop(run.id, "policy_deleted"),),
        look_again_seconds=_STOPPING_SECONDS,
        released=False,
    )


def _until(moment: datetime, now: datetime) -> float:
    return max(1.0, min((moment - now).total_seconds(), _LONGEST_SECONDS))
