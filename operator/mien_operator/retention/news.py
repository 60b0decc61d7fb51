"""What is told of a policy's newest run: what its status doesn't say yet.

So each thing is told once, and an operator that died after it did something leaves the telling to the next one.
"""

from collections.abc import Mapping
from typing import Any, Final

from mien_operator.plan import Note, NoteType
from mien_operator.retention.report import counted
from mien_operator.retention.runs import Run

_AGREED: Final = frozenset({"approved", "deleting", "done", "failed"})
_EXPIRED: Final = "proposal_expired"


def news_of(status: Mapping[str, Any], run: Run | None) -> tuple[Note, ...]:
    """What happened to a run since a status was written: that it was asked for, that it was approved, how it ended."""
    if run is None:
        return ()
    last = status.get("lastRun") or {}
    known = last.get("state") if last.get("id") == run.id else None
    notes: list[Note] = []
    if known is None:
        notes.append(Note(NoteType.NORMAL, "RunAsked", f"The run {run.id} was asked for."))
    if known == "proposed" and run.state in _AGREED:
        notes.append(Note(NoteType.NORMAL, "RunApproved", f"The run {run.id} was approved: what it lists goes."))
    if run.ended and known != run.state:
        notes.append(_end_of(run))
    return tuple(notes)


def _end_of(run: Run) -> Note:
    if run.state == "done":
        return Note(NoteType.NORMAL, "RunDone", f"The run {run.id} is done: {counted(run)}.")
    if run.reason == _EXPIRED:
        message = f"The proposal {run.id} was not approved in time and is withdrawn. The next run makes another one."
        return Note(NoteType.WARNING, "ProposalExpired", message)
    message = f"The run {run.id} {run.state} ({run.reason}): {counted(run)}."
    return Note(NoteType.WARNING, "RunFailed" if run.state == "failed" else "RunStopped", message)
