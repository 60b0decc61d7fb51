"""The audit log in memory."""

from dataclasses import replace

from mien_core.adapters.memory.state import State, utc_now
from mien_core.model.audit import AuditRow
from mien_core.rules.audit import ORIGIN, content, hash_of


class MemoryAuditLog:
    """Meets ports.audit.AuditLog."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, actor: str, action: str, subject: str) -> None:
        """See ports.audit.AuditLog."""
        self._state.audit_log.append((actor, action, subject))
        rows = self._state.audit_chain
        previous = rows[-1].hash if rows else ORIGIN
        row = AuditRow(len(rows) + 1, utc_now(), actor, action, subject, previous, b"")
        rows.append(replace(row, hash=hash_of(previous, content(row))))

    async def chain(self) -> None:
        """See ports.audit.AuditLog. There is nobody else, so they are bound already."""

    async def newest(self, action: str, subject: str) -> AuditRow | None:
        """See ports.audit.AuditLog."""
        said = (row for row in reversed(self._state.audit_chain) if (row.action, row.subject) == (action, subject))
        return next(said, None)

    async def rows(self, after: int, limit: int) -> list[AuditRow]:
        """See ports.audit.AuditLog."""
        return self._state.audit_chain[after : after + limit]

    async def unchained(self) -> int:
        """See ports.audit.AuditLog."""
        return len(self._state.audit_log) - len(self._state.audit_chain)
