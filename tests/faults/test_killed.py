"""kill -9 of each part in turn, with jobs under way."""

import asyncio

import pytest

from tests.faults.schedule import Schedule

pytestmark = pytest.mark.timeout(180)

JOBS = 100
RATE = 50.0
WORKER_SECONDS = 15.0
RELAY_SECONDS = 5.0


@pytest.mark.parametrize("name", ["worker-a", "worker-b", "relay-a", "relay-b", "serving"])
async def test_a_killed_process_costs_nothing(schedule: Schedule, seed: int, name: str) -> None:
    """Everything that was accepted before, meanwhile and after is done once, and the lag is normal again in time."""
    platform = schedule.platform
    async with schedule.fault(f"kill -9 {name}", seed) as row:
        feeding = asyncio.create_task(platform.feed(JOBS, RATE))
        await asyncio.sleep(platform.luck.uniform(0.2, 0.8) * JOBS / RATE)
        row.happens()
        platform.processes[name].kill()
        await feeding
    assert row.recovery is not None
    assert row.recovery < (RELAY_SECONDS if name.startswith("relay") else WORKER_SECONDS)
