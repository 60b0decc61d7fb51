"""Where the time of a call went."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from time import perf_counter


class Timings:
    """Adds up milliseconds by step; several threads may."""

    def __init__(self) -> None:
        self._milliseconds: dict[str, float] = {}
        self._lock = Lock()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the time that the block takes to a step."""
        started = perf_counter()
        try:
            yield
        finally:
            spent = (perf_counter() - started) * 1000
            with self._lock:
                self._milliseconds[name] = self._milliseconds.get(name, 0.0) + spent

    def milliseconds(self) -> dict[str, float]:
        """Milliseconds by step, rounded to 3 decimals."""
        return {name: round(spent, 3) for name, spent in self._milliseconds.items()}
