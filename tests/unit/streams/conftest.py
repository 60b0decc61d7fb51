"""Fixtures of streams' unit tests."""

import pytest


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails once is put off, so that a test needn't wait."""
    monkeypatch.setattr("mien_streams.edge.IN_PLACE_SECONDS", 0.0)
