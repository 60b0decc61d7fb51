"""What follows from an ErasureRequest and the erasure that the api knows of it: pure."""

from dataclasses import dataclass
from typing import Any, Final

from mien_operator.controller import Resource
from mien_operator.erasures.spec import CertificateStatus, ErasureRequestSpec, ErasureRequestStatus, Phase
from mien_operator.internal_holds import Erasure
from mien_operator.plan import Condition, Note, NoteType, Plan, Truth

# How often an erasure that is under way is looked at, and one that waits for a hold to be lifted.
UNDER_WAY_SECONDS: Final = 5.0
BLOCKED_SECONDS: Final = 60.0
# what every status has, and no model of one
_SHELLS: Final = frozenset({"conditions", "observedGeneration"})


@dataclass(frozen=True, slots=True)
class Observed:
    """The erasure that the api knows under the resource's uid, and its certificate once there is one."""

    erasure: Erasure | None
    certificate: CertificateStatus | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for the erasure, or for its beginning if it was blocked."""


def reconcile(resource: Resource[ErasureRequestSpec], observed: Observed) -> Plan[Ask]:
    """Decide what is to be done for a request. What was asked for is carried out, also if the request is deleted."""
    erasure = observed.erasure
    if resource.deleting:
        return Plan(status={name: said for name, said in resource.status.items() if name not in _SHELLS})
    if erasure is None:
        return Plan(
            status=_status(Phase.PENDING, None),
            conditions=(_not_ready("Pending", "It is being asked for."), _progressing("Asking")),
            actions=(Ask(),),
            look_again_seconds=0.0,
        )
    match erasure.state:
        case "erased":
            return _erased(resource, erasure, observed.certificate)
        case "blocked":
            return _blocked(resource, erasure)
        case "failed":
            return _failed(resource, erasure)
        case _:
            return Plan(
                status=_status(Phase.ERASING, erasure),
                conditions=(_not_ready("Erasing", "Rows and objects are being deleted."), _progressing("Erasing")),
                notes=_once(resource, Phase.ERASING, NoteType.NORMAL, "Erasing", f"The job {erasure.job_id} erases."),
                look_again_seconds=UNDER_WAY_SECONDS,
            )


def _erased(
    resource: Resource[ErasureRequestSpec], erasure: Erasure, certificate: CertificateStatus | None
) -> Plan[Ask]:
    message = "Nothing is left, and status.certificate proves it."
    return Plan(
        status=_status(Phase.ERASED, erasure, certificate),
        conditions=(Condition("Ready", Truth.TRUE, "Erased", message), _idle()),
        notes=_once(resource, Phase.ERASED, NoteType.NORMAL, "Erased", message),
    )


def _blocked(resource: Resource[ErasureRequestSpec], erasure: Erasure) -> Plan[Ask]:
    message = (
        "A legal hold covers the user, so what is left of them stays. It goes on by itself when none does any more."
    )
    return Plan(
        status=_status(Phase.BLOCKED, erasure),
        conditions=(_not_ready("LegalHold", message), _idle()),
        actions=(Ask(),),
        notes=_once(resource, Phase.BLOCKED, NoteType.WARNING, "LegalHold", message),
        look_again_seconds=BLOCKED_SECONDS,
    )


def _failed(resource: Resource[ErasureRequestSpec], erasure: Erasure) -> Plan[Ask]:
    message = (
        f"The job {erasure.job_id} failed: {erasure.code}. Look at the role erase-user's log and at the dead letters;"
        " then delete this resource and make another one."
    )
    return Plan(
        status=_status(Phase.FAILED, erasure),
        conditions=(_not_ready("Failed", message), _idle(), Condition("Degraded", Truth.TRUE, "Failed", message)),
        notes=_once(resource, Phase.FAILED, NoteType.WARNING, "Failed", message),
    )


def _status(phase: Phase, erasure: Erasure | None, certificate: CertificateStatus | None = None) -> dict[str, Any]:
    status = ErasureRequestStatus(phase=phase, certificate=certificate)
    if erasure is not None:
        known = {"job_id": erasure.job_id, "subject": erasure.subject}
        times = {"requested_at": erasure.requested_at, "erased_at": erasure.erased_at}
        status = status.model_copy(update=known | times)
    return status.model_dump(by_alias=True, mode="json")


def _once(
    resource: Resource[ErasureRequestSpec], phase: Phase, kind: NoteType, reason: str, message: str
) -> tuple[Note, ...]:
    """What is told when a phase begins."""
    return () if resource.status.get("phase") == phase else (Note(kind, reason, message),)


def _not_ready(reason: str, message: str) -> Condition:
    return Condition("Ready", Truth.FALSE, reason, message)


def _progressing(reason: str) -> Condition:
    return Condition("Progressing", Truth.TRUE, reason)


def _idle() -> Condition:
    return Condition("Progressing", Truth.FALSE, "NothingUnderWay")
