"""What goes to Kafka and comes from it, in memory."""

from collections.abc import Sequence
from datetime import timedelta

from mien_core.adapters.memory.state import State, utc_now
from mien_core.ports.messages import OutboxRow, Record
from mien_core.ports.signals import Channel


class MemoryOutbox:
    """Meets ports.messages.Outbox."""

    def __init__(self, state: State, signals: list[tuple[Channel, str]]) -> None:
        self._state = state
        self._signals = signals

    async def add(self, record: Record, delay_seconds: float = 0) -> None:
        """See ports.messages.Outbox."""
        now = utc_now()
        self._state.outbox_id += 1
        row = OutboxRow(id=self._state.outbox_id, record=record, created_at=now)
        self._state.outbox[row.id] = (now + timedelta(seconds=delay_seconds), row)
        self._signals.append((Channel.OUTBOX, ""))

    async def due(self, limit: int) -> list[OutboxRow]:
        """See ports.messages.Outbox."""
        now = utc_now()
        return [row for available_at, row in self._state.outbox.values() if available_at <= now][:limit]

    async def remove(self, row_ids: Sequence[int]) -> None:
        """See ports.messages.Outbox."""
        for row_id in row_ids:
            self._state.outbox.pop(row_id, None)

    async def due_count(self) -> int:
        """See ports.messages.Outbox."""
        return len(await self.due(len(self._state.outbox)))

    async def oldest_due_seconds(self) -> float:
        """See ports.messages.Outbox."""
        now = utc_now()
        due = [available_at for available_at, _ in self._state.outbox.values() if available_at <= now]
        return (now - min(due)).total_seconds() if due else 0.0


class MemoryInbox:
    """Meets ports.messages.Inbox."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, handler: str, event_id: str) -> bool:
        """See ports.messages.Inbox."""
        if (handler, event_id) in self._state.inbox:
            return False
        self._state.inbox.add((handler, event_id))
        return True

    async def has(self, handler: str, event_id: str) -> bool:
        """See ports.messages.Inbox."""
        return (handler, event_id) in self._state.inbox

    async def forget(self, handler: str, event_id: str) -> None:
        """See ports.messages.Inbox."""
        self._state.inbox.discard((handler, event_id))
