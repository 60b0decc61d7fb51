"""Batches of what waits, without waiting for more."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien_serving.batching import Batcher

SECONDS = 60.0


class Doubling:
    """Doubles numbers, when it may; notes its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = threading.Event()
        self.may = threading.Event()
        self.may.set()

    def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        self.begun.set()
        assert self.may.wait(SECONDS)
        if any(item < 0 for item in items):
            raise ValueError("negative")
        return [2 * item for item in items]


@pytest.fixture(scope="module")
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


@given(items=st.lists(st.integers(0, 1000), max_size=40), most=st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_each_gets_its_own_result(thread: ThreadPoolExecutor, items: list[int], most: int) -> None:
    """Whatever the sizes: every item is worked on once, in order, in batches of at most so many."""
    doubling = Doubling()

    async def all_at_once() -> list[int]:
        batcher = Batcher(doubling, most, thread)
        return await asyncio.gather(*(batcher(item) for item in items))

    assert asyncio.run(all_at_once()) == [2 * item for item in items]
    assert [item for batch in doubling.batches for item in batch] == items
    assert all(len(batch) <= most for batch in doubling.batches)


async def test_what_comes_meanwhile_is_the_next_batch(thread: ThreadPoolExecutor) -> None:
    """The first is begun at once and alone; those who come while it is worked on go together."""
    doubling = Doubling()
    doubling.may.clear()
    batcher = Batcher(doubling, 8, thread)
    first = asyncio.create_task(batcher(1))
    assert await asyncio.to_thread(doubling.begun.wait, SECONDS)
    others = [asyncio.create_task(batcher(item)) for item in (2, 3)]
    await asyncio.sleep(0)
    doubling.may.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6]
    assert doubling.batches == [[1], [2, 3]]


async def test_who_left_is_not_worked_on(thread: ThreadPoolExecutor) -> None:
    """A cancelled item costs no work if it hasn't begun, and its batch goes on without it if it has."""
    doubling = Doubling()
    doubling.may.clear()
    batcher = Batcher(doubling, 8, thread)
    begun = asyncio.create_task(batcher(1))
    assert await asyncio.to_thread(doubling.begun.wait, SECONDS)
    left, stays = asyncio.create_task(batcher(2)), asyncio.create_task(batcher(3))
    await asyncio.sleep(0)
    begun.cancel()
    left.cancel()
    await asyncio.sleep(0)
    doubling.may.set()
    assert await stays == 6
    assert doubling.batches == [[1], [3]]


async def test_an_error_is_its_batchs_and_no_others(thread: ThreadPoolExecutor) -> None:
    """Those of the batch hear of it, and the next batch is worked on as ever."""
    batcher = Batcher(Doubling(), 1, thread)
    outcomes = await asyncio.gather(batcher(-1), batcher(4), return_exceptions=True)
    assert isinstance(outcomes[0], ValueError)
    assert outcomes[1] == 8


async def test_a_missing_result_is_an_error(thread: ThreadPoolExecutor) -> None:
    """Fewer results than items leave nobody waiting for ever, nor with another's."""

    def forgetful(_items: list[int]) -> list[int]:
        return []

    with pytest.raises(RuntimeError, match="1 items were worked on and 0 results"):
        await Batcher(forgetful, 8, thread)(1)
