"""What follows from a LegalHold and the hold that the api knows of it: pure."""

from dataclasses import dataclass
from typing import Any

from mien_operator.controller import Resource
from mien_operator.holds.spec import LegalHoldSpec, LegalHoldStatus
from mien_operator.internal_holds import Hold
from mien_operator.plan import Condition, Note, NoteType, Plan, Truth


@dataclass(frozen=True, slots=True)
class Observed:
    """The hold that the api knows under the resource's uid."""

    hold: Hold | None


@dataclass(frozen=True, slots=True)
class Place:
    """Write the hold, or what is said about it."""

    wanted: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Release:
    """Lift the hold."""


Action = Place | Release


def wanted_of(resource: Resource[LegalHoldSpec]) -> dict[str, Any]:
    """The hold that a resource wants, as the api takes it."""
    spec = resource.spec.model_dump(by_alias=True, mode="json")
    return {"name": f"{resource.namespace}/{resource.name}", **spec}


def reconcile(resource: Resource[LegalHoldSpec], observed: Observed) -> Plan[Action]:
    """Decide what is to be done for a hold. It is Ready once its row is there, and by nothing else."""
    hold = observed.hold
    if resource.deleting:
        return _deleted(hold)
    if hold is None:
        message = "It is being written; deletions that are under way are waited for."
        return Plan(
            status=_status(None),
            conditions=(Condition("Ready", Truth.FALSE, "Placing", message),),
            actions=(Place(wanted_of(resource)),),
            look_again_seconds=0.0,
        )
    if hold.released_at is not None:
        message = (
            "It was lifted through the api and keeps nothing any more. Make another LegalHold, and delete this one."
        )
        return Plan(
            status=_status(hold),
            conditions=(Condition("Ready", Truth.FALSE, "Lifted", message),),
            notes=(Note(NoteType.WARNING, "Lifted", message),),
        )
    wanted = wanted_of(resource)
    said = (hold.name, hold.reason, hold.case_reference)
    outdated = said != (wanted["name"], wanted["reason"], wanted["caseReference"])
    message = "Nothing that it covers goes until this resource is deleted."
    return Plan(
        status=_status(hold),
        conditions=(Condition("Ready", Truth.TRUE, "Held", message),),
        actions=(Place(wanted),) if outdated else (),
        notes=() if "heldSince" in resource.status else (Note(NoteType.NORMAL, "Held", message),),
    )


def _deleted(hold: Hold | None) -> Plan[Action]:
    """Lift it before the resource goes, so that none stands that nobody can see."""
    if hold is None:
        return Plan(status=_status(hold))
    message = "It is lifted: what it kept may go."
    return Plan(
        status=_status(hold),
        conditions=(Condition("Ready", Truth.FALSE, "Lifting", message),),
        # an operator that died after it lifted it has told nobody
        actions=(Release(),) if hold.released_at is None else (),
        notes=(Note(NoteType.NORMAL, "Lifted", message),),
    )


def _status(hold: Hold | None) -> dict[str, Any]:
    status = LegalHoldStatus(held_since=None if hold is None else hold.created_at)
    return status.model_dump(by_alias=True, mode="json")
