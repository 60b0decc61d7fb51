"""A crash at every line at which it could hurt: each declared fault point is reached under load, and is deadly."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import pytest

from mien_core.faults import Action, Fault, Point
from mien_core.rules.retries import DELAYS_SECONDS
from mien_streams.handlers import analyse_face
from tests.faults.platform import Platform
from tests.faults.processes import Kept
from tests.faults.schedule import Row, Schedule, named, within
from tests.faults.stand_in import PIXEL_DIGEST, Behaviour

pytestmark = pytest.mark.timeout(600)

RATE = 80.0
JOBS = 50
UPLOADS = 24
BROKEN = 4
POISONS = 3
FIRED_SECONDS = 90.0
# what was accepted has come to every point within this, as a rule
PASSED_SECONDS = 5.0
RECOVERY_SECONDS = 15.0
# no promise: what an api or the stand-in takes to start again
START_SECONDS = 60.0
WORKERS = ("worker-a", "worker-b")
RELAYS = ("relay-a", "relay-b")


async def jobs(platform: Platform) -> None:
    """Jobs as the api accepts them."""
    await platform.feed(JOBS, RATE)


async def known_pixels(platform: Platform) -> None:
    """Jobs whose pixels were analysed before, so that the worker copies the pictures."""
    await platform.accept()
    await platform.settled()
    await asyncio.gather(*(platform.accept(pixel_digest=PIXEL_DIGEST) for _ in range(UPLOADS)))


async def uploads(platform: Platform) -> None:
    """Photos through the api."""
    await platform.call_api(UPLOADS)


async def unnoticed_uploads(platform: Platform) -> None:
    """Photos through the api while nobody hears S3's notifications, so that it is the api that begins the jobs."""
    for worker in platform.workers:
        worker.send(signal.SIGSTOP)
    try:
        await platform.call_api(UPLOADS)
    finally:
        for worker in platform.workers:
            worker.send(signal.SIGCONT)


async def notifications(platform: Platform) -> None:
    """Photos that nobody asks about, so that S3's notification begins the work."""
    await platform.call_api(UPLOADS, calls=0)


async def broken(platform: Platform) -> None:
    """Jobs some of which serving breaks off for longer than they are tried in place."""
    some = [platform.next_upload_id() for _ in range(BROKEN)]
    await platform.behave(Behaviour(broken=frozenset(some)))
    await asyncio.gather(platform.feed(JOBS, RATE), *(platform.accept(upload_id=upload_id) for upload_id in some))
    await asyncio.sleep(DELAYS_SECONDS[0] / 2)
    await platform.behave()


async def poison(platform: Platform) -> None:
    """Jobs, and among them bytes that are none."""
    for number in range(POISONS):
        await platform.put_on_topic(analyse_face.TOPIC, f"poison {number}".encode())
        platform.dead_letters += 1
    await platform.feed(JOBS, RATE)


@dataclass(frozen=True)
class Case:
    """Who is to come to a point, by what, at most the how many-th time, and what happens there."""

    point: Point
    processes: Sequence[str] = WORKERS
    traffic: Callable[[Platform], Awaitable[None]] = jobs
    latest_hit: int = JOBS // 4
    action: Action = Action.KILL
    only_long: bool = False

    @property
    def is_for_any(self) -> bool:
        """Tell whether each of the processes is sure to come there, so that chance may choose one."""
        return self.processes is WORKERS and self.traffic is jobs

    def __str__(self) -> str:
        return f"{self.action} {self.processes[0].partition('-')[0]} at {self.point}"


CASES = (
    Case(Point.JOB_CREATED, ("api",), unnoticed_uploads),
    Case(Point.JOB_QUEUED, ("api",), unnoticed_uploads),
    Case(Point.COMMITTING, ("api",), uploads, UPLOADS, only_long=True),
    Case(Point.COMMITTED, ("api",), uploads, UPLOADS, only_long=True),
    Case(Point.ANNOUNCED, ("api",), uploads, UPLOADS, only_long=True),
    Case(Point.JOB_QUEUED, WORKERS, notifications, 4, only_long=True),
    Case(Point.UPLOAD_NOTICED, WORKERS, notifications, 4),
    Case(Point.RELAY_READ, RELAYS),
    Case(Point.RECORDS_SENT, RELAYS),
    Case(Point.RELAY_PUBLISHED, RELAYS),
    Case(Point.COMMITTING, RELAYS, only_long=True),
    Case(Point.COMMITTED, RELAYS, only_long=True),
    Case(Point.RELAY_REMOVED, RELAYS),
    Case(Point.DELIVERY_TAKEN),
    Case(Point.JOB_BEGUN),
    Case(Point.JOB_WORKED),
    Case(Point.JOB_WRITTEN),
    Case(Point.COMMITTING),
    Case(Point.COMMITTED),
    Case(Point.ANNOUNCED),
    Case(Point.JOB_ENDED),
    Case(Point.DELIVERY_DONE),
    Case(Point.DELIVERY_RELEASED),
    Case(Point.OFFSETS_COMMITTING, latest_hit=3),
    Case(Point.OFFSETS_COMMITTED, latest_hit=3),
    Case(Point.RETRY_QUEUED, WORKERS, broken, 1),
    Case(Point.BURIED, WORKERS, poison, 1),
    Case(Point.OBJECT_PUTTING, ("serving",)),
    Case(Point.OBJECT_PUT, ("serving",)),
    Case(Point.OBJECT_COPIED, WORKERS, known_pixels),
    # the answer to a COMMIT is lost with the connection
    Case(Point.COMMITTED, action=Action.AWAY),
    Case(Point.COMMITTED, RELAYS, action=Action.AWAY),
    Case(Point.COMMITTED, ("api",), uploads, UPLOADS, Action.AWAY),
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Leave to the long run what the short one has in another process already."""
    if "case" in metafunc.fixturenames:
        is_long = metafunc.config.getoption("--long", default=False)
        metafunc.parametrize("case", [case for case in CASES if is_long or not case.only_long], ids=str)


def test_no_declared_point_is_left_out() -> None:
    """Every one has a case in each run, and a case fails if its point doesn't fire."""
    # the operator's are fired in tests/cluster/test_operator_killed.py: it needs a cluster and no traffic
    elsewhere = {point for point in Point if point.startswith("operator.")}
    assert {case.point for case in CASES if not case.only_long} == set(Point) - elsewhere


async def until_fired(platform: Platform, case: Case, processes: Sequence[Kept]) -> None:
    """Have the case's traffic, again and again until one of the processes comes to the point.

    Once is enough, unless what it was to come by went to others, who had its partitions at the moment.
    """
    deadline = time.monotonic() + FIRED_SECONDS
    while not any(process.fired for process in processes):
        assert time.monotonic() < deadline, f"{case} never fired"
        await case.traffic(platform)
        passed = time.monotonic() + PASSED_SECONDS
        while time.monotonic() < passed and not any(process.fired for process in processes):  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.02)


async def crash(schedule: Schedule, seed: int, case: Case, turn: int) -> Row:
    """Let who comes to the point be gone there."""
    platform = schedule.platform
    async with schedule.fault(named(str(case), turn), seed) as row:
        hit = platform.luck.randint(1, case.latest_hit)
        names = [platform.luck.choice(case.processes)] if case.is_for_any else case.processes
        processes = [platform.processes[name] for name in names]
        for process in processes:
            process.arm(Fault(case.point, case.action, hit))
        traffic = asyncio.create_task(until_fired(platform, case, processes))
        try:
            while not traffic.done() and not any(process.fired for process in processes):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        finally:
            row.happens()
            for process in processes:
                process.disarm()
            await traffic
        # one, or several that came to the point before the others were disarmed
        gone = [process for process in processes if process.fired] if case.action is Action.KILL else []
        for process in gone:
            await process.gone()
            if process.unexpected_ends == [-signal.SIGKILL]:
                process.forgive()
        for process in processes:
            await process.ready()
    return row


async def test_a_crash_at_a_point_costs_nothing(schedule: Schedule, seed: int, case: Case) -> None:
    """Who comes to the point is gone there, comes back, and all jobs end once."""
    promised = case.processes in {WORKERS, RELAYS}
    await within(RECOVERY_SECONDS if promised else START_SECONDS, lambda turn: crash(schedule, seed, case, turn))
