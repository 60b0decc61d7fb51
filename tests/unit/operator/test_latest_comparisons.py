"""What is known of comparisons while whoever counts them is slow, or away."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from mien_core.errors import Unavailable
from mien_core.model.comparisons import Comparison, ComparisonWindow
from mien_operator.rollouts.latest import KEPT_SECONDS, LatestComparisons

FIRST, SECOND = (
    ComparisonWindow(Comparison("uid-1", step, "a", "b"), datetime(2026, 1, 1, tzinfo=UTC)) for step in (1, 2)
)
NEVER = 1e9


@dataclass
class Account:
    """Answers once it is let."""

    known: tuple[ComparisonWindow, ...] = ()
    away: bool = False
    asked: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def windows(self) -> tuple[ComparisonWindow, ...]:
        self.asked += 1
        await self.open.wait()
        if self.away:
            raise Unavailable("comparisons_unavailable", "It is away.")
        return self.known


@pytest.fixture
def account() -> Account:
    return Account((FIRST,))


async def test_a_look_waits_for_them_a_moment_and_no_longer(account: Account) -> None:
    """What counts may be starting still; a look that goes back must not wait for it."""
    latest = LatestComparisons(account, patience_seconds=0.05)
    began = time.monotonic()
    assert await latest.windows() == ()
    assert time.monotonic() - began < 1
    account.open.set()
    assert await LatestComparisons(account, patience_seconds=NEVER).windows() == (FIRST,)
    await latest.close()


async def test_a_reading_that_took_long_is_not_begun_anew(account: Account) -> None:
    """Whoever always takes a little longer than a look waits is heard at the next one, and asked once at a time."""
    latest = LatestComparisons(account, patience_seconds=0.01)
    assert [await latest.windows() for _ in range(3)] == [()] * 3
    assert account.asked == 1
    account.open.set()
    assert await latest.windows() == (FIRST,)
    assert account.asked == 1


async def test_what_was_known_is_known_for_a_minute(account: Account) -> None:
    """A router that restarts, or is slow, is no reason to hold or abort; one that stays away is."""
    now = 0.0
    latest = LatestComparisons(account, NEVER, lambda: now)
    account.open.set()
    assert await latest.windows() == (FIRST,)
    account.known = (FIRST, SECOND)
    assert await latest.windows() == (FIRST, SECOND)
    account.away, now = True, KEPT_SECONDS
    assert await latest.windows() == (FIRST, SECOND)
    now += 1
    assert await latest.windows() == ()


async def test_looks_at_once_share_a_reading(account: Account) -> None:
    """A thousand rollouts ask the router no more often than one."""
    latest = LatestComparisons(account, NEVER)
    looks = asyncio.gather(*(latest.windows() for _ in range(1000)))
    await asyncio.sleep(0)
    account.open.set()
    assert await looks == [(FIRST,)] * 1000
    assert account.asked == 1


async def test_a_bug_is_no_lack_of_data() -> None:
    """It ends the look, which says so; nothing waits in silence for what never comes."""

    class Buggy(Account):
        async def windows(self) -> tuple[ComparisonWindow, ...]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await LatestComparisons(Buggy(), NEVER).windows()


async def test_it_ends_with_the_operator(account: Account) -> None:
    """A reading under way is given up, and nothing is left behind."""
    latest = LatestComparisons(account, patience_seconds=0.01)
    await latest.windows()
    before = asyncio.all_tasks()
    await latest.close()
    assert len(before - asyncio.all_tasks()) == 1
