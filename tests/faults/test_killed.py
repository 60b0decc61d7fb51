"""kill -9 of each part in turn, and restarts in good order, with jobs under way."""

import asyncio
import signal

import pytest

from tests.faults.processes import until
from tests.faults.schedule import Row, Schedule, named, within

pytestmark = pytest.mark.timeout(600)

JOBS = 100
RATE = 50.0
UPLOADS = 40
WORKER_SECONDS = 15.0
RELAY_SECONDS = 5.0
# No promise: a server's or an api's own start, and the return of everyone to it, in the middle of everybody's work.
SERVER_SECONDS = 60.0
LIMITS = {"worker": WORKER_SECONDS, "relay": RELAY_SECONDS, "serving": SERVER_SECONDS}
# whichever relay was killed, then it is the other one that works
NEXT = {"relay-a": "relay-b", "relay-b": "relay-a"}


# the relay that isn't active at first is so at the latest once the other one was killed
@pytest.mark.parametrize("name", ["worker-a", "worker-b", "relay-a", "relay-b", "serving"])
async def test_a_killed_process_costs_nothing(schedule: Schedule, seed: int, name: str) -> None:
    """Everything that was accepted before, meanwhile and after is done once, and the lag is normal again in time."""
    platform = schedule.platform

    async def killed(turn: int) -> Row:
        victim = NEXT.get(name, name) if turn % 2 else name
        async with schedule.fault(named(f"kill -9 {victim}", turn), seed) as row:
            feeding = asyncio.create_task(platform.feed(JOBS, RATE))
            await asyncio.sleep(platform.luck.uniform(0.2, 0.8) * JOBS / RATE)
            row.happens()
            platform.processes[victim].kill()
            await feeding
        return row

    await within(LIMITS[name.partition("-")[0]], killed)


async def test_a_worker_that_stays_away_is_replaced(schedule: Schedule, seed: int) -> None:
    """Killed and not started again, its partitions go to the other one in time."""
    platform = schedule.platform

    async def killed(turn: int) -> Row:
        async with schedule.fault(named("kill -9 worker-a, for good", turn), seed) as row:
            feeding = asyncio.create_task(platform.feed(JOBS, RATE))
            await asyncio.sleep(platform.luck.uniform(0.2, 0.8) * JOBS / RATE)
            row.happens()
            async with platform.without("worker-a", stopped_by=signal.SIGKILL):
                await feeding
                await platform.settled()
        return row

    await within(WORKER_SECONDS, killed)


async def test_a_killed_api_costs_nothing(schedule: Schedule, seed: int) -> None:
    """Who was answered 2xx has a job, who was not asks again and gets the same job."""
    platform = schedule.platform
    async with schedule.fault("kill -9 api", seed) as row:
        calling = asyncio.create_task(platform.call_api(UPLOADS))
        answered = len(platform.accepted) + platform.luck.randint(1, UPLOADS // 2)
        await until(lambda: len(platform.accepted) >= answered, 60.0, "some calls are answered")
        row.happens()
        platform.processes["api"].kill()
        await platform.processes["api"].ready()
        row.returns()
        await calling
    assert row.recovery is not None
    assert row.recovery < SERVER_SECONDS


@pytest.mark.parametrize("name", ["kafka", "postgres", "s3"])
@pytest.mark.parametrize("how", ["kill -9", "restart"])
async def test_a_server_that_goes_and_comes_back_costs_nothing(
    schedule: Schedule, seed: int, name: str, how: str
) -> None:
    """Whoever calls meanwhile asks until it is accepted; all of them are done once, and so are those before."""
    platform = schedule.platform
    async with schedule.fault(f"{how} {name}", seed) as row:
        feeding = asyncio.create_task(platform.feed(JOBS, RATE))
        calling = asyncio.create_task(platform.call_api(UPLOADS // 4))
        await asyncio.sleep(platform.luck.uniform(0.2, 0.8) * JOBS / RATE)
        row.happens()
        await (platform.servers.kill(name) if how == "kill -9" else platform.servers.restart(name))
        row.returns()
        await asyncio.gather(feeding, calling)
    assert row.recovery is not None
    assert row.recovery < SERVER_SECONDS
