"""What a reconcile decides: what is to be done, what is to be said, and when to look again.

A plan is data. It is made by a pure function and carried out in one place, so that each decision can be tested without
a cluster, and so that being killed between any two of its steps is the same for all resources: the next look at the
world makes the plan of what is left.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

Action = TypeVar("Action")


class Truth(StrEnum):
    """What a condition may be, as Kubernetes writes it."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """A line of status.conditions; its time of transition is added where the plan is carried out.

    Args:
        type: what it is about, such as Ready.
        status: whether it holds.
        reason: one CamelCase word for programs.
        message: a sentence for people, that says what to do where something is wrong.
    """

    type: str
    status: Truth
    reason: str
    message: str = ""


class NoteType(StrEnum):
    """How loud a Kubernetes Event is."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Note:
    """A Kubernetes Event that a person understands; the same note again is counted, not repeated."""

    type: NoteType
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan(Generic[Action]):
    """What follows from a look at the world.

    Args:
        status: the status that the resource shall have, without conditions and observedGeneration.
        conditions: all of the resource's conditions.
        actions: what is to be done, in order. Each may be done twice without harm; those after one that fails wait.
        notes: what is to be told.
        look_again_seconds: when to look again even if nothing changes; None means only then.
        released: whether a resource that is being deleted may go.
    """

    status: Mapping[str, Any] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    actions: tuple[Action, ...] = ()
    notes: tuple[Note, ...] = ()
    look_again_seconds: float | None = None
    released: bool = True
