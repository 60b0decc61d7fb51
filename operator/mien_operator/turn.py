"""One turn of a resource: look, decide, do; and the edge, where errors become conditions, notes and pauses."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from mien_core.errors import MienError, Unavailable
from mien_operator import status
from mien_operator.apply import FINALIZER, AnyController, Applier
from mien_operator.crds.definition import Kind
from mien_operator.documents import Document, is_deleting, resource_of, without_history
from mien_operator.interruptions import Gone, NotLeading, Stale
from mien_operator.plan import Note, NoteType

logger = logging.getLogger(__name__)

# what nobody can mend by waiting is looked at again this seldom: somebody may have mended what it depends on
REFUSED_SECONDS: Final = 300.0
BUG: Final = "bug"
_BUG_REASON: Final = "InternalError"
_BUG_MESSAGE: Final = "The operator met a bug and tries again with growing pauses; its log has the trace."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a turn.

    Args:
        document: the resource as it is known to be then.
        look_again_seconds: the pause until the next turn; after a failure the least of it.
        code: the error's, after a failure.
    """

    document: Document
    look_again_seconds: float | None = None
    code: str | None = None

    @property
    def failed(self) -> bool:
        """Whether pauses grow."""
        return self.code is not None


class Reader(Protocol):
    """Who reads resources anew."""

    async def get(self, kind: Kind, name: str) -> Document:
        """Read one; raises Gone, or MienError where the cluster is away."""


class Turns:
    """Does turns.

    Args:
        controllers: what each kind brings, by its name.
        applier: carries plans out.
        reader: reads what has changed meanwhile.
    """

    def __init__(self, controllers: Mapping[str, AnyController], applier: Applier, reader: Reader) -> None:
        self._controllers = controllers
        self._applier = applier
        self._reader = reader

    async def do(self, kind: Kind, document: Document, failures: int) -> Outcome:
        """Do a turn; failures is how many went wrong before it.

        Raises:
            Gone: the resource is no more.
            NotLeading: another operator may be at work.
        """
        try:
            document = await self._applier.guard(kind, document)
            return await self._decided(kind, document)
        except (Gone, NotLeading):
            raise
        except Stale:
            return await self._anew(kind, document)
        except Unavailable as error:
            # if it is the cluster that is away, nobody can be told
            if failures == 0 and not error.code.startswith("cluster_"):
                await self._applier.tell(document, Note(NoteType.WARNING, status.camel(error.code), error.detail))
            return Outcome(document, error.retry_after, error.code)
        except MienError as error:
            document = await self._say(kind, document, status.camel(error.code), error.detail)
            return Outcome(document, REFUSED_SECONDS, error.code)
        except Exception:
            logger.exception("A turn met a bug", extra={"kind": kind.kind, "resource": document["metadata"]["name"]})
            return Outcome(await self._say(kind, document, _BUG_REASON, _BUG_MESSAGE), None, BUG)

    async def _decided(self, kind: Kind, document: Document) -> Outcome:
        if is_deleting(document) and FINALIZER not in document["metadata"].get("finalizers", ()):
            # tidied up; it waits for others
            return Outcome(document)
        controller = self._controllers[kind.kind]
        resource = resource_of(kind, document)
        observed = await controller.observe(resource)
        plan = controller.reconcile(resource, observed, self._applier.now())
        document = await self._applier.carry_out(kind, document, controller, resource, plan)
        return Outcome(document, plan.look_again_seconds)

    async def _anew(self, kind: Kind, document: Document) -> Outcome:
        try:
            fresh = await self._reader.get(kind, document["metadata"]["name"])
        except MienError as error:
            return Outcome(document, None, error.code)
        return Outcome(without_history(fresh), 0.0)

    async def _say(self, kind: Kind, document: Document, reason: str, message: str) -> Document:
        """Write that a resource isn't Ready, and tell it once."""
        current = document.get("status") or {}
        generation = document["metadata"].get("generation", 0)
        wanted = status.not_ready(reason, message, current, generation, self._applier.now())
        if status.difference(current, wanted) is None:
            return document
        await self._applier.tell(document, Note(NoteType.WARNING, reason, message))
        try:
            return await self._applier.write(kind, document, wanted)
        except (MienError, Stale) as error:
            logger.warning("A condition could not be written: %s", error)
            return document
