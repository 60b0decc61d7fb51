"""All resources have their turns, one at a time each, also when they fail; what watches repeat is nothing new."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from mien_operator.crds.definition import Kind
from mien_operator.interruptions import Gone, NotLeading
from mien_operator.turn import Outcome
from mien_operator.work import LONGEST_PAUSE_SECONDS, Work
from tests.unit.operator.shelf import Shelf
from tests.widgets import WIDGET

Turn = Callable[[Any, int], Awaitable[Outcome]]


class Turns:
    """Does what a test says, and remembers whose turn it was."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self.names: list[str] = []
        self.busy = 0
        self.most_busy = 0
        self.done = asyncio.Condition()

    async def do(self, kind: Kind, document: Any, failures: int) -> Outcome:
        assert kind is WIDGET
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            return await self._turn(document, failures)
        finally:
            self.busy -= 1
            self.names.append(document["metadata"]["name"])
            async with self.done:
                self.done.notify_all()

    async def count(self, count: int) -> None:
        async with asyncio.timeout(30), self.done:
            await self.done.wait_for(lambda: len(self.names) >= count)


async def idle(document: Any, failures: int) -> Outcome:
    del failures
    return Outcome(document)


def work_of(turns: Turns, **options: Any) -> Work:
    return Work(turns, [WIDGET], luck=lambda: 1.0, **options)  # type: ignore[arg-type]  # stands in for the real turns


@pytest.fixture
def shelf() -> Shelf:
    """Where widgets stand."""
    return Shelf()


async def test_every_resource_has_its_turn(shelf: Shelf) -> None:
    """Several at once, so that one that waits holds up no other."""
    gate = asyncio.Event()

    async def waits(document: Any, failures: int) -> Outcome:
        await gate.wait()
        return await idle(document, failures)

    turns = Turns(waits)
    work = work_of(turns, workers=3)
    for number in range(5):
        work.heard(shelf.put(f"w{number}", size=1), deleted=False)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(work.run())
        while turns.busy < 3:  # noqa: ASYNC110 - as soon as the others have had their turn
            await asyncio.sleep(0)
        gate.set()
        await turns.count(5)
        running.cancel()
    assert sorted(turns.names) == [f"w{number}" for number in range(5)]
    assert turns.most_busy == 3


async def test_a_change_during_a_turn_has_a_turn_of_its_own(shelf: Shelf) -> None:
    """Never two of one resource at once, and none is lost."""
    begun, gate = asyncio.Event(), asyncio.Event()
    seen: list[int] = []

    async def looks(document: Any, failures: int) -> Outcome:
        seen.append(document["spec"]["size"])
        begun.set()
        await gate.wait()
        return await idle(document, failures)

    turns = Turns(looks)
    work = work_of(turns)
    work.heard(shelf.put("one", size=1), deleted=False)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(work.run())
        await begun.wait()
        work.heard(shelf.put("one", size=2), deleted=False)
        gate.set()
        await turns.count(2)
        running.cancel()
    assert (seen, turns.most_busy) == ([1, 2], 1)


async def test_what_is_known_is_nothing_new(shelf: Shelf) -> None:
    """A list after a broken watch, the echo of an own write and a late event cost no turn."""
    old = shelf.put("one", size=1)
    new = shelf.put("one", size=2)
    turns = Turns(idle)
    work = work_of(turns)
    work.heard(new, deleted=False)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(work.run())
        await turns.count(1)
        work.heard(new, deleted=False)
        work.heard(old, deleted=False)
        work.heard(shelf.put("two", size=1), deleted=False)
        await turns.count(2)
        running.cancel()
    assert turns.names == ["one", "two"]


async def test_pauses_grow_and_end_with_success(shelf: Shelf) -> None:
    """The third failure in a row waits four times as long as the first; the least that a part asks for counts."""
    work = work_of(Turns(idle))
    fails, fails_long = Outcome({}, None, "x"), Outcome({}, 50.0, "x")
    pauses = [await one_turn(work, shelf, outcome) for outcome in (fails, fails, fails, fails_long)]
    assert pauses == [1.0, 2.0, 4.0, 50.0]
    assert await one_turn(work, shelf, Outcome({}, 30.0)) == 30.0
    assert await one_turn(work, shelf, Outcome({}, None, "x")) == 1.0
    for _ in range(20):
        longest = await one_turn(work, shelf, Outcome({}, None, "x"))
    assert longest == LONGEST_PAUSE_SECONDS


async def one_turn(work: Work, shelf: Shelf, outcome: Outcome) -> float | None:
    """Do a turn that has an outcome; give the pause after it."""

    async def ends(document: Any, failures: int) -> Outcome:
        del failures
        return Outcome(document, outcome.look_again_seconds, outcome.code)

    work._turns = Turns(ends)  # type: ignore[assignment]  # stands in for the real turns
    work.heard(shelf.put("one", size=1), deleted=False)
    key = work._schedule.take(float("inf"))
    assert key is not None
    pause = await work._turn(key)
    work._schedule.done(key)
    return pause


async def test_what_is_gone_has_no_further_turn(shelf: Shelf) -> None:
    """Whether a watch tells it or a turn finds it; another of its name is none of it."""

    async def gone(document: Any, failures: int) -> Outcome:
        del document, failures
        raise Gone

    turns = Turns(gone)
    work = work_of(turns)
    first = shelf.put("one", size=1)
    work.heard(first, deleted=False)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(work.run())
        await turns.count(1)
        running.cancel()
    assert work.known(WIDGET) == {}
    work.heard(first, deleted=False)
    other = {**first, "metadata": {**first["metadata"], "uid": "another"}}
    work.heard(other, deleted=True)
    assert list(work.known(WIDGET)) == ["one"]
    work.heard(first, deleted=True)
    assert work.known(WIDGET) == {}
    assert work._schedule.take(float("inf")) is None


async def test_all_turns_end_when_the_lease_is_lost(shelf: Shelf) -> None:
    """What others have under way is broken off, and the work says why."""
    waiting = asyncio.Event()

    async def loses(document: Any, failures: int) -> Outcome:
        if document["metadata"]["name"] == "loser":
            await waiting.wait()
            raise NotLeading
        waiting.set()
        await asyncio.Event().wait()
        return await idle(document, failures)

    turns = Turns(loses)
    work = work_of(turns)
    work.heard(shelf.put("loser", size=1), deleted=False)
    work.heard(shelf.put("other", size=1), deleted=False)
    with pytest.raises(NotLeading):
        await work.run()
    assert turns.busy == 0


def test_who_is_degraded_is_counted(shelf: Shelf) -> None:
    """An alert needs no access to the cluster: the metric is what the resources' newest states say."""

    def counted() -> float | None:
        return REGISTRY.get_sample_value("mien_operator_degraded_resources", {"kind": WIDGET.kind})

    work = work_of(Turns(idle))
    assert counted() == 0
    healthy, sick = shelf.put("healthy", size=1), shelf.put("sick", size=1)
    conditions = [{"type": "Ready", "status": "True"}, {"type": "Degraded", "status": "True"}]
    work.heard(healthy, deleted=False)
    work.heard({**sick, "status": {"conditions": conditions}}, deleted=False)
    assert counted() == 1
    work.heard({**sick, "status": {"conditions": conditions}}, deleted=True)
    assert counted() == 0
