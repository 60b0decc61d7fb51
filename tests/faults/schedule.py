"""One fault after the other: jobs under way, the fault, all settled, all looked at, a line in the table."""

import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tests.faults.platform import Platform

# A machine that stands still for seconds adds them to a recovery. What the product takes, it takes each time.
TRIES = 3
HEADINGS = ("fault", "jobs", "lost", "doubled", "recovery", "")


@dataclass
class Row:
    """A line of the table. recovery is in seconds, from the fault to the normal lag."""

    fault: str
    seed: int
    jobs: int = 0
    lost: int = 0
    doubled: int = 0
    recovery: float | None = None
    remark: str = ""
    happened_at: float | None = field(default=None, repr=False)
    returned_at: float = field(default=0.0, repr=False)

    def happens(self) -> None:
        """Note that the fault happens now."""
        self.happened_at = time.monotonic()

    def returns(self) -> None:
        """Note that the part is back now, where the jobs' lag alone can't show that it was away."""
        self.returned_at = time.monotonic()


@dataclass
class Schedule:
    """What has happened to a platform; what was found once is not found again after the next fault."""

    platform: Platform
    rows: list[Row]
    known: set[str] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def fault(self, name: str, seed: int) -> AsyncIterator[Row]:
        """Let the block do a fault to the platform; then wait until all is settled, and look at everything.

        Raises:
            AssertionError: something is lost, doubled or wrong, or never settles.
        """
        platform = self.platform
        platform.luck = random.Random(f"{seed} {name}")  # noqa: S311 - a schedule that can be repeated
        row = Row(name, seed)
        self.rows.append(row)
        before = set(platform.accepted)
        for process in platform.processes.values():
            process.forgive()
        try:
            yield row
            await platform.settled()
        finally:
            row.jobs = len(platform.accepted.keys() - before)
        if row.happened_at is not None:
            row.recovery = max(platform.lag.recovery(row.happened_at), row.returned_at - row.happened_at)
        findings = await platform.findings()
        row.lost, row.doubled = len(findings.lost), len(findings.doubled)
        news = [line for line in str(findings).splitlines() if line not in self.known] if findings else []
        self.known |= set(news)
        assert not news, "\n".join(news) + "\n" + platform.logs()


def named(fault: str, turn: int) -> str:
    """A fault's name, the how many-th time it is done (from 0)."""
    return f"{fault}, time {turn + 1}" if turn else fault


async def within(seconds: float, fault: Callable[[int], Awaitable[Row]]) -> None:
    """Do a fault, and again until the recovery from it takes less than so many seconds, but not for ever.

    Raises:
        AssertionError: it took longer each time.
    """
    taken: list[float] = []
    while len(taken) < TRIES:
        row = await fault(len(taken))
        assert row.recovery is not None
        if row.recovery < seconds:
            return
        taken.append(row.recovery)
    raise AssertionError(f"recoveries took {', '.join(f'{one:.1f} s' for one in taken)}, never less than {seconds:g} s")


def table(rows: list[Row]) -> list[str]:
    """The rows as text, with a line of sums."""
    lines: list[Sequence[str]] = [HEADINGS]
    for row in rows:
        recovery = "" if row.recovery is None else f"{row.recovery:.1f} s"
        lines.append((row.fault, str(row.jobs), str(row.lost), str(row.doubled), recovery, row.remark))
    sums = (sum(row.jobs for row in rows), sum(row.lost for row in rows), sum(row.doubled for row in rows))
    lines.append((f"{len(rows)} faults", *map(str, sums), "", ""))
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return [
        "  ".join(
            # names to the left, numbers to the right
            cell.ljust(width) if column in {0, len(HEADINGS) - 1} else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
