"""How far behind the platform is, watched all the time: the age of the oldest job that has not ended."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Self

import psycopg

WATCH_SECONDS = 0.1
# without faults jobs end within a tenth of this
NORMAL_SECONDS = 1.0

OLDEST = """
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8
    FROM jobs WHERE status IN ('created', 'processing')
"""


class LagMeter:
    """Notes the lag ten times a second; while nobody can tell it, it isn't normal."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._behind_at = 0.0
        self._is_behind = False
        self._caught_up_at = 0.0

    def recovery(self, since: float) -> float:
        """Seconds from a moment (of time.monotonic) until the lag was normal for good; 0 if it always was."""
        return max(0.0, self._behind_at - since)

    def has_caught_up(self, since: float) -> bool:
        """Tell whether it is not behind now, or was behind and then was not at any time after a moment."""
        return not self._is_behind or self._caught_up_at > since

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Watch as long as the block lasts."""
        watching = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            watching.cancel()
            await asyncio.wait({watching})

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(psycopg.Error):
                await self._watch_connected()
            self._note(is_behind=True)
            await asyncio.sleep(WATCH_SECONDS)

    async def _watch_connected(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            while True:
                row = await (await connection.execute(OLDEST)).fetchone()
                self._note(is_behind=row is None or row[0] > NORMAL_SECONDS)
                await asyncio.sleep(WATCH_SECONDS)

    def _note(self, *, is_behind: bool) -> None:
        now = time.monotonic()
        if is_behind:
            self._behind_at = now
        elif self._is_behind:
            self._caught_up_at = now
        self._is_behind = is_behind
