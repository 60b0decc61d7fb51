"""The gate: work waits at it for a part that is away, and goes on when the part is back."""

import asyncio

import prometheus_client
import pytest

from mien_streams.gate import Gate
from tests.unit.streams.stand_ins import DEADLINE_SECONDS, until


class Part:
    """A part behind a gate; it refuses while it is away."""

    def __init__(self, name: str) -> None:
        self.gate = Gate(name)
        self.away = False
        self.asked = 0
        self.hangs = False

    async def ask(self) -> None:
        while True:
            async with self.gate.passage() as passage:
                self.asked += 1
                if self.hangs:
                    await asyncio.Event().wait()
                await asyncio.sleep(0)
                if self.away:
                    passage.refused(0.0)
                    continue
                passage.answered()
                return


async def refuse(part: Part) -> None:
    """Be refused by the part once."""
    async with part.gate.passage() as passage:
        passage.refused(0.0)


def metric(name: str, part: Part) -> float:
    value = prometheus_client.REGISTRY.get_sample_value(name, {"part": part.gate.part})
    assert value is not None
    return value


async def test_who_waits_goes_on_when_the_part_is_back() -> None:
    """All of them wait, one by one tries, and once the part is back none of them is refused any more."""
    part = Part("returning")
    part.away = True
    tasks = [asyncio.create_task(part.ask()) for _ in range(10)]
    # ten went before the first refusal came back, then one at a time, each of which opened it again
    await until(lambda: part.asked >= 13 and part.asked - 10 == metric("mien_breaker_openings_total", part) - 1)
    assert not part.gate.passes(idle=False)
    assert metric("mien_breaker_open", part) == 1
    part.away = False
    asked = part.asked
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(*tasks)
    assert part.asked - asked == 10
    assert part.gate.passes(idle=False)
    assert metric("mien_breaker_open", part) == 0


async def test_whoever_listens_hears_of_every_change() -> None:
    """Closed, open, and ready for a probe though nobody waits: that is what an agent goes on by."""
    part, heard = Part("heard"), []
    part.gate.listen(lambda: heard.append((part.gate.passes(idle=False), part.gate.passes(idle=True))))
    await refuse(part)
    assert heard == [(False, False)]
    await until(lambda: (False, True) in heard)
    await part.ask()
    assert heard[-1] == (True, True)


async def test_a_probe_that_is_cancelled_lets_another_one_go() -> None:
    """A job whose time is up while it is the probe holds up nobody."""
    part = Part("hanging")
    await refuse(part)
    part.hangs = True
    asking = asyncio.create_task(part.ask())
    await until(lambda: part.asked == 1)
    waiting = asyncio.create_task(part.ask())
    part.hangs = False
    asking.cancel()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await waiting
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_nobody_is_overtaken_by_who_was_refused() -> None:
    """One that is always refused lets the others try, each in its turn."""
    gate, asked = Gate("queue"), []

    async def ask(name: str, *, refused: bool) -> None:
        while True:
            async with gate.passage() as passage:
                asked.append(name)
                if refused and len(asked) < 6:
                    passage.refused(0.0)
                    continue
                passage.answered()
                return

    await asyncio.gather(ask("picked", refused=True), ask("first", refused=False), ask("second", refused=False))
    # it comes first, is refused, and tries again before the others have come; then they are before it
    assert asked[:4] == ["picked", "picked", "first", "second"]


async def test_whoever_is_cancelled_with_the_ticket_in_hand_gives_it_back() -> None:
    """Let in and cancelled in the same moment: the next one goes."""
    now = 0.0
    gate = Gate("given-back", lambda: now)
    async with gate.passage() as passage:
        passage.refused(1.0)

    async def ask() -> None:
        async with gate.passage() as passage:
            passage.answered()

    first, second = asyncio.create_task(ask()), asyncio.create_task(ask())
    await asyncio.sleep(0)
    now = 2.0
    gate._tell()
    first.cancel()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await second
    assert first.cancelled()
