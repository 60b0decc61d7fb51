"""How far an agent is behind, in seconds: the age of the first record that its group has not committed."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import prometheus_client

from mien_core.errors import Unavailable

logger = logging.getLogger(__name__)

LAG = prometheus_client.Gauge(
    "mien_lag_seconds", "Age of the oldest record on the topic that is not committed; 0 if there is none.", ["handler"]
)

# between two looks; the age itself is told of the moment in which it is asked for
LOOK_EVERY_SECONDS = 5.0


class Lag:
    """A role beside each agent, so that it goes on while the agent is paused, stuck, or still starts.

    While Kafka is away the lag goes on growing from what was last seen.

    Args:
        handler: whose lag it is.
        look: tells when the first uncommitted record of each partition was written, or raises Unavailable.
    """

    def __init__(self, handler: str, look: Callable[[], Awaitable[Mapping[int, datetime]]]) -> None:
        self.name = f"lag of {handler}"
        self._look = look
        self._oldest: datetime | None = None
        self._task: asyncio.Task[None] | None = None
        LAG.labels(handler).set_function(self.seconds)

    def seconds(self) -> float:
        """The lag now."""
        oldest = self._oldest
        # never negative: the two may come from two machines' clocks
        return 0.0 if oldest is None else max(0.0, (datetime.now(UTC) - oldest).total_seconds())

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def watch(self) -> None:
        """Stay as long as it looks; a bug in it comes out here."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        away = False
        while True:
            try:
                self._oldest = min((await self._look()).values(), default=None)
                away = False
            except Unavailable as error:
                if not away:
                    logger.warning("The %s can't be looked at: %s", self.name, error)
                away = True
            await asyncio.sleep(LOOK_EVERY_SECONDS)
