"""Runs roles until one breaks or the process is told to stop."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Protocol

logger = logging.getLogger(__name__)


class Role(Protocol):
    """A part of the work that can run in a process of its own or beside others."""

    @property
    def name(self) -> str:
        """The role's name on the command line."""

    async def start(self) -> None:
        """Take part; return once it does."""

    async def watch(self) -> None:
        """Stay as long as the role works; whatever breaks it comes out here."""

    async def stop(self) -> None:
        """Finish what was begun, within bounded time, and leave. Also after a start that failed."""


async def run(roles: Sequence[Role], stopping: asyncio.Event, ready: Callable[[], None]) -> None:
    """Run roles together until stopping is set; call ready once, when all of them take part.

    Raises:
        Exception: whatever broke a role, once all the others have stopped.
    """
    running = asyncio.create_task(_run_all(roles, ready), name="roles")
    told = asyncio.create_task(stopping.wait(), name="stopping")
    try:
        await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        if not running.done():
            running.cancel()
        await asyncio.wait({running, told})
        outcomes = await asyncio.gather(*(role.stop() for role in roles), return_exceptions=True)
        for role, outcome in zip(roles, outcomes, strict=True):
            if isinstance(outcome, Exception):
                logger.error("The role %s did not stop well", role.name, exc_info=outcome)
    with contextlib.suppress(asyncio.CancelledError):
        running.result()


async def _run_all(roles: Sequence[Role], ready: Callable[[], None]) -> None:
    await _all(role.start() for role in roles)
    ready()
    await _all(role.watch() for role in roles)


async def _all(works: Iterable[Coroutine[None, None, None]]) -> None:
    """Wait for all; the first error ends the others and comes out as it is, not in a group."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
