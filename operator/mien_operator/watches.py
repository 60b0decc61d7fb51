"""kopf's watches: what happens to the resources, told to the work.

kopf lists, watches, notices streams that went silent, and logs in anew; that is what it is used for. It runs in a
thread with an event loop of its own: at its end it cancels all tasks of the loop that it runs in, and reading a
thousand resources must not keep the lease waiting. Its handlers are the ones that see raw events. They write nothing
into resources, no progress, no last state and no finalizer: a turn of the work decides from what is.
"""

import asyncio
import concurrent.futures
import contextlib
import logging
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final

import kopf

from mien_core.errors import Unavailable
from mien_operator.crds.definition import GROUP, VERSION, Kind
from mien_operator.documents import Document

logger = logging.getLogger(__name__)

# The server ends a watch after this long, and kopf goes on from where it was.
SERVER_SECONDS: Final = 240
# A stream in which nothing came for so long is taken for dead; the server sends a bookmark each minute.
SILENT_SECONDS: Final = 75.0
_REQUEST_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 5.0
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 15.0

Heard = Callable[[Document, bool], None]


def registry(kinds: Iterable[Kind], login: Callable[[], kopf.ConnectionInfo], heard: Heard) -> kopf.OperatorRegistry:
    """Give kopf's handlers: one of raw events for each kind, and the one that logs in."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers, id="login", errors=kopf.ErrorsMode.TEMPORARY, backoff=1.0)
    def log_in(**_: Any) -> kopf.ConnectionInfo:
        try:
            return login()
        except Unavailable as error:
            raise kopf.TemporaryError(error.detail, delay=error.retry_after) from error

    def on_event(event: kopf.RawEvent, **_: Any) -> None:
        heard(event["object"], event["type"] == "DELETED")

    for kind in kinds:
        kopf.on.event(GROUP, VERSION, kind.plural, registry=handlers, id=f"hear-{kind.plural}")(on_event)
    return handlers


def operator_settings() -> kopf.OperatorSettings:
    """Give kopf's settings: it watches, and does nothing else."""
    settings = kopf.OperatorSettings()
    # one works at a time by the lease; peering would be a second opinion
    settings.peering.standalone = True
    # what has to be known of the cluster is given: the role allows no look at other namespaces
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.watching.server_timeout = SERVER_SECONDS
    settings.watching.inactivity_timeout = SILENT_SECONDS
    settings.watching.connect_timeout = _CONNECT_SECONDS
    settings.networking.request_timeout = _REQUEST_SECONDS
    settings.networking.connect_timeout = _CONNECT_SECONDS
    # it would kill the process that it is a part of
    settings.process.ultimate_exiting_timeout = None
    return settings


class Watches:
    """The watches of one namespace.

    Args:
        kinds: what is watched; the API server must serve them.
        namespace: where.
        login: who asks.
        heard: told of each event, in the loop that they run beside; the second argument is whether it is gone.
    """

    def __init__(
        self, kinds: Iterable[Kind], namespace: str, login: Callable[[], kopf.ConnectionInfo], heard: Heard
    ) -> None:
        self._kinds = tuple(kinds)
        self._namespace = namespace
        self._login = login
        self._heard = heard

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch for as long as the block lasts."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        stop: concurrent.futures.Future[None] = concurrent.futures.Future()

        def run() -> None:
            try:
                asyncio.run(self._watch(loop, stop))
            except Exception:
                logger.exception("The watches broke")
            finally:
                # whoever lost the lease doesn't wait, and may be gone by now
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=run, name="kopf", daemon=True).start()
        try:
            yield
        finally:
            stop.set_result(None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await ended.wait()

    async def _watch(self, loop: asyncio.AbstractEventLoop, stop: "concurrent.futures.Future[None]") -> None:
        """Have kopf watch until told to stop; begin anew where it gives up, as on an API server that is long away."""

        def heard(document: Document, deleted: bool) -> None:  # noqa: FBT001 - as kopf's handlers call it
            loop.call_soon_threadsafe(self._heard, document, deleted)

        stopping = asyncio.wrap_future(stop)
        pause = _FIRST_PAUSE_SECONDS
        while not stopping.done():
            began = time.monotonic()
            watching = asyncio.create_task(self._operator(heard))
            await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                # cancelled it stops at once; by a flag it would wait for tasks of its own
                watching.cancel()
                await asyncio.wait({watching})
                return
            if time.monotonic() - began > _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            logger.warning(
                "The watches ended by themselves and begin anew",
                exc_info=watching.exception(),
                extra={"pause_seconds": pause},
            )
            await asyncio.wait({stopping}, timeout=pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _operator(self, heard: Heard) -> None:
        await kopf.operator(
            registry=registry(self._kinds, self._login, heard),
            settings=operator_settings(),
            namespaces=[self._namespace],
        )
