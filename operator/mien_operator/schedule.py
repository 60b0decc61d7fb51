"""Whose turn it is: a pure data structure, to which the time is told."""

import heapq
import itertools
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Schedule(Generic[Key]):
    """Keys and when they are due; a key whose turn it is comes to nobody else until it is done.

    What is asked for while it is being done comes after that, and at once: something may have changed meanwhile.
    """

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._order = itertools.count()
        self._busy: set[Key] = set()

    def put(self, key: Key, due: float) -> None:
        """Let a key be due at a time, or earlier if it is already."""
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            if key not in self._busy:
                self._push(key)

    def take(self, now: float) -> Key | None:
        """Give a key that is due, the longest waiting first; None if there is none."""
        due = self.next_due()
        if due is None or due > now:
            return None
        _, _, key = heapq.heappop(self._heap)
        del self._due[key]
        self._busy.add(key)
        return key

    def done(self, key: Key, due: float | None = None) -> None:
        """Say that a key's turn is over, and when it is due again; None is when somebody asks."""
        self._busy.discard(key)
        if due is not None:
            self._due[key] = min(due, self._due.get(key, due))
        if key in self._due:
            self._push(key)

    def forget(self, key: Key) -> None:
        """Let a key be due no more."""
        self._due.pop(key, None)

    def next_due(self) -> float | None:
        """Tell when the next key is due that nobody works on."""
        while self._heap:
            due, _, key = self._heap[0]
            if self._due.get(key) == due and key not in self._busy:
                return due
            heapq.heappop(self._heap)
        return None

    def _push(self, key: Key) -> None:
        heapq.heappush(self._heap, (self._due[key], next(self._order), key))
