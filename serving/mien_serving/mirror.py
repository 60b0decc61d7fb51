"""Asks a second revision what the first one was asked, after the answer was sent, and has both counted. Without Ray.

Whatever goes wrong here is no caller's business: it is counted as dropped, and nothing is raised.
"""

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from contextvars import Context
from typing import Any, Final, Protocol

from mien_core.errors import MienError, Missing, Rejected, Unavailable
from mien_core.model.comparisons import Comparison, Tally
from mien_core.model.serving import FaceRequest
from mien_core.rules.comparing import outcome_of
from mien_core.rules.routing import is_mirrored
from mien_serving.counting import RouterCount
from mien_serving.routes import Shadow

log = logging.getLogger(__name__)

Result = bytes | MienError

# A mirrored request takes its place in the candidate's queue; more at once would make its real callers wait.
MOST_IN_FLIGHT: Final = 4
_MIRROR_SECONDS: Final = 30.0
_TELL_SECONDS: Final = 1.0


class NotThereError(Exception):
    """The revision is still starting, or is gone: that says nothing of what it would answer."""


class Revisions(Protocol):
    """How another revision is reached."""

    def ask(self, revision: str, request: FaceRequest) -> Awaitable[Result]:
        """Its answer, or the error that a caller would hear.

        Raises:
            NotThereError: nobody could ask it.
        """


class Counting(Protocol):
    """Where it is counted."""

    def pair(self, comparison: Comparison, stable: Result, candidate: Result) -> Awaitable[None]:
        """What both revisions said to the same request."""

    def add(self, comparison: Comparison, tally: Tally) -> Awaitable[None]:
        """What else was seen."""


class Mirror:
    """Mirrors the requests of one comparison.

    Args:
        shadow: which revisions, and how many requests.
        revisions: reaches the other one.
        counting: told of both.
    """

    def __init__(self, shadow: Shadow, revisions: Revisions, counting: Counting) -> None:
        self.shadow = shadow
        self._revisions = revisions
        self._counting = counting
        self._seen = RouterCount()
        self._telling = False
        self._mirroring = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def answered(self, request: FaceRequest, revision: str, result: bytes | Exception, seconds: float) -> None:
        """Take note of a request that was answered, and begin what follows from it; it waits for nothing.

        Args:
            request: as it came, without a revision of its own.
            revision: which one answered.
            result: the answer, or the error that the caller heard.
            seconds: how long it took.
        """
        if revision not in {self.shadow.stable, self.shadow.candidate}:
            return
        failed = isinstance(result, Exception) and not isinstance(result, Missing | Rejected)
        side = self._seen.stable if revision == self.shadow.stable else self._seen.candidate
        side.note(seconds * 1000, failed=failed)
        self._tell_soon()
        unfit = isinstance(result, Exception) and outcome_of(result) is None
        if unfit or not is_mirrored(request.upload_id, self.shadow.percent):
            return
        if self._mirroring >= MOST_IN_FLIGHT:
            self._seen.dropped += 1
            return
        self._mirroring += 1
        self._begin(self._mirror(request, revision, _sendable(result)))

    async def settled(self) -> None:
        """Return once nothing is in flight any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _mirror(self, request: FaceRequest, revision: str, result: Result) -> None:
        is_stable = revision == self.shadow.stable
        other = self.shadow.candidate if is_stable else self.shadow.stable
        try:
            second = await self._ask(other, request)
            stable, candidate = (result, second) if is_stable else (second, result)
            await self._counting.pair(self.shadow.comparison, stable, candidate)
        except Exception as error:  # noqa: BLE001 - nobody waits for it, and it is counted
            self._drop(error)
        finally:
            self._mirroring -= 1

    async def _ask(self, revision: str, request: FaceRequest) -> Result:
        again = request.model_copy(update={"revision": revision, "mirrored": True})
        try:
            async with asyncio.timeout(_MIRROR_SECONDS):
                return await self._revisions.ask(revision, again)
        except NotThereError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the revision answered
            return _sendable(error)

    def _drop(self, error: Exception) -> None:
        log.debug("A comparison was dropped: %r", error)
        self._seen.dropped += 1
        self._tell_soon()

    def _tell_soon(self) -> None:
        if not self._telling:
            self._telling = True
            self._begin(self._tell())

    async def _tell(self) -> None:
        """Tell what was seen within a second, in one go."""
        await asyncio.sleep(_TELL_SECONDS)
        seen, self._seen, self._telling = self._seen, RouterCount(), False
        try:
            await self._counting.add(self.shadow.comparison, seen.tally())
        except Exception as error:  # noqa: BLE001 - what is lost is no data, which an analysis waits for
            log.debug("Some traffic was not counted: %r", error)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        # In a context of its own: what Serve does to the request that began it must not happen to it.
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _sendable(result: bytes | Exception) -> Result:
    """What another process can read."""
    if isinstance(result, bytes | MienError):
        return result
    return Unavailable("call_failed", f"The revision's call failed: {type(result).__name__}.")
