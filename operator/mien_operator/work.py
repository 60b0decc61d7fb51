"""Looks after all resources: whose turn it is, what came of it, and when the next turn is.

Level-triggered: what a watch tells is only that something may have changed. A turn begins with the newest state that is
known and decides from that alone, so turns that were lost, repeated or broken off change nothing.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from mien_operator import metrics
from mien_operator.crds.definition import Kind
from mien_operator.documents import Document, is_newer, without_history
from mien_operator.interruptions import Gone, NotLeading
from mien_operator.schedule import Schedule
from mien_operator.turn import Outcome, Turns

logger = logging.getLogger(__name__)

WORKERS: Final = 8
# after a failure: from this on, doubled each time, at most this; the jitter is half
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Key:
    """A resource of the operator's namespace."""

    kind: str
    name: str


@dataclass(slots=True)
class _Known:
    document: Document
    failures: int = 0


class Work:
    """The work of one operator while it leads.

    Args:
        turns: does one turn.
        kinds: those that it is told of.
        workers: turns at once.
        luck: a random number in [0, 1) for the jitter.
        monotonic: the clock.
    """

    def __init__(
        self,
        turns: Turns,
        kinds: Iterable[Kind],
        workers: int = WORKERS,
        luck: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._turns = turns
        self._kinds: Mapping[str, Kind] = {kind.kind: kind for kind in kinds}
        self._workers = workers
        self._luck = luck
        self._monotonic = monotonic
        self._known: dict[Key, _Known] = {}
        self._schedule: Schedule[Key] = Schedule()
        self._changed = asyncio.Event()
        for kind in self._kinds:
            metrics.RESOURCES.labels(kind).set(0)
            metrics.DEGRADED.labels(kind).set_function(partial(self._degraded, kind))

    def heard(self, document: Document, *, deleted: bool) -> None:
        """Take note of what a watch told; the operator's own writes, and what is older, are nothing new."""
        key = Key(document["kind"], document["metadata"]["name"])
        known = self._known.get(key)
        if deleted:
            if known is not None and known.document["metadata"]["uid"] == document["metadata"]["uid"]:
                self._forget(key)
            return
        if known is None:
            self._known[key] = _Known(without_history(document))
            metrics.RESOURCES.labels(key.kind).inc()
        elif is_newer(document, known.document):
            known.document = without_history(document)
        else:
            return
        self._due_now(key)

    def known(self, kind: Kind) -> dict[str, Document]:
        """Give the resources of a kind that are looked after, by name."""
        return {key.name: known.document for key, known in self._known.items() if key.kind == kind.kind}

    def is_news(self, kind: Kind, document: Document) -> bool:
        """Tell whether a state, of which the metadata is enough, is later than what is known."""
        known = self._known.get(Key(kind.kind, document["metadata"]["name"]))
        return known is None or is_newer(document, known.document)

    async def run(self) -> None:
        """Do turns, several at once but never two of one resource.

        Raises:
            NotLeading: another operator may be at work; what was under way was broken off.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._workers):
                    group.create_task(self._work())
        except BaseExceptionGroup as errors:
            if errors.subgroup(NotLeading) is None:
                raise
            raise NotLeading("The lease wasn't renewed in time.") from errors

    async def _work(self) -> None:
        while True:
            key = await self._next()
            due: float | None = None
            try:
                pause = await self._turn(key)
                due = None if pause is None else self._monotonic() + pause
            finally:
                self._schedule.done(key, due)
                self._changed.set()

    async def _next(self) -> Key:
        while True:
            now = self._monotonic()
            key = self._schedule.take(now)
            if key is not None:
                return key
            self._changed.clear()
            due = self._schedule.next_due()
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - now)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _turn(self, key: Key) -> float | None:
        """Do a turn; give the pause until the next, None for when something changes."""
        known = self._known.get(key)
        if known is None:
            return None
        kind = self._kinds[key.kind]
        try:
            with metrics.RECONCILE_SECONDS.labels(key.kind).time():
                outcome = await self._turns.do(kind, known.document, known.failures)
        except Gone:
            self._forget(key)
            return None
        self._remember(key, known, outcome)
        if not outcome.failed:
            return outcome.look_again_seconds
        return max(self._pause(known.failures), outcome.look_again_seconds or 0.0)

    def _remember(self, key: Key, known: _Known, outcome: Outcome) -> None:
        known.failures = known.failures + 1 if outcome.failed else 0
        if is_newer(outcome.document, known.document):
            known.document = outcome.document
        if outcome.code is not None:
            metrics.RECONCILE_ERRORS.labels(key.kind, outcome.code).inc()

    def _pause(self, failures: int) -> float:
        longest = min(FIRST_PAUSE_SECONDS * 2.0 ** (failures - 1), LONGEST_PAUSE_SECONDS)
        return longest * (0.5 + self._luck() / 2)

    def _due_now(self, key: Key) -> None:
        self._schedule.put(key, self._monotonic())
        self._changed.set()

    def _degraded(self, kind: str) -> int:
        """How many of a kind say of themselves that something is wrong."""
        statuses = [known.document.get("status") or {} for key, known in self._known.items() if key.kind == kind]
        said = [(one["type"], one["status"]) for status in statuses for one in status.get("conditions") or ()]
        return said.count(("Degraded", "True"))

    def _forget(self, key: Key) -> None:
        if self._known.pop(key, None) is not None:
            metrics.RESOURCES.labels(key.kind).dec()
        self._schedule.forget(key)
