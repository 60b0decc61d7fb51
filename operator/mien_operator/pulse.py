"""When the cluster was last heard of."""

import time
from collections.abc import Callable


class Pulse:
    """Beaten by each event that a watch brings and each probe that is answered.

    Args:
        monotonic: the clock.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last = monotonic()

    def beat(self) -> None:
        """Say that the cluster was heard of just now."""
        self._last = self._monotonic()

    @property
    def seconds(self) -> float:
        """How long ago that was; at first, since the process began."""
        return self._monotonic() - self._last
