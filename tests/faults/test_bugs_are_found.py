"""Each bug that this is all about, planted into the real processes: the checks must be red.

What is done to them is also done without a bug, and then nothing is found. It leaves nothing to luck: one job is held
back until all behind it are done and offsets are committed as far as they go, then its worker is killed. Whoever
acknowledged too early has lost that job, and whoever forgets what was done does it again, since all behind the held
one come again.
"""

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.audit import Findings
from tests.faults.planted import BUGS
from tests.faults.platform import STREAMS, Platform, new_platform
from tests.faults.servers import Servers
from tests.faults.stand_in import Behaviour

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Case:
    """What the checks say of a bug, and what tells that the moment to kill has come."""

    says: str
    open_jobs: int = 1
    held_is_committed: bool = False


CASES = {
    "acknowledge_before_commit": Case("nobody works on it", held_is_committed=True),
    "highest_offset_commit": Case("nobody works on it", held_is_committed=True),
    "no_inbox": Case("the inbox doesn't have its event"),
    "no_memory": Case("its end was written 2 times"),
    # one is held, and one was never heard of
    "dropped_outbox_row": Case("was not published", open_jobs=2),
}
JOBS = 40
RATE = 80.0


async def one_held_back_then_killed(platform: Platform, case: Case) -> Findings:
    """Do the worst to the window, and tell what came of it."""
    # the same ids each time: there are jobs behind the held one in its partition
    platform.luck = random.Random(case.says)  # noqa: S311 - as above
    streams = platform.add_streams("streams", "relay", "analyse-face", "s3-notifications")
    async with platform.running(streams.name, "serving"):
        held = platform.next_upload_id()
        await platform.behave(Behaviour(held=frozenset({held})))
        await platform.accept(upload_id=held)
        await platform.feed(JOBS, RATE)
        await platform.only_held(case.open_jobs, committed=case.held_is_committed)
        streams.kill()
        await platform.behave()
        await platform.settled()
        return await platform.findings()


async def test_without_a_bug_nothing_is_found(servers: Servers, tmp_path: Path) -> None:
    """The very same, done to the product as it is."""
    async with new_platform(servers, "no_bug", tmp_path, STREAMS) as platform:
        findings = await one_held_back_then_killed(platform, Case("nothing"))
    assert not findings, str(findings)


@pytest.mark.parametrize("bug", CASES)
async def test_a_planted_bug_is_found(servers: Servers, tmp_path: Path, bug: str) -> None:
    """The checks say what the bug did."""
    async with new_platform(servers, bug, tmp_path, ("-m", "tests.faults.planted", bug)) as platform:
        findings = await one_held_back_then_killed(platform, CASES[bug])
    assert CASES[bug].says in str(findings), str(findings)


def test_every_planted_bug_is_looked_for() -> None:
    """A bug that nobody runs proves nothing."""
    assert CASES.keys() == BUGS.keys()
