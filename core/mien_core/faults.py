"""Fault points: lines at which a test lets a process die, or lose its database. docs/faults.md shows how.

They are switched on by MIEN_FAULTS, which names a file, and which processes of a production refuse (see settings). A
test writes into the file what is to happen, `job.ended:kill@3`: the third time from then on that this process comes to
that point, it is killed. Before, the file gets the ending .fired, so that a plan happens once, and that it happened
can be seen. Where MIEN_FAULTS isn't set, a point costs one comparison.
"""

import os
import signal
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from mien_core.errors import Unavailable

FIRED_SUFFIX = ".fired"


class Point(StrEnum):
    """All of them, and what has happened by then. The fault tests fail if one of them never fired."""

    what: str

    def __new__(cls, value: str, what: str = "") -> Self:
        """Make a member of its name and what it says."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.what = what
        return member

    JOB_CREATED = "intake.job-created", "a job is in the transaction, its event is not"
    JOB_QUEUED = "intake.job-queued", "a job and its event are in the transaction"
    COMMITTING = "transaction.committing", "all of a transaction's statements are done, nothing is committed"
    COMMITTED = "transaction.committed", "the transaction is committed, nobody was told (NOTIFY)"
    ANNOUNCED = "transaction.announced", "the transaction is committed, and whoever waits was told"
    RELAY_READ = "relay.read", "the relay knows what to publish and has published nothing"
    RECORDS_SENT = "publication.sent", "records are on their way to the broker, which has not confirmed them"
    RELAY_PUBLISHED = "relay.published", "the broker has the records, and the outbox has them still"
    RELAY_REMOVED = "relay.removed", "the broker has the records, and the outbox forgot them"
    DELIVERY_TAKEN = "delivery.taken", "a message is in the window, no work on it has begun"
    JOB_BEGUN = "job.begun", "the job is committed as being under way"
    JOB_WORKED = "job.worked", "the work has its result, nothing of it is written"
    JOB_WRITTEN = "job.written", "result, inbox and outbox are in the transaction, which is not committed"
    JOB_ENDED = "job.ended", "result, inbox and outbox are committed, the message is not acknowledged"
    RETRY_QUEUED = "delivery.put-off", "the retry is in the outbox, the message is not acknowledged"
    BURIED = "delivery.buried", "the dead letter is written, the message is not acknowledged"
    UPLOAD_NOTICED = "notification.noticed", "an S3 notification began its job, the message is not acknowledged"
    DELIVERY_DONE = "delivery.done", "a message has its outcome, the window doesn't know"
    DELIVERY_RELEASED = "delivery.released", "the window let a message go, its offset is not committed"
    OFFSETS_COMMITTING = "offsets.committing", "offsets are about to be committed"
    OFFSETS_COMMITTED = "offsets.committed", "offsets are committed"
    OBJECT_PUTTING = "object.putting", "an object is about to be written"
    OBJECT_PUT = "object.put", "an object is written, nobody knows yet"
    OBJECT_COPIED = "object.copied", "an object was copied, nobody knows yet"
    OPERATOR_GUARDED = "operator.guarded", "a resource has the operator's finalizer, nothing was done for it"
    OPERATOR_DECIDED = "operator.decided", "the plan for a resource is made, nothing of it is done"
    OPERATOR_ACTED = "operator.acted", "an action of a plan is done, what comes after it is not"
    OPERATOR_TOLD = "operator.told", "a Kubernetes Event is written, the resource's status is not"
    OPERATOR_WRITTEN = "operator.written", "a resource's status is written"
    OPERATOR_RELEASED = "operator.released", "a deleted resource has lost the operator's finalizer"


class Action(StrEnum):
    """What happens at a point: SIGKILL, SIGSTOP, or the error that says that the database is away."""

    KILL = "kill"
    FREEZE = "freeze"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens where, the how many-th time that the process comes there."""

    point: Point
    action: Action
    hit: int = 1

    def __str__(self) -> str:
        return f"{self.point}:{self.action}@{self.hit}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what str() wrote.

        Raises:
            ValueError: it is not of the form point:action@hit.
        """
        point, _, rest = text.strip().partition(":")
        action, _, hit = rest.partition("@")
        return cls(Point(point), Action(action), int(hit or 1))


class _Faults:
    """What this process's file says, and how often its point was reached since it does."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._text = ""
        self._fault: Fault | None = None
        self._hits = 0

    @property
    def planned(self) -> Fault | None:
        try:
            text = self._file.read_text()
        except FileNotFoundError:
            return None
        if text != self._text:
            self._text, self._fault, self._hits = text, Fault.parse(text), 0
        return self._fault

    def reached(self, point: Point) -> None:
        fault = self.planned
        if fault is None or point is not fault.point:
            return
        self._hits += 1
        if self._hits < fault.hit:
            return
        self._text = ""
        try:
            self._file.replace(self._file.with_suffix(FIRED_SUFFIX))
        except FileNotFoundError:
            # the plan was withdrawn since it was read
            return
        print(f"fault: {fault}", file=sys.stderr, flush=True)  # noqa: T201 - the last words of a process
        if fault.action is Action.AWAY:
            raise Unavailable("database_unavailable", f"The fault point {point} says that the database is away.")
        os.kill(os.getpid(), signal.SIGKILL if fault.action is Action.KILL else signal.SIGSTOP)


_faults: _Faults | None = None


def arm(file: Path | None) -> None:
    """Have this process's points do what the file says, whenever there is one; None disarms them."""
    global _faults  # noqa: PLW0603 - a point is reached deep inside of adapters, which know no settings
    _faults = None if file is None else _Faults(file)


def are_armed() -> bool:
    """Tell whether this process's points may do anything."""
    return _faults is not None


def is_planned(*points: Point) -> bool:
    """Tell whether something is to happen at one of these points.

    For those who have to do something in another way then, such as in two steps, since there is no line within one.
    """
    return _faults is not None and (fault := _faults.planned) is not None and fault.point in points


def reached(point: Point) -> None:
    """Do what is planned for this point, mostly nothing.

    Raises:
        Unavailable: database_unavailable, where that is the plan.
    """
    if _faults is not None:
        _faults.reached(point)
