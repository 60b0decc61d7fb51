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

ROUNDS, REQUESTS, CLIENTS, SECONDS = 10, 160, (1, 8), 0.01


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


async def times(served: Served, clients: int) -> list[float]:
    """Milliseconds from each request to its answer's last byte."""
    taken: list[float] = []

    async def client(number: int) -> None:
        for request in range(REQUESTS // clients):
            began = perf_counter()

            response = await served.face(f"{number}-{request}")
            await response({"type": "http"}, gone, partial(last_byte, taken, began))

    await asyncio.gather(*(client(number) for number in range(clients)))
    await served.settled()
    return taken


async def measure() -> None:
    """Print the figures."""
    with_it, without = (Served(SlowFace(ANSWER), SlowFace(ANSWER), shadow, Elsewhere()) for shadow in (SHADOW, None))
    for clients in CLIENTS:
        figures: dict[str, list[float]] = {"with": [], "without": []}
        for _ in range(ROUNDS):
            for name, served in (("without", without), ("with", with_it)):
                figures[name] += await times(served, clients)
        for name, taken in figures.items():
            p95 = quantiles(taken, n=20)[18]
            print(f"{clients} at once, {name:7} copies: p50 {median(taken):.2f} ms, p95 {p95:.2f} ms of {len(taken):,}")


if __name__ == "__main__":
    asyncio.run(measure())
