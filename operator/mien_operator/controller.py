"""What each kind of resource brings: how to look, how to decide, how to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from mien_operator.plan import Plan

Spec = TypeVar("Spec", bound=BaseModel)
Observed = TypeVar("Observed")
Action = TypeVar("Action")


@dataclass(frozen=True, slots=True)
class Resource(Generic[Spec]):
    """A resource as the API server has it.

    Args:
        namespace: where it is.
        name: what it is called there.
        uid: what it is called for ever.
        generation: counts the changes of its spec.
        annotations: what people and the operator wrote on it.
        spec: what is wanted, checked.
        status: what was last said of it, as it stands there.
        created_at: since when it is there.
        deleting: whether somebody asked for its deletion.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    annotations: Mapping[str, str]
    spec: Spec
    status: Mapping[str, Any]
    created_at: datetime
    deleting: bool = False


class Controller(Protocol[Spec, Observed, Action]):
    """One kind of resource.

    observe and perform speak to the world and raise mien_core's errors: Unavailable is tried again with growing pauses,
    all others become the condition Ready=False with their code and what to do.
    """

    kind: str

    async def observe(self, resource: Resource[Spec]) -> Observed:
        """Look at all that the decision needs."""

    def reconcile(self, resource: Resource[Spec], observed: Observed, now: datetime) -> Plan[Action]:
        """Decide. Pure: the same arguments give the same plan."""

    async def perform(self, resource: Resource[Spec], action: Action) -> None:
        """Do one thing; doing it again does no harm."""
