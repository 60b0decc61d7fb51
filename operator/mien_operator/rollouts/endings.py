"""How a candidate's way ends: it takes over, it was compared, it is aborted, or another one is wanted."""

from datetime import timedelta

from mien_operator.rollouts.draft import Draft
from mien_operator.rollouts.durations import span
from mien_operator.rollouts.status import Ended, ModelRolloutStatus, Outcome, RevisionRecord, Weights

_LONGEST = 1000


def promote(draft: Draft) -> None:
    """Make the candidate the stable revision; the one before stays loaded for the rollback window."""
    candidate = draft.status.candidate
    if candidate is not None:
        draft.enter(candidate, Outcome.PROMOTED)
        draft.tell("Promoted", f"{candidate.revision} answers all requests.")
        make_stable(draft, candidate)
        draft.change(candidate=None, **_WITHOUT_CANDIDATE, ended=None)


def return_to(draft: Draft, record: RevisionRecord) -> None:
    """Give all requests to a revision that had them before and is still loaded."""
    draft.enter(record, Outcome.RETURNED)
    draft.tell("Returned", f"{record.revision} was stable before and is still loaded: it answers all requests again.")
    make_stable(draft, record)
    draft.change(candidate=None, **_WITHOUT_CANDIDATE, ended=None)


def make_stable(draft: Draft, record: RevisionRecord) -> None:
    """Let this revision answer, and keep the one that did so far."""
    before = draft.status.stable
    draft.forget(record.digest)
    if before is not None:
        draft.retain(before, span(draft.spec.rollback_window), was_stable=True)
    draft.change(stable=record.model_copy(update={"until": None, "was_stable": True}), stable_proved=True)


def compared(draft: Draft) -> None:
    """End a Shadow: nothing changes for anybody, and the candidate is unloaded."""
    message = "All steps are done and no analysis failed. Roll it out as a Canary or BlueGreen to let it answer."
    _end(draft, Outcome.COMPARED, "Compared", message)
    draft.tell("Compared", message)


def abort(draft: Draft, reason: str, message: str) -> None:
    """Give all requests back to the stable revision and don't try this candidate again by itself."""
    candidate = draft.status.candidate
    _end(draft, Outcome.ABORTED, reason, message)
    if candidate is not None:
        draft.warn("Aborted", f"{candidate.revision}: {message}")


def supersede(draft: Draft, message: str) -> None:
    """Leave a candidate because something else is wanted."""
    candidate = draft.status.candidate
    if candidate is not None:
        draft.enter(candidate, Outcome.SUPERSEDED, message)
        draft.tell("Superseded", f"{candidate.revision}: {message}")
        _leave(draft, candidate)


def _end(draft: Draft, outcome: Outcome, reason: str, message: str) -> None:
    candidate = draft.status.candidate
    if candidate is None:
        return
    draft.enter(candidate, outcome, message)
    ended = Ended(
        digest=candidate.digest, uri=candidate.uri, outcome=outcome, reason=reason, message=message[:_LONGEST]
    )
    _leave(draft, candidate)
    draft.change(ended=ended)


def _leave(draft: Draft, candidate: RevisionRecord) -> None:
    if _had_requests(draft.status):
        draft.retain(candidate, timedelta(), was_stable=False)
    draft.change(candidate=None, **_WITHOUT_CANDIDATE)


def _had_requests(status: ModelRolloutStatus) -> bool:
    return bool(status.weights.desired or status.weights.observed or status.shadow_percent)


_WITHOUT_CANDIDATE = {
    "weights": Weights(),
    "shadow_percent": 0,
    "capacity": 0,
    "step_started_at": None,
    "serving_since": None,
    "passed": False,
    "held": "",
}
