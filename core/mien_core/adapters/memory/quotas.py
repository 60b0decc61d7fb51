"""The Quotas port in memory: several processes' worth of limiters in one test, on a clock that the test turns."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mien_core.quotas import Lease, Unused, Wanted
from mien_core.rules.quotas import granted


@dataclass
class _Window:
    name: str
    ends_at: float
    used: int = 0


class MemoryQuotas:
    """Meets ports' Quotas.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: dict[str, _Window] = {}
        self._begun = 0

    async def lease(self, wanted: Sequence[Wanted]) -> list[Lease]:
        """See Quotas."""
        return [self._lease(one, self._clock()) for one in wanted]

    async def give_back(self, unused: Sequence[Unused]) -> None:
        """See Quotas."""
        for part in unused:
            window = self._windows.get(part.key)
            if window is not None and window.name == part.window:
                window.used = max(0, window.used - part.count)

    async def forget_expired(self) -> None:
        """See Quotas."""
        now = self._clock()
        self._windows = {key: window for key, window in self._windows.items() if window.ends_at > now}

    async def check(self) -> None:
        """See Quotas."""

    def _lease(self, wanted: Wanted, now: float) -> Lease:
        window = self._windows.get(wanted.key)
        if window is None or window.ends_at <= now:
            self._begun += 1
            window = self._windows[wanted.key] = _Window(str(self._begun), now + wanted.window_seconds)
        given = granted(wanted.limit, window.used, wanted.count)
        window.used += given
        return Lease(given, max(0, wanted.limit - window.used), window.name, window.ends_at - now)
