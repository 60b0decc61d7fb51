"""The looks table in memory."""

from datetime import UTC, datetime

from mien_core.adapters.memory.state import State, note_user
from mien_core.model.looks import Look, LookPosition, NewLook, position_of


class MemoryLooks:
    """Meets ports.looks.Looks."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._looks = state.looks

    async def add(self, look: NewLook) -> Look:
        """See ports.looks.Looks."""
        note_user(self._state, look.tenant, look.user_id)
        added = Look(
            id=look.id,
            tenant=look.tenant,
            user_id=look.user_id,
            upload_id=look.upload_id,
            name=look.name,
            presets=look.presets,
            products=look.products,
            created_at=datetime.now(UTC),
        )
        return self._looks.setdefault(look.id, added)

    async def of_user(self, tenant: str, user_id: str, *, after: LookPosition | None, limit: int) -> list[Look]:
        """See ports.looks.Looks."""
        mine = [one for one in self._looks.values() if (one.tenant, one.user_id) == (tenant, user_id)]
        wanted = [one for one in mine if after is None or position_of(one) < after]
        return sorted(wanted, key=position_of, reverse=True)[:limit]
