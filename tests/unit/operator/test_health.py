"""The kubelet hears whether the process is stuck, Prometheus what it counts."""

import httpx
import pytest

from mien_operator.health import application, served
from mien_operator.pulse import Pulse


class Clock:
    """A clock that only the test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("silent", "status"), [(0.0, 200), (209.0, 200), (211.0, 503)])
async def test_a_process_that_hears_nothing_is_stuck(silent: float, status: int) -> None:
    """After 210 s without a word of the cluster it is started again; the answer says how long it was."""
    clock = Clock()
    pulse = Pulse(clock)
    clock.now += 1000
    pulse.beat()
    clock.now += silent
    async with served(application(pulse, lambda: True), "127.0.0.1", 0) as port, httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/healthz")
    assert answer.status_code == status
    assert answer.json()["secondsSinceLastEvent"] == silent
    assert answer.json()["leading"] is True


async def test_metrics_are_of_this_moment() -> None:
    """Who leads, and how long ago the cluster was heard of, is as it is when it is asked."""
    clock = Clock()
    pulse = Pulse(clock)
    clock.now += 7
    async with served(application(pulse, lambda: False), "127.0.0.1", 0) as port, httpx.AsyncClient() as client:
        text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    assert "mien_operator_leading 0.0" in text
    assert "mien_operator_last_event_seconds 7.0" in text
