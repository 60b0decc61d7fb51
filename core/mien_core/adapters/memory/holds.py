"""The legal_holds table in memory, and what keeps held rows from going."""

from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import UTC, datetime

from mien_core.adapters.memory.state import State
from mien_core.model.data_classes import DataClass
from mien_core.model.holds import LegalHold, NewLegalHold, check_same, legal_hold
from mien_core.model.platform import Owned
from mien_core.model.privacy import Person


class MemoryLegalHolds:
    """Meets ports.holds.LegalHolds. Units of work run one after another, so nothing has to be guarded."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def guard(self) -> None:
        """See ports.holds.LegalHolds."""

    async def confirm(self) -> None:
        """See ports.holds.LegalHolds."""

    async def held(self, person: Person, *classes: DataClass) -> bool:
        """See ports.holds.LegalHolds."""
        return are_held(self._state, person.tenant, person.user_id, classes or tuple(DataClass))

    async def place(self, hold: NewLegalHold) -> LegalHold:
        """See ports.holds.LegalHolds."""
        known = self._state.legal_holds.get(hold.id)
        if known is not None:
            check_same(known, hold)
            placed = replace(known, name=hold.name, reason=hold.reason, case_reference=hold.case_reference)
        else:
            pseudonym = None if hold.user_id is None else Person(hold.tenant, hold.user_id).pseudonym
            placed = LegalHold(**asdict(hold), pseudonym=pseudonym, created_at=datetime.now(UTC))
        self._state.legal_holds[hold.id] = placed
        return placed

    async def get(self, hold_id: str) -> LegalHold | None:
        """See ports.holds.LegalHolds."""
        return self._state.legal_holds.get(hold_id)

    async def standing(self, after: str, limit: int) -> list[LegalHold]:
        """See ports.holds.LegalHolds."""
        found = (hold for hold in self._state.legal_holds.values() if hold.released_at is None and hold.id > after)
        return sorted(found, key=lambda hold: hold.id)[:limit]

    async def release(self, hold_id: str) -> LegalHold | None:
        """See ports.holds.LegalHolds."""
        known = self._state.legal_holds.get(hold_id)
        if known is None:
            return None
        released = replace(known, user_id=None, released_at=known.released_at or datetime.now(UTC))
        self._state.legal_holds[hold_id] = released
        return released


def are_held(state: State, tenant: str, user_id: str | None, classes: Collection[DataClass]) -> bool:
    """Tell whether a hold covers something of one of these classes."""
    standing = (hold for hold in state.legal_holds.values() if hold.released_at is None)
    return any(hold.covers_any(tenant, user_id, classes) for hold in standing)


def keep_held(state: State, row: Owned, *classes: DataClass) -> None:
    """Refuse that a row of these classes goes, or is written over, if a hold covers it.

    Raises:
        Conflict: legal_hold.
    """
    if are_held(state, row.tenant, row.user_id, classes):
        raise legal_hold()
