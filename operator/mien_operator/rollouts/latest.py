"""The newest comparisons that are known. Nobody waits long for statistics: a look that goes back must not."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

from mien_core.errors import MienError
from mien_core.model.comparisons import ComparisonWindow

logger = logging.getLogger(__name__)

# What counts answers starts together with the candidate, and until it runs the router has no answer.
PATIENCE_SECONDS: Final = 1.0
# Counts only grow, so old ones are true and not all; after this long they are no data.
KEPT_SECONDS: Final = 60.0


class Account(Protocol):
    """Who was told what was compared."""

    async def windows(self) -> tuple[ComparisonWindow, ...]:
        """See RouterApi."""


class LatestComparisons:
    """Reads an account, one reading at a time, and gives the last one where the next takes long or fails.

    Args:
        account: what is read.
        patience_seconds: how long a look waits for the next reading.
        monotonic: the clock.
    """

    def __init__(
        self,
        account: Account,
        patience_seconds: float = PATIENCE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._account = account
        self._patience_seconds = patience_seconds
        self._monotonic = monotonic
        self._known: tuple[ComparisonWindow, ...] = ()
        self._known_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def windows(self) -> tuple[ComparisonWindow, ...]:
        """What was compared, as far as it is known; nothing if nobody has said for a minute."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        done, _ = await asyncio.wait({self._reading}, timeout=self._patience_seconds)
        for reading in done:
            # a bug is the look's, which says so
            reading.result()
        return self._known if self._monotonic() - self._known_at <= KEPT_SECONDS else ()

    async def close(self) -> None:
        """Give up the reading that is under way."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    async def _read(self) -> None:
        try:
            self._known, self._known_at = await self._account.windows(), self._monotonic()
        except MienError as error:
            logger.info("Comparisons can't be read: %s", error)
