"""Lag in seconds."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import prometheus_client
import pytest

from mien_core.errors import Unavailable
from mien_streams import lag
from mien_streams.lag import Lag
from tests.unit.streams.stand_ins import until


class Kafka:
    """Says when the first uncommitted records were written."""

    def __init__(self) -> None:
        self.first: dict[int, datetime] = {}
        self.away = False
        self.looks = 0

    async def look(self) -> Mapping[int, datetime]:
        self.looks += 1
        if self.away:
            raise Unavailable("broker_unavailable", "Away.")
        return dict(self.first)

    async def next_look(self) -> None:
        seen = self.looks
        await until(lambda: self.looks > seen + 1)


def metric(handler: str) -> float:
    value = prometheus_client.REGISTRY.get_sample_value("mien_lag_seconds", {"handler": handler})
    assert value is not None
    return value


async def test_the_oldest_of_all_partitions_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """0 without any; while Kafka is away the age of what was last seen goes on growing."""
    monkeypatch.setattr(lag, "LOOK_EVERY_SECONDS", 0.01)
    kafka = Kafka()
    role = Lag("measured", kafka.look)
    await role.start()
    try:
        await kafka.next_look()
        assert metric("measured") == 0
        now = datetime.now(UTC)
        kafka.first = {0: now - timedelta(seconds=10), 3: now - timedelta(seconds=99), 4: now}
        await kafka.next_look()
        assert metric("measured") == pytest.approx(99, abs=5)
        kafka.away = True
        await kafka.next_look()
        before = metric("measured")
        await kafka.next_look()
        assert metric("measured") > before >= 99
        kafka.away, kafka.first = False, {}
        await kafka.next_look()
        assert metric("measured") == 0
    finally:
        await role.stop()


def test_clocks_that_differ_make_no_negative_lag() -> None:
    """A record from a machine whose clock is ahead is new."""
    role = Lag("ahead", Kafka().look)
    role._oldest = datetime.now(UTC) + timedelta(hours=1)
    assert role.seconds() == 0
