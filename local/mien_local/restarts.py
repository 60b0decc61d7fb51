"""When a part that ended is started again, and when no longer."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """How often and how fast: the waits double from first_seconds to most_seconds, less a random part of each.

    After `limit` restarts in a row the part is given up; one that was ready for steady_seconds begins a new row.
    """

    limit: int = 5
    first_seconds: float = 0.25
    most_seconds: float = 15.0
    steady_seconds: float = 60.0


class Restarts:
    """The recent past of one part. Times are seconds of any clock that only goes forward.

    Args:
        patience: the rules.
        chance: gives a number from 0 to 1; parts that ended together must not come back together each time.
    """

    def __init__(self, patience: Patience, chance: Callable[[], float] = random.random) -> None:
        self._patience = patience
        self._chance = chance
        self._in_a_row = 0
        self._ready_since: float | None = None

    @property
    def in_a_row(self) -> int:
        """How often it ended without having been steady in between."""
        return self._in_a_row

    def ready(self, now: float) -> None:
        """It can be used again."""
        self._ready_since = now

    def ended(self, now: float) -> float | None:
        """It ended, or could not be started: seconds to wait before the next try, None to give it up."""
        patience = self._patience
        if self._ready_since is not None and now - self._ready_since >= patience.steady_seconds:
            self._in_a_row = 0
        self._ready_since = None
        self._in_a_row += 1
        if self._in_a_row > patience.limit:
            return None
        whole = min(patience.first_seconds * 2.0 ** (self._in_a_row - 1), patience.most_seconds)
        return whole * (1.0 - self._chance() / 2)
