"""Waiting for what will come, and not for a time."""

import time
from collections.abc import Callable

DEADLINE_SECONDS = 120.0


def until(condition: Callable[[], object], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Return once the condition is true; fail with `what` was waited for when it isn't in all that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited for it in vain: {what}"
        time.sleep(0.05)
