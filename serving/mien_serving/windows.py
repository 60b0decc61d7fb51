"""The windows of comparisons, as many as can be looked at: the ones that nothing was added to for longest go first."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Final

from mien_core.model.comparisons import Comparison, ComparisonWindow, Tally

MOST_WINDOWS: Final = 64


class Windows:
    """In memory only: after a restart there is no data, which is what an analysis then reads.

    Args:
        clock: says when a window begins.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._windows: OrderedDict[Comparison, ComparisonWindow] = OrderedDict()

    def add(self, comparison: Comparison, tally: Tally) -> None:
        """Count more for this comparison."""
        window = self._windows.pop(comparison, None) or ComparisonWindow(comparison, self._clock())
        self._windows[comparison] = window.plus(tally)
        if len(self._windows) > MOST_WINDOWS:
            self._windows.popitem(last=False)

    def all(self) -> tuple[ComparisonWindow, ...]:
        """All that are known, the one that was added to last at the end."""
        return tuple(self._windows.values())
