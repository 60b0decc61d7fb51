"""Does mirroring slow answers down? `python -m bench.shadowing` asks one router, with and without it, in turns."""

import asyncio
from collections.abc import MutableMapping
from functools import partial
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from mien_core.model.comparisons import Comparison, Tally
from mien_core.model.serving import FaceRequest
from mien_serving.mirror import Result
from tests.routers import ANSWER, SHADOW, Face, Served

ROUNDS, REQUESTS, CLIENTS, SECONDS = 10, 200, 8, 0.01


class SlowFace(Face):
    """A revision that answers after a while, in a process of its own."""

    async def analyse(self, request: FaceRequest) -> Result:
        """The answer."""
        await asyncio.sleep(SECONDS)
        return await super().analyse(request)


class Elsewhere:
    """What counts, in a process of its own: here it costs nothing."""

    async def pair(self, comparison: Comparison, stable: Result, candidate: Result) -> None:
        """Pass on a pair."""

    async def add(self, comparison: Comparison, tally: Tally) -> None:
        """Pass on a tally."""


async def last_byte(taken: list[float], began: float, message: MutableMapping[str, Any]) -> None:
    """Note the milliseconds once the body goes out."""
    if message["type"] == "http.response.body":
        taken.append((perf_counter() - began) * 1000)


async def gone() -> dict[str, Any]:
    """What a server says when nothing more comes from the client."""
    return {"type": "http.disconnect"}


async def times(served: Served) -> list[float]:
    """Milliseconds from each request to its answer's last byte."""
    taken: list[float] = []

    async def client(number: int) -> None:
        for request in range(REQUESTS // CLIENTS):
            began = perf_counter()

            response = await served.face(f"{number}-{request}")
            await response({"type": "http"}, gone, partial(last_byte, taken, began))

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    await served.settled()
    return taken


async def measure() -> None:
    """Print the figures."""
    with_it, without = (Served(SlowFace(ANSWER), SlowFace(ANSWER), shadow, Elsewhere()) for shadow in (SHADOW, None))
    figures: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(ROUNDS):
        for name, served in (("without", without), ("with", with_it)):
            figures[name] += await times(served)
    for name, taken in figures.items():
        p99 = quantiles(taken, n=100)[98]
        print(f"{name:8} mirroring: {len(taken):,} requests, p50 {median(taken):.2f} ms, p99 {p99:.2f} ms")


if __name__ == "__main__":
    asyncio.run(measure())
