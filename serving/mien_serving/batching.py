"""Batches without waiting: what arrives while a batch is being worked on is the next batch.

Written here because on a photo's way each hand-over counts: Serve's own batching goes through a queue and two tasks,
this through none.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Hands items, one batch after another, to a function in a thread. Belongs to one event loop.

    Args:
        work: gives a result for each item, in their order.
        most: items a batch.
        thread: where work runs.
    """

    def __init__(self, work: Callable[[list[Item]], Sequence[Result]], most: int, thread: Executor) -> None:
        self._work = work
        self._most = most
        self._thread = thread
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._working = False

    async def __call__(self, item: Item) -> Result:
        """Work on an item, with others if there are any. An error of work is that of its whole batch."""
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, result))
        self._begin()
        return await result

    def _begin(self) -> None:
        if self._working:
            return
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        while self._waiting and len(batch) < self._most:
            item, result = self._waiting.popleft()
            # nobody waits any more for what was cancelled
            if not result.done():
                batch.append((item, result))
        if batch:
            self._working = True
            working = asyncio.get_running_loop().run_in_executor(self._thread, self._work, [item for item, _ in batch])
            working.add_done_callback(partial(self._end, [result for _, result in batch]))

    def _end(self, results: Sequence[asyncio.Future[Result]], worked: asyncio.Future[Sequence[Result]]) -> None:
        self._working = False
        self._begin()
        error = worked.exception()
        outcomes = worked.result() if error is None else ()
        if error is None and len(outcomes) != len(results):
            error = RuntimeError(f"{len(results)} items were worked on and {len(outcomes)} results came back")
        for place, result in enumerate(results):
            if result.done():
                continue
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(outcomes[place])
