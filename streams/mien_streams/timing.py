"""How long something took."""

import time


def since(started: float) -> float:
    """Milliseconds since then, a moment on time.monotonic's clock."""
    return (time.monotonic() - started) * 1000
