"""What a rollout says of itself to programs and people: conditions, phase, step."""

from mien_core.rules.serve_config import ROUTER_APPLICATION
from mien_operator.plan import Condition, Truth
from mien_operator.rollouts.draft import Draft, Wait
from mien_operator.rollouts.orders import how_to_say
from mien_operator.rollouts.status import AppliedAutoscaling, Outcome, Phase, Weights

_ALL = 100
_NO_PROXY = "Serve's HTTP proxy doesn't listen. Serve starts it; if that lasts, see whether its port is taken."
_MOVING = frozenset({Phase.PENDING, Phase.LOADING, Phase.PROGRESSING, Phase.ANALYSING})
_RESTS = frozenset({Phase.HEALTHY, Phase.COMPARED, Phase.ABORTED})


def refusal(elder: str) -> tuple[Condition, ...]:
    """The conditions of a rollout of a model that an older one rolls out already."""
    message = f"The older ModelRollout {elder} rolls out this model. Change that one, or delete one of both."
    return (
        Condition("Ready", Truth.FALSE, "Conflict", message),
        Condition("Progressing", Truth.FALSE, "Conflict"),
        Condition("Paused", Truth.FALSE, "Conflict"),
        Condition("Degraded", Truth.TRUE, "Conflict", message),
    )


def describe(draft: Draft, wait: Wait | None) -> Wait:
    """Write phase, step, names and figures into the status; return what is waited for."""
    waits = wait or _at_rest(draft)
    status, spec = draft.status, draft.spec
    steps = len(spec.steps)
    if status.candidate is not None:
        step = f"{min(status.current_step + 1, steps)}/{steps}"
    elif status.ended is not None:
        step = status.step
    else:
        # the first revision takes none
        step = f"{steps if status.stable_proved else 0}/{steps}"
        draft.change(current_step=steps)
    draft.change(
        phase=waits.phase,
        step=step,
        stable_revision=status.stable.revision if status.stable else "",
        candidate_revision=status.candidate.revision if status.candidate else "",
        weights=_weights(draft),
        autoscaling=AppliedAutoscaling(
            min_replicas=spec.autoscaling.min_replicas,
            max_replicas=spec.autoscaling.max_replicas,
            target_ongoing_requests=spec.autoscaling.target_ongoing_requests,
            max_ongoing_requests=spec.autoscaling.max_ongoing_requests,
            max_queued_requests=spec.autoscaling.max_queued_requests,
            gpus_per_replica=status.stable.gpus_per_replica if status.stable else 0,
            stable_replicas=draft.replicas(status.stable),
            candidate_replicas=draft.replicas(status.candidate),
        ),
    )
    return waits


def conditions(draft: Draft, waits: Wait) -> tuple[Condition, ...]:
    """All conditions that follow."""
    paused = waits.phase in {Phase.PAUSED, Phase.HELD}
    moving = waits.phase in _MOVING
    return (
        _ready(draft),
        Condition("Progressing", Truth.TRUE if moving else Truth.FALSE, waits.reason, waits.message),
        Condition("Paused", Truth.TRUE if paused else Truth.FALSE, waits.reason, waits.message if paused else ""),
        _degraded(draft, waits),
    )


def _shifted(draft: Draft) -> bool:
    """Whether the router gives all requests to the stable revision.

    Once it does, it goes on doing so while it takes what else changed, as that a revision was unloaded.
    """
    stable = draft.status.stable
    if stable is None or draft.serve.weights.get(stable.revision, 0.0) != 1:
        return False
    rested = draft.before.phase in _RESTS and draft.before.stable_revision == stable.revision
    return draft.serve.router_settled or (rested and _router_answers(draft))


def _router_answers(draft: Draft) -> bool:
    """Whether requests find a router; while it takes a new configuration they wait for less than a second."""
    router = draft.serve.applications.get(ROUTER_APPLICATION)
    return router is not None and bool(router.replicas or router.updating)


def _at_rest(draft: Draft) -> Wait:
    """What there is to say without a candidate."""
    status = draft.status
    stable = status.stable.revision if status.stable else "The first revision"
    if not status.stable_proved:
        return Wait(Phase.LOADING, "FirstLoading", f"Serve loads {stable}, which answers as soon as it runs.", 1.0)
    if not draft.replicas(status.stable):
        return Wait(Phase.LOADING, "StableLoading", _complaint(draft), 1.0)
    if not _shifted(draft):
        return Wait(Phase.PROGRESSING, "ShiftingWeight", f"The router gives all requests to {stable}.", 1.0)
    if status.ended is not None:
        phase = Phase.ABORTED if status.ended.outcome is Outcome.ABORTED else Phase.COMPARED
        return Wait(phase, status.ended.reason, status.ended.message, _until_released(draft))
    if not draft.serve.listening:
        return Wait(Phase.PROGRESSING, "ProxyNotRunning", _NO_PROXY, 1.0)
    return Wait(Phase.HEALTHY, "Healthy", f"{stable} answers all requests.", _until_released(draft))


def _until_released(draft: Draft) -> float:
    """A look now and then finds what drifted; one in time lets go of what is kept for going back."""
    left = [(one.until - draft.now).total_seconds() for one in draft.status.retained if one.until is not None]
    return min([30.0, *(max(1.0, seconds) for seconds in left)])


def _weights(draft: Draft) -> Weights:
    status, live = draft.status, draft.serve.weights
    if status.candidate is not None:
        revision, desired = status.candidate.revision, status.weights.desired
    elif status.ended is not None or status.stable is None:
        return Weights()
    else:
        revision, desired = status.stable.revision, _ALL
    observed = round(live.get(revision, 0.0) * _ALL) if draft.serve.router_settled else status.weights.observed
    return Weights(desired=desired, observed=observed)


def _ready(draft: Draft) -> Condition:
    stable = draft.status.stable
    if stable is None or not draft.replicas(stable):
        return Condition("Ready", Truth.FALSE, "StableNotRunning", _complaint(draft))
    if not _router_answers(draft):
        return Condition("Ready", Truth.FALSE, "RouterNotRunning", "Serve's router isn't running; Serve starts it.")
    if not draft.serve.listening:
        return Condition("Ready", Truth.FALSE, "ProxyNotRunning", _NO_PROXY)
    return Condition("Ready", Truth.TRUE, "Serving", f"{stable.revision} answers.")


def _complaint(draft: Draft) -> str:
    stable = draft.status.stable
    application = None if stable is None else draft.application(stable)
    if stable is None or application is None:
        return "The stable revision isn't loaded yet."
    if draft.stable_gone:
        return (
            f"Serve gave up on {stable.revision}: {application.complaint} Then annotate {how_to_say(draft, 'retry')}."
        )
    return f"Serve loads {stable.revision}. {application.complaint if application.complaint_code else ''}".strip()


def _degraded(draft: Draft, waits: Wait) -> Condition:
    if draft.stable_gone:
        return Condition("Degraded", Truth.TRUE, "StableBroken", _complaint(draft))
    if waits.phase is Phase.HELD:
        return Condition("Degraded", Truth.TRUE, waits.reason, waits.message)
    ended = draft.status.ended
    if ended is not None and ended.outcome is Outcome.ABORTED:
        # from the moment of it on, whatever the phase says of what else is done meanwhile
        return Condition("Degraded", Truth.TRUE, ended.reason, ended.message)
    return Condition("Degraded", Truth.FALSE, "AsWanted")
