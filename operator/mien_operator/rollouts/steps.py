"""A candidate's way: it is loaded, and then step follows step, each only once the one before is seen to be done."""

from datetime import timedelta

from mien_operator.rollouts import endings
from mien_operator.rollouts.draft import Draft, Wait
from mien_operator.rollouts.durations import span
from mien_operator.rollouts.looking import judge_step, recorded
from mien_operator.rollouts.orders import how_to_say
from mien_operator.rollouts.spec import Pause, StrategyType
from mien_operator.rollouts.status import Phase, RevisionRecord, Weights
from mien_operator.rollouts.surge import make_room

# How soon to look again while serving does something, and while something else is waited for.
SOON = 1.0
LATER = 5.0
_ALL = 100


def advance(draft: Draft, *, go_on: bool) -> Wait | None:
    """Go as far as can be gone now.

    Args:
        draft: the rollout; it has a candidate.
        go_on: whether somebody said that what waits for a person may go on.

    Returns:
        What is waited for, or None if there is no candidate any more.
    """
    wait = _broken(draft) or _loaded(draft) or judge_step(draft, go_on=go_on)
    while wait is None and draft.status.candidate is not None:
        wait = _step(draft, draft.status.candidate, go_on=go_on)
    return None if wait is None or draft.status.candidate is None else _in_time(draft, wait)


def _broken(draft: Draft) -> Wait | None:
    """A candidate that Serve gave up on, or lost, is aborted, whatever the policy: it can't answer."""
    candidate = draft.status.candidate
    application = None if candidate is None else draft.application(candidate)
    if application is None or not application.broken:
        return None
    if draft.status.serving_since is None and not draft.status.step_started_at and not draft.status.current_step:
        return Wait(Phase.PENDING, "Unloading", "What is left of an earlier attempt is unloaded first.", SOON)
    code = application.complaint_code
    reason = "".join(word.capitalize() for word in code.split("_")) if code else "CandidateBroken"
    again = f"Then name another artifact, or annotate {how_to_say(draft, 'retry')}."
    endings.abort(draft, reason, f"{application.complaint} {again}")
    return None


def _loaded(draft: Draft) -> Wait | None:
    candidate = draft.status.candidate
    if candidate is None:
        return None
    application = draft.application(candidate)
    if application is not None and (application.ready or application.replicas >= draft.spec.autoscaling.min_replicas):
        return None
    if application is None and (wait := make_room(draft, candidate)) is not None:
        return wait
    message = f"Serve loads {candidate.revision}."
    if application is not None and application.complaint_code:
        message = f"{message} {application.complaint}"
    return Wait(Phase.LOADING, "CandidateLoading", message, SOON, on_serving=True)


def _step(draft: Draft, candidate: RevisionRecord, *, go_on: bool) -> Wait | None:
    step = draft.step
    if draft.status.step_started_at is None or draft.status.step_started_at > draft.now:
        draft.change(step_started_at=draft.now)
    if draft.spec.paused:
        return Wait(Phase.PAUSED, "PausedBySpec", "spec.paused is true; set it to false to go on.", LATER)
    wait: Wait | None
    if step is None:
        return _finish(draft, candidate)
    if step.set_weight is not None:
        wait = _weigh(draft, candidate, step.set_weight)
    elif step.shadow is not None:
        draft.change(shadow_percent=step.shadow.percent)
        wait = None
    elif step.set_capacity is not None:
        wait = _give_capacity(draft, candidate, step.set_capacity.replicas)
    elif step.pause is not None:
        wait = _pause(draft, step.pause, go_on=go_on)
    else:
        wait = recorded(draft)
    if wait is None:
        draft.change(current_step=draft.status.current_step + 1, step_started_at=None, serving_since=None)
    return wait


def _weigh(draft: Draft, candidate: RevisionRecord, percent: int) -> Wait | None:
    if percent == _ALL and not draft.status.passed:
        message = "No analysis of this candidate passed, so it can't get all requests; put an analysis step before."
        return Wait(Phase.HELD, "AnalysisMissing", message, LATER)
    draft.change(weights=Weights(desired=percent, observed=draft.status.weights.observed))
    share = round(draft.serve.weights.get(candidate.revision, 0.0) * _ALL)
    if draft.serve.router_settled and share == percent:
        draft.change(weights=Weights(desired=percent, observed=percent))
        return None
    message = f"The router gives {candidate.revision} {percent} % of the requests."
    return Wait(Phase.PROGRESSING, "ShiftingWeight", message, SOON, on_serving=True)


def _give_capacity(draft: Draft, candidate: RevisionRecord, replicas: int) -> Wait | None:
    if draft.replicas(candidate) < replicas and (wait := make_room(draft, candidate, replicas)) is not None:
        return wait
    draft.change(capacity=replicas)
    if draft.replicas(candidate) >= replicas:
        return None
    message = f"{draft.replicas(candidate)} of {replicas} replicas of {candidate.revision} run."
    return Wait(Phase.PROGRESSING, "AddingReplicas", message, SOON, on_serving=True)


def _pause(draft: Draft, pause: Pause, *, go_on: bool) -> Wait | None:
    if go_on:
        return None
    if pause.duration is None:
        message = f"Waits for somebody: annotate {how_to_say(draft, 'promote')} to go on."
        return Wait(Phase.PAUSED, "PausedByStep", message, LATER)
    since = draft.status.step_started_at or draft.now
    left = span(pause.duration) - draft.elapsed(since)
    if left <= timedelta():
        return None
    until = (draft.now + left).isoformat(timespec="seconds")
    return Wait(Phase.PAUSED, "PausedForAWhile", f"Goes on at {until}.", min(left.total_seconds(), LATER))


def _finish(draft: Draft, candidate: RevisionRecord) -> Wait | None:
    if draft.spec.strategy.type is StrategyType.SHADOW:
        endings.compared(draft)
        return None
    wait = _weigh(draft, candidate, _ALL)
    if wait is None:
        endings.promote(draft)
    return wait


def _in_time(draft: Draft, wait: Wait) -> Wait | None:
    """Wait on, unless serving had its time."""
    if not wait.on_serving:
        draft.change(serving_since=None)
        return wait
    since = draft.status.serving_since
    if since is None or since > draft.now:
        draft.change(serving_since=draft.now)
    elif draft.elapsed(since) > timedelta(seconds=draft.spec.progress_deadline_seconds):
        seconds = draft.spec.progress_deadline_seconds
        message = (
            f"Serving was not done within {seconds} s. {wait.message} Look at Serve's logs, then annotate "
            f"{how_to_say(draft, 'retry')}, or name another artifact."
        )
        endings.abort(draft, "ProgressDeadlineExceeded", message)
        return None
    return wait
