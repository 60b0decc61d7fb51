"""Decides what follows from a look at a rollout: which configuration Serve shall have, and what is said of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mien_core.rules.serve_config import ROUTER_APPLICATION, ServeOptions
from mien_operator.plan import Note, NoteType, Plan
from mien_operator.rollouts.conditions import conditions, describe, refusal
from mien_operator.rollouts.draft import LINGER, Draft, Judge, Observed, RolloutResource, Wait
from mien_operator.rollouts.durations import span
from mien_operator.rollouts.orders import follow
from mien_operator.rollouts.status import ModelRolloutStatus, Phase
from mien_operator.rollouts.steps import advance
from mien_operator.rollouts.target import choose
from mien_operator.rollouts.wanted import configuration

_REFUSED_SECONDS = 30.0
# what a status says of what Serve shall run
_WANTED = ("stable", "candidate", "retained", "shadow_percent", "capacity", "current_step")


@dataclass(frozen=True, slots=True)
class PutConfiguration:
    """Give Serve its whole configuration."""

    configuration: dict[str, Any] = field(hash=False)


def reconcile(
    resource: RolloutResource, observed: Observed, now: datetime, options: ServeOptions, judge: Judge
) -> Plan[PutConfiguration]:
    """Decide what to do next. Pure: all that was decided before stands in the status or in Serve.

    Args:
        resource: the rollout.
        observed: what the world looks like.
        now: the time.
        options: what serving runs on besides what the rollout says.
        judge: what comparisons mean.

    Raises:
        Rejected: as mien_core.rules.serve_config.render.
    """
    before = ModelRolloutStatus.model_validate(dict(resource.status))
    if resource.deleting:
        # Whoever deletes a rollout doesn't mean that nobody shall answer: Serve goes on as it is.
        return Plan(status=_written(before), released=True)
    if observed.elder:
        refused = before.model_copy(update={"phase": Phase.REFUSED})
        return Plan(_written(refused), refusal(observed.elder), look_again_seconds=_REFUSED_SECONDS)
    draft = Draft(resource, observed, now, options, judge, before, before)
    wait = _think(draft)
    actions = _actions(draft, wait)
    waits = describe(draft, wait)
    return Plan(
        _written(draft.status),
        conditions(draft, waits),
        actions,
        (*draft.notes, *_healed(draft, before, actions)),
        1.0 if actions else waits.seconds,
    )


def _think(draft: Draft) -> Wait | None:
    _let_go(draft)
    choose(draft)
    go_on = follow(draft)
    choose(draft)
    return advance(draft, go_on=go_on) if draft.status.candidate is not None else None


def _let_go(draft: Draft) -> None:
    """Forget what was kept for going back and had its time; a window that shrank, or a clock set back, shortens it."""
    window = max(span(draft.spec.rollback_window), LINGER)
    latest = draft.now + window
    kept = tuple(
        one if one.until <= latest else one.model_copy(update={"until": latest})
        for one in draft.status.retained
        if one.until is not None and draft.now < one.until
    )
    if kept != draft.status.retained:
        draft.change(retained=kept)


def _actions(draft: Draft, wait: Wait | None) -> tuple[PutConfiguration, ...]:
    candidate = draft.status.candidate
    application = None if candidate is None else draft.application(candidate)
    loaded = application is not None and not application.broken
    load = wait is None or wait.phase is not Phase.PENDING or loaded
    wanted = configuration(draft, load=load)
    if wanted is None or (draft.serve.runs(wanted) and not draft.reload):
        return ()
    if draft.reload:
        wanted = {**wanted, "applications": []}
    return (PutConfiguration(wanted),)


def _healed(draft: Draft, before: ModelRolloutStatus, actions: tuple[PutConfiguration, ...]) -> tuple[Note, ...]:
    """Say that Serve's configuration was put again although nobody asked for another one."""
    same_spec = draft.resource.status.get("observedGeneration") == draft.resource.generation
    after = draft.status
    same = (
        before.phase is not Phase.PENDING
        and before.weights.desired == after.weights.desired
        and all(getattr(before, name) == getattr(after, name) for name in _WANTED)
    )
    if not (same and same_spec) or draft.reload or not any(_lost(draft, action) for action in actions):
        return ()
    message = "Serve didn't run what it was told, as after a restart; it was told again."
    return (Note(NoteType.WARNING, "Healed", message),)


def _lost(draft: Draft, action: PutConfiguration) -> bool:
    """Whether an application or a weight is gone; an application too many is only what is unloaded now."""
    live = draft.serve.applications
    applications = {application["name"]: application for application in action.configuration["applications"]}
    router = applications.pop(ROUTER_APPLICATION)
    revisions = router["deployments"][0]["user_config"]["revisions"]
    weights = {name: entry["weight"] for name, entry in revisions.items() if entry["weight"]}
    shifted = weights != {name: weight for name, weight in draft.serve.weights.items() if weight}
    # a candidate that was lost and runs again is given its share back, and that it was lost was said already
    expected = draft.before.phase is Phase.LOADING
    return (shifted and not expected) or any(
        name not in live or not live[name].is_as(application) for name, application in applications.items()
    )


def _written(status: ModelRolloutStatus) -> dict[str, Any]:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)
