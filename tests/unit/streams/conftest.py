"""Fixtures of streams' unit tests."""

import pytest


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails once is put off, so that a test needn't wait."""
    monkeypatch.setattr("mien_streams.edge.IN_PLACE_SECONDS", 0.0)


class Clock:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """See time.monotonic."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """See asyncio.sleep."""
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The edge's time, so that a test takes none, and a machine that stands still takes none of the edge's."""
    clock = Clock()
    monkeypatch.setattr("mien_streams.edge.time", clock)
    monkeypatch.setattr("mien_streams.edge.asyncio", clock)
    return clock
