"""Admission by leased slices: never more than the limit, few statements, and what happens while the store is away."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien_api import slices
from mien_api.slices import Limiter, Quota
from mien_core.adapters.memory.quotas import MemoryQuotas
from mien_core.errors import Unavailable
from mien_core.quotas import Lease, Unused, Wanted

QUOTA = Quota("test", 20, 60.0)
DEADLINE_SECONDS = 30.0


class Clock:
    """Stands until it is turned."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Store(MemoryQuotas):
    """Counts what it is asked, can be away, slow or broken."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.leases = 0
        self.trouble: Exception | None = None
        self.gate: asyncio.Event | None = None

    async def lease(self, wanted: Sequence[Wanted]) -> list[Lease]:
        self.leases += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.trouble is not None:
            raise self.trouble
        return await super().lease(wanted)

    async def give_back(self, unused: Sequence[Unused]) -> None:
        if self.trouble is not None:
            raise self.trouble
        await super().give_back(unused)

    async def check(self) -> None:
        if self.trouble is not None:
            raise self.trouble


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store:
    return Store(clock)


@pytest.fixture
def fast_house(monkeypatch: pytest.MonkeyPatch) -> None:
    """Housekeeping that a test needn't wait for."""
    monkeypatch.setattr(slices, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(slices, "IDLE_SECONDS", 0.02)


async def settled() -> None:
    """Let what was begun in the background come to its end; memory takes no time."""
    for _ in range(10):
        await asyncio.sleep(0)


async def admitted(limiter: Limiter, quota: Quota = QUOTA, key: str = "anna") -> bool:
    try:
        await limiter.take(quota, key)
    except Unavailable as error:
        if error.code != "rate_limited":
            raise
        return False
    finally:
        await settled()
    return True


async def count(limiter: Limiter, tries: int, quota: Quota = QUOTA) -> int:
    return sum([await admitted(limiter, quota) for _ in range(tries)])


Step = tuple[str, int, float]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(0, 3), st.just(0.0)),
        st.tuples(st.just("turn"), st.just(0), st.floats(0.0, 40.0)),
        st.tuples(st.just("leave"), st.integers(0, 3), st.just(0.0)),
    ),
    min_size=20,
    max_size=150,
)


class Recorded(Store):
    """Knows which window is open."""

    def open_windows(self) -> set[str]:
        return {window.name for window in self._windows.values() if window.ends_at > self._clock()}


@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(1, 40))
async def test_replicas_never_admit_more_than_the_limit_in_a_window(steps: list[Step], limit: int) -> None:
    """Whatever four processes do and whenever they stop and start: no window of the store sees more than its limit."""
    clock = Clock()
    store = Recorded(clock)
    quota = Quota("test", limit, 60.0)
    seen: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        running: dict[int, tuple[Limiter, AsyncExitStack]] = {}
        for verb, number, seconds in steps:
            if verb == "turn":
                clock.now += seconds
            elif verb == "leave" and number in running:
                await running.pop(number)[1].aclose()
            elif verb == "take":
                if number not in running:
                    limiter, own = Limiter(store, clock), AsyncExitStack()
                    await own.enter_async_context(limiter.running())
                    stack.push_async_callback(own.aclose)
                    running[number] = limiter, own
                if await admitted(running[number][0], quota):
                    (window,) = store.open_windows()
                    seen[window] += 1
    assert all(admissions <= limit for admissions in seen.values())


@pytest.mark.parametrize("limit", [1, 2, 10, 600])
async def test_one_process_admits_exactly_the_limit(store: Store, clock: Clock, limit: int) -> None:
    """All of the limit can be used, and nothing more, in each window anew."""
    quota = Quota("test", limit, 60.0)
    limiter = Limiter(store, clock)
    for _ in range(3):
        assert await count(limiter, limit + 5, quota) == limit
        clock.now += 60.0


async def test_requests_cost_few_statements(store: Store, clock: Clock) -> None:
    """A caller at the limit costs one statement for more than a dozen requests; who is refused costs none."""
    quota = Quota("test", 600, 60.0)
    limiter = Limiter(store, clock)
    assert await count(limiter, 600, quota) == 600
    assert store.leases <= 600 / 12
    before = store.leases
    assert await count(limiter, 1000, quota) == 0
    assert store.leases <= before + 1


async def test_the_next_slice_comes_before_it_is_needed(store: Store, clock: Clock) -> None:
    """A caller who goes on asking waits for the store at the first request, and for none of the hundred after it."""
    quota = Quota("test", 600, 60.0)
    limiter = Limiter(store, clock)
    await limiter.take(quota, "anna")
    for _ in range(100):
        limited = limiter.take(quota, "anna")
        with pytest.raises(StopIteration):
            limited.send(None)
        await settled()


async def test_whoever_comes_at_the_same_time_shares_a_lease(store: Store, clock: Clock) -> None:
    """Twenty requests at once ask the store a few times, not twenty times, and all get what there is."""
    limiter = Limiter(store, clock)
    results = await asyncio.gather(*(limiter.take(QUOTA, "anna") for _ in range(25)), return_exceptions=True)
    assert sum(not isinstance(result, Exception) for result in results) == 20
    assert store.leases < 20


async def test_callers_who_come_at_the_same_time_share_a_statement(store: Store, clock: Clock) -> None:
    """What is wanted while a statement is under way goes into the next one, whosever it is."""
    store.gate = asyncio.Event()
    limiter = Limiter(store, clock)
    coming = [asyncio.create_task(limiter.take(QUOTA, str(number))) for number in range(30)]
    await settled()
    store.gate.set()
    assert {standing.remaining for standing in await asyncio.gather(*coming)} == {19}
    assert store.leases <= 2


async def test_whoever_waits_may_leave_without_harm(store: Store, clock: Clock) -> None:
    """A request that is cancelled while the slice comes doesn't take it away from the others."""
    store.gate = asyncio.Event()
    limiter = Limiter(store, clock)
    leaving, staying = (asyncio.create_task(limiter.take(QUOTA, "anna")) for _ in range(2))
    await settled()
    leaving.cancel()
    await settled()
    assert store.leases == 1
    store.gate.set()
    assert (await staying).remaining == 19


async def test_a_refusal_says_when_to_come_back(store: Store, clock: Clock) -> None:
    """Retry-After is the rest of the window, and then there is room."""
    limiter = Limiter(store, clock)
    await count(limiter, 20)
    clock.now += 12.5
    with pytest.raises(Unavailable, match="rate_limited") as refusal:
        await limiter.take(QUOTA, "anna")
    assert refusal.value.retry_after == 47.5
    assert limiter.standing(QUOTA, "anna").remaining == 0
    clock.now += 47.5
    assert await admitted(limiter)


async def test_the_window_ends_at_its_edge_and_not_before(store: Store, clock: Clock) -> None:
    """An instant before the end nothing more is admitted; at the end the whole limit is."""
    limiter = Limiter(store, clock)
    assert await count(limiter, 30) == 20
    clock.now += 59.999
    assert await count(limiter, 30) == 0
    clock.now += 0.001
    assert await count(limiter, 30) == 20


async def test_a_slice_of_an_old_window_is_worth_nothing(store: Store, clock: Clock) -> None:
    """What is left at the window's end is not added to the next window."""
    first, second = Limiter(store, clock), Limiter(store, clock)
    assert await admitted(first)
    clock.now += 60.0
    assert await count(second, 30) == 20
    assert not await admitted(first)


async def test_standing_is_what_clients_are_told(store: Store, clock: Clock) -> None:
    """Remaining goes down one by one, seconds are rounded up, and looking takes nothing."""
    limiter = Limiter(store, clock)
    assert limiter.standing(QUOTA, "anna").remaining == 20
    for remaining in (19, 18, 17):
        assert (await limiter.take(QUOTA, "anna")).remaining == remaining
    clock.now += 0.5
    standing = limiter.standing(QUOTA, "anna")
    assert (standing.remaining, standing.resets_in) == (17, 60)
    assert limiter.standing(QUOTA, "ben").remaining == 20


async def test_a_process_that_stops_leaves_its_slice_to_the_others(store: Store, clock: Clock) -> None:
    """What it hadn't used can be used elsewhere at once."""
    first, second = Limiter(store, clock), Limiter(store, clock)
    async with first.running():
        assert await count(first, 3) == 3
    assert await count(second, 30) == 17


@pytest.mark.usefixtures("fast_house")
async def test_a_slice_that_nobody_uses_goes_back(store: Store, clock: Clock) -> None:
    """A caller who moves to another process finds there what the first one leased for them."""
    first, second = Limiter(store, clock), Limiter(store, clock)
    async with first.running(), asyncio.timeout(DEADLINE_SECONDS):
        assert await admitted(first)
        clock.now += slices.IDLE_SECONDS
        total = 0
        while total < 19:
            total += await count(second, 30)
            clock.now += slices.ASK_AGAIN_SECONDS
            await asyncio.sleep(0.001)
        # what went back is nothing to admit by any more
        assert not await admitted(first)
    assert total == 19


TROUBLES = [Unavailable("quotas_unavailable", "Away."), ZeroDivisionError("a bug"), TimeoutError()]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: type(trouble).__name__)
async def test_without_the_store_each_process_admits_at_most_the_limit(
    store: Store, clock: Clock, trouble: Exception
) -> None:
    """Nobody is refused for the store's sake, and what was admitted before counts: 20 in the window, no more."""
    limiter = Limiter(store, clock)
    assert await count(limiter, 7) == 7
    store.trouble = trouble
    assert await count(limiter, 30) == 13
    assert slices.AWAY._value.get() == 1
    clock.now += 60.0
    assert await count(limiter, 30) == 20


async def test_a_store_that_hangs_is_waited_for_once(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request waits no longer than the patience, and those after it not at all."""
    monkeypatch.setattr(slices, "PATIENCE_SECONDS", 0.01)
    store.gate = asyncio.Event()
    limiter = Limiter(store, clock)
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await count(limiter, 30) == 20
    assert await count(limiter, 30, Quota("other", 5, 60.0)) == 5
    assert store.leases == 1


@pytest.mark.usefixtures("fast_house")
async def test_a_store_that_is_back_is_used_again(store: Store, clock: Clock) -> None:
    """The process notices by itself, and counts with the others from then on."""
    first, second = Limiter(store, clock), Limiter(store, clock)
    async with first.running(), asyncio.timeout(DEADLINE_SECONDS):
        store.trouble = TROUBLES[0]
        assert await admitted(first)
        store.trouble = None
        while first._away:
            await settled()
        assert slices.AWAY._value.get() == 0
        assert await count(first, 10) == 10
        # less a slice that the first one still holds
        assert 8 <= await count(second, 30) <= 10


async def test_without_any_store_a_process_counts_alone(clock: Clock) -> None:
    """The limit holds for it."""
    limiter = Limiter(None, clock)
    async with limiter.running():
        assert await count(limiter, 30) == 20
    assert slices.AWAY._value.get() == 0


async def test_callers_beyond_count_do_not_fill_the_memory(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest slices are forgotten, which admits nobody beyond the limit."""
    monkeypatch.setattr(slices, "MOST_SLICES", 5)
    limiter = Limiter(store, clock)
    admissions: defaultdict[str, int] = defaultdict(int)
    for turn in range(300):
        key = str(turn % 9)
        admissions[key] += await admitted(limiter, QUOTA, key)
    assert len(limiter._slices) <= 5
    assert max(admissions.values()) <= 20


@pytest.fixture(autouse=True)
def present_again() -> Iterator[None]:
    """The gauge is the process' own, and other tests look at it."""
    yield
    slices.AWAY.set(0)
