"""What is worse than a crash: parts that are slow, frozen, wrong about the time, or joined by others."""

import asyncio
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mien_core.faults import Action, Fault, Point
from mien_streams.handlers import analyse_face
from tests.faults.gate import Mode
from tests.faults.platform import Platform
from tests.faults.processes import until
from tests.faults.schedule import Schedule

pytestmark = pytest.mark.timeout(600)

# No promise: a static member that leaves is missed only when its session ends, after 10 s, and then the group finds
# together anew; what is tried again comes after 5 s; and the machine may have other work.
RECOVERY_SECONDS = 60.0
FROZEN_SECONDS = 20.0
# within twice the time that it takes to notice, 10 to 15 s
NOTICED_SECONDS = 30.0
HOUR_SECONDS = 3600
S3_SECONDS = 4.0
POISON_SECONDS = 5.0
# The promise, which the long run holds to. A machine that has other work moves a p99 by more than that by itself, so
# the short run only tells a stall from none.
POISON_GROWTH = 0.05
POISON_STALL = 0.5
POISON_RATE = 4.0
POISON_JOBS_RATE = 50.0
POISON_JOBS = 100
POISON_JOBS_LONG = 500
POISON_TURNS = 2
POISON_SERIES = 5


@pytest.mark.parametrize("mode", [Mode.SLOW, Mode.REFUSING])
async def test_an_object_store_in_trouble_costs_nothing(schedule: Schedule, seed: int, mode: Mode) -> None:
    """What can't be stored now is tried again in place, then later; photos come through the api all the while."""
    platform = schedule.platform
    async with schedule.fault(f"S3 is {mode}", seed) as row:
        row.happens()
        platform.gate.mode = mode
        working = asyncio.gather(platform.feed(40, 10.0), platform.call_api(8))
        await asyncio.sleep(S3_SECONDS)
        platform.gate.mode = Mode.OPEN
        await working
    assert mode is not Mode.REFUSING or platform.gate.refused
    assert row.recovery is not None
    assert row.recovery < S3_SECONDS + RECOVERY_SECONDS


async def test_who_is_frozen_holds_nobody_up_and_harms_nobody_when_it_wakes(schedule: Schedule, seed: int) -> None:
    """SIGSTOP for 20 s: a worker with locks on its rows, and the active relay with records that are published only.

    Group and leadership go on without them, and they notice when they wake.
    """
    platform = schedule.platform
    worker, relays = platform.processes["worker-a"], platform.relays
    async with schedule.fault("SIGSTOP worker and relay, 20 s", seed) as row:
        worker.arm(Fault(Point.JOB_WRITTEN, Action.FREEZE, platform.luck.randint(1, 5)))
        feeding = asyncio.create_task(platform.feed(200, 10.0))
        await until(lambda: worker.fired, 60.0, "the worker is frozen")
        row.happens()
        for relay in relays:
            relay.arm(Fault(Point.RELAY_PUBLISHED, Action.FREEZE))
        await until(lambda: any(relay.fired for relay in relays), 60.0, "the active relay is frozen")
        for relay in relays:
            relay.disarm()
        frozen_at = time.monotonic()
        await asyncio.sleep(FROZEN_SECONDS)
        await until(
            lambda: platform.lag.has_caught_up(frozen_at),
            NOTICED_SECONDS - FROZEN_SECONDS,
            "the others have caught up while they are frozen",
        )
        for process in (worker, *relays):
            process.send(signal.SIGCONT)
        await feeding
    assert row.recovery is not None
    assert row.recovery < FROZEN_SECONDS + RECOVERY_SECONDS


def told_wrong_time(library: Path, seconds: int) -> dict[str, str]:
    """The environment of a process that takes it to be so much later."""
    return {"LD_PRELOAD": str(library), "CLOCK_AHEAD_SECONDS": str(seconds)}


@pytest.fixture(scope="session")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that a process with a wrong clock preloads."""
    compiler = shutil.which("cc")
    if compiler is None:
        if os.environ.get("CI") == "true":
            raise AssertionError("There is no C compiler for the wrong clock.")
        pytest.skip("there is no C compiler for the wrong clock")
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    told = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        env=os.environ | told_wrong_time(library, HOUR_SECONDS),
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(told.stdout) - time.time() > HOUR_SECONDS - 60
    return library


# more than an hour after its own time, Kafka refuses a producer's
@pytest.mark.parametrize(("name", "hours"), [("worker-a", 1), ("relay-a", 2)])
async def test_a_wrong_clock_costs_nothing(schedule: Schedule, seed: int, clock: Path, name: str, hours: int) -> None:
    """One process takes it to be hours later: no deadline has passed for it, and its partner notices nothing."""
    platform = schedule.platform
    wrong = platform.processes[name]
    # a relay works alone, and the one with the wrong clock is to be it
    others = [other.name for other in platform.relays if other is not wrong and wrong in platform.relays]
    fault = f"{name.partition('-')[0]}'s clock {hours} h ahead"
    async with schedule.fault(fault, seed) as row, platform.without(name, *others):
        wrong.start(told_wrong_time(clock, hours * HOUR_SECONDS))
        await wrong.ready()
        row.happens()
        await platform.feed(60, 60.0)
        await platform.settled()
        await wrong.stop()
    assert row.recovery is not None


async def test_a_rebalance_under_load_costs_nothing(schedule: Schedule, seed: int) -> None:
    """A third worker joins at 100 jobs a second, and leaves at 100 jobs a second."""
    platform = schedule.platform
    third = platform.add_streams("worker-c", "analyse-face", "s3-notifications")
    try:
        async with schedule.fault("worker added at 100 jobs/s", seed) as added:
            feeding = asyncio.create_task(platform.feed(400, 100.0))
            added.happens()
            third.start()
            await third.ready()
            await feeding
        async with schedule.fault("worker removed at 100 jobs/s", seed) as removed:
            feeding = asyncio.create_task(platform.feed(250, 100.0))
            await asyncio.sleep(platform.luck.uniform(0.2, 0.8))
            removed.happens()
            await third.stop()
            await feeding
    finally:
        await third.stop()
        del platform.processes["worker-c"]
    for row in (added, removed):
        assert row.recovery is not None
        assert row.recovery < RECOVERY_SECONDS


async def test_the_notification_and_the_call_at_once_begin_one_job(schedule: Schedule, seed: int) -> None:
    """Three calls for each photo, and S3's notification at the same time: one job, which all of them are told."""
    platform = schedule.platform
    async with schedule.fault("S3 notification and three POSTs at once", seed):
        await platform.call_api(40, calls=3)


@pytest.mark.timeout(600)
async def test_poison_is_a_dead_letter_soon_and_slows_nobody_down(
    schedule: Schedule, seed: int, pytestconfig: pytest.Config
) -> None:
    """Malformed bytes among 50 jobs a second are dead letters within 5 s, and the others' p99 grows by less than 5 %.

    Jobs with and without poison take turns, since a machine's own ups and downs are larger than what is looked for.
    For the same reason there are several series, until one is quiet enough: whatever poison costs, it costs in each.
    """
    platform = schedule.platform
    long = pytestconfig.getoption("--long", default=False)
    most, jobs = (POISON_GROWTH, POISON_JOBS_LONG) if long else (POISON_STALL, POISON_JOBS)
    async with schedule.fault(f"poison, {POISON_RATE:g}/s", seed) as row:
        quietest = math.inf
        for _ in range(POISON_SERIES):
            clean, poisoned = [], []
            waits: list[float] = []
            for _ in range(POISON_TURNS):
                clean += await platform.feed(jobs, POISON_JOBS_RATE)
                await platform.settled()
                strewing = asyncio.create_task(strew(platform, jobs))
                poisoned += await platform.feed(jobs, POISON_JOBS_RATE)
                waits += await strewing
                await platform.settled()
            growth = await p99(platform, poisoned) / await p99(platform, clean) - 1
            row.remark = f"dead letter after {max(waits):.2f} s, p99 of the others {growth:+.1%}"
            if growth < POISON_GROWTH:
                break
            quietest = min(quietest, growth)
    assert max(waits) < POISON_SECONDS
    assert min(quietest, growth) < most


async def strew(platform: Platform, jobs: int) -> list[float]:
    """Put bytes that are no event onto the topic while so many jobs come; the seconds until each was a dead letter."""
    waits = []
    for _ in range(int(jobs / POISON_JOBS_RATE * POISON_RATE)):
        began = time.monotonic()
        platform.dead_letters += 1
        await platform.put_on_topic(analyse_face.TOPIC, b"\xff poison")
        await platform.buried(platform.dead_letters)
        waits.append(time.monotonic() - began)
        await asyncio.sleep(max(0.0, began + 1 / POISON_RATE - time.monotonic()))
    return waits


async def p99(platform: Platform, job_ids: list[str]) -> float:
    """The time within which 99 of 100 of these jobs were done, in seconds from their beginning."""
    taken = sorted(await platform.seconds_taken(job_ids))
    return taken[int(len(taken) * 0.99)]
