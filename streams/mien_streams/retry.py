"""How long to wait before trying again."""

import random
from collections.abc import Iterator


def backoff(first_seconds: float = 0.1, longest_seconds: float = 5.0) -> Iterator[float]:
    """Yield pauses without end: each up to twice the one before, at most longest_seconds, with jitter.

    The jitter is half of each pause: those who failed together must not come back together.
    """
    pause = first_seconds
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        pause = min(pause * 2, longest_seconds)
