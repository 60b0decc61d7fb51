"""The dead letters of the in-memory database."""

from dataclasses import asdict
from datetime import UTC, datetime

from mien_core.adapters.memory.holds import keep_held
from mien_core.adapters.memory.state import State
from mien_core.model.data_classes import DataClass
from mien_core.model.dead_letters import EVERY_LETTER, Backlog, DeadLetter, NewDeadLetter, Selection
from mien_core.model.platform import Owned


class MemoryDeadLetters:
    """Meets ports.messages.DeadLetters."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, letter: NewDeadLetter) -> None:
        """See ports.messages.DeadLetters."""
        if any(_place(kept) == _place(letter) for kept in self._state.dead_letters.values()):
            return
        self._state.dead_letter_id += 1
        kept = DeadLetter(**asdict(letter), id=self._state.dead_letter_id, created_at=_now())
        self._state.dead_letters[kept.id] = kept

    async def select(self, selection: Selection = EVERY_LETTER, limit: int | None = None) -> list[DeadLetter]:
        """See ports.messages.DeadLetters."""
        return [letter for letter in self._state.dead_letters.values() if _meets(letter, selection)][:limit]

    async def ids(self, selection: Selection = EVERY_LETTER, limit: int | None = None) -> list[int]:
        """See ports.messages.DeadLetters."""
        return [letter.id for letter in await self.select(selection, limit)]

    async def count(self, selection: Selection = EVERY_LETTER) -> int:
        """See ports.messages.DeadLetters."""
        return len(await self.select(selection))

    async def lock(self, letter_id: int) -> DeadLetter | None:
        """See ports.messages.DeadLetters. The transaction itself is the lock."""
        return self._state.dead_letters.get(letter_id)

    async def remove(self, letter_id: int) -> None:
        """See ports.messages.DeadLetters."""
        letter = self._state.dead_letters.get(letter_id)
        if letter is not None:
            for owner in self._owners(letter):
                keep_held(self._state, owner, DataClass.DEAD_LETTERS)
        self._state.dead_letters.pop(letter_id, None)

    async def backlogs(self) -> dict[str, Backlog]:
        """See ports.messages.DeadLetters."""
        now = _now()
        ages: dict[str, list[float]] = {}
        for letter in self._state.dead_letters.values():
            ages.setdefault(letter.handler, []).append((now - letter.created_at).total_seconds())
        return {handler: Backlog(len(each), max(each)) for handler, each in sorted(ages.items())}

    def _owners(self, letter: DeadLetter) -> list[Owned]:
        """Whose it is: its job's, or whose ids its bytes name."""
        known: dict[str, Owned] = {**self._state.jobs, **self._state.uploads}
        if letter.job_id is not None:
            return [known[letter.job_id]] if letter.job_id in known else []
        return [owner for name, owner in known.items() if name.encode() in letter.key + b" " + letter.value]


def _place(letter: NewDeadLetter) -> tuple[str, str, int, int]:
    return letter.handler, letter.topic, letter.partition, letter.offset


def _meets(letter: DeadLetter, selection: Selection) -> bool:
    named = ("handler", "topic", "code", "job_id")
    age = (_now() - letter.created_at).total_seconds()
    return (
        (selection.ids is None or letter.id in selection.ids)
        and all(getattr(selection, name) in {None, getattr(letter, name)} for name in named)
        and (selection.older_than_seconds is None or age >= selection.older_than_seconds)
    )


def _now() -> datetime:
    return datetime.now(UTC)
