"""What counts how two revisions' answers differ: its shell around Ray Serve.

It reads answers in a process of its own, so that reading them keeps no request waiting.
"""

from datetime import UTC, datetime

from mien_core.errors import MienError
from mien_core.model.comparisons import Comparison, Tally, windows_to_json
from mien_core.rules.comparing import outcome_of, tally_of
from mien_serving.windows import Windows


class Comparisons:
    """The one replica. It keeps sums, and nothing of an answer or of a person."""

    def __init__(self) -> None:
        self._windows = Windows(_now)

    async def pair(self, comparison: Comparison, stable: bytes | MienError, candidate: bytes | MienError) -> None:
        """Compare what both revisions said to the same request."""
        outcomes = outcome_of(stable), outcome_of(candidate)
        if outcomes[0] is not None and outcomes[1] is not None:
            self._windows.add(comparison, tally_of(outcomes[0], outcomes[1]))

    async def add(self, comparison: Comparison, tally: Tally) -> None:
        """Count what a router saw."""
        self._windows.add(comparison, tally)

    async def windows(self) -> bytes:
        """All windows, as mien_core.model.comparisons.windows_from_json reads them."""
        return windows_to_json(self._windows.all(), _now())


def _now() -> datetime:
    return datetime.now(UTC)
