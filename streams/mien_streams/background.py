"""What roles have in common that work by themselves, and not on events: one task, begun, watched and ended."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from typing import ClassVar, Final

# longer than a batch takes, and than a publisher takes to give one up
STOP_SECONDS: Final = 15.0


class BackgroundRole(ABC):
    """A role whose work is one task; it ends by itself soon after _stopping is set, and is cut off otherwise."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to work, or to stand by while another one does."""
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def watch(self) -> None:
        """Stay as long as the role works; a bug in it comes out here."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Finish the batch at hand and step down."""
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=STOP_SECONDS)
            self._task.cancel()
            await asyncio.wait({self._task})

    @abstractmethod
    async def _run(self) -> None:
        """Work until _stopping is set."""

    async def _pause(self, seconds: float) -> None:
        """Wait, and no longer than until the role is told to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
