"""The one place that carries plans out: finalizer, actions, notes, status, and the finalizer again.

Each step may be the last one of this process, and each may be done twice; mien_core.faults has a point after each.
The next look at the world makes the plan of what is left.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from pydantic import BaseModel

from mien_core import faults
from mien_core.errors import MienError
from mien_core.faults import Point
from mien_operator import status
from mien_operator.controller import Controller, Resource
from mien_operator.crds.definition import GROUP, Kind
from mien_operator.documents import Document, is_deleting, without_history
from mien_operator.plan import Note, Plan

logger = logging.getLogger(__name__)

FINALIZER: Final = f"{GROUP}/operator"
AnyController = Controller[Any, Any, Any]


class Store(Protocol):
    """Where resources stand; both calls give the resource as it is then, and raise Stale if it changed before."""

    async def patch_status(self, kind: Kind, body: Document, patch: Document) -> dict[str, Any]:
        """Change its status."""

    async def set_finalizers(self, kind: Kind, body: Document, finalizers: list[str]) -> dict[str, Any]:
        """Say who has to be done with it before it may go."""


class Teller(Protocol):
    """Who tells people."""

    async def tell(self, body: Document, note: Note, now: datetime) -> None:
        """Tell a note of a resource."""


def wall_clock() -> datetime:
    """The time, as controllers are given it."""
    return datetime.now(UTC)


class Applier:
    """Carries plans out.

    Args:
        store: where the resources stand.
        teller: where notes go.
        check: asked before each step; raises where another operator may be at work.
        now: the time.
    """

    def __init__(
        self,
        store: Store,
        teller: Teller,
        check: Callable[[], None],
        now: Callable[[], datetime] = wall_clock,
    ) -> None:
        self._store = store
        self._teller = teller
        self._check = check
        self.now = now

    async def guard(self, kind: Kind, document: Document) -> Document:
        """Put the finalizer on a resource before anything is done for it, so that it can't go without being tidied up.

        Raises:
            Stale: it changed since it was read.
            MienError: the cluster is away, or refuses.
            NotLeading: another operator may be at work.
        """
        finalizers = document["metadata"].get("finalizers") or []
        if FINALIZER in finalizers or is_deleting(document):
            return document
        self._check()
        guarded = await self._store.set_finalizers(kind, document, [*finalizers, FINALIZER])
        faults.reached(Point.OPERATOR_GUARDED)
        return without_history(guarded)

    async def carry_out(
        self,
        kind: Kind,
        document: Document,
        controller: AnyController,
        resource: Resource[BaseModel],
        plan: Plan[Any],
    ) -> Document:
        """Do what a plan says, in order; give the resource as it is then.

        Raises:
            Stale: it changed since it was read.
            MienError: what an action met, or the cluster; later actions, notes and status wait.
            NotLeading: another operator may be at work.
        """
        faults.reached(Point.OPERATOR_DECIDED)
        for action in plan.actions:
            self._check()
            await controller.perform(resource, action)
            faults.reached(Point.OPERATOR_ACTED)
        for note in plan.notes:
            await self.tell(document, note)
            faults.reached(Point.OPERATOR_TOLD)
        now = self.now()
        current = document.get("status") or {}
        wanted = status.planned(kind.status, plan, current, resource.generation, now)
        document = await self.write(kind, document, wanted)
        if is_deleting(document) and plan.released:
            document = await self._release(kind, document)
        return document

    async def write(self, kind: Kind, document: Document, wanted: Document) -> Document:
        """Make the status what is wanted, where it differs; give the resource as it is then.

        Raises:
            Stale: it changed since it was read.
            MienError: the cluster is away, or refuses.
            NotLeading: another operator may be at work.
        """
        patch = status.difference(document.get("status") or {}, wanted)
        if patch is None:
            return document
        self._check()
        written = await self._store.patch_status(kind, document, patch)
        faults.reached(Point.OPERATOR_WRITTEN)
        return without_history(written)

    async def tell(self, document: Document, note: Note) -> None:
        """Tell a note; who can't be told doesn't hold up the rest.

        Raises:
            NotLeading: another operator may be at work.
        """
        self._check()
        try:
            await self._teller.tell(document, note, self.now())
        except MienError as error:
            logger.warning("An event could not be written: %s", error, extra={"reason": note.reason})

    async def _release(self, kind: Kind, document: Document) -> Document:
        finalizers = document["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            return document
        self._check()
        released = await self._store.set_finalizers(kind, document, [name for name in finalizers if name != FINALIZER])
        faults.reached(Point.OPERATOR_RELEASED)
        return without_history(released)
