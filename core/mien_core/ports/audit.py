"""Who did what."""

from typing import Protocol

from mien_core.model.audit import AuditRow


class AuditLog(Protocol):
    """Who did what; rows are only ever added, and each is bound to the one before it (rules.audit).

    That happens as the transaction commits. Whoever noted something as well waits for that commit, and for nothing
    before it.
    """

    async def add(self, actor: str, action: str, subject: str) -> None:
        """Note that the actor did this to the subject. No secrets, no personal data."""

    async def chain(self) -> None:
        """Bind what this transaction has noted now, for whoever needs the hashes; others wait until it has ended."""

    async def newest(self, action: str, subject: str) -> AuditRow | None:
        """The newest row that says this, of those that are bound."""

    async def rows(self, after: int, limit: int) -> list[AuditRow]:
        """The chain in order, beginning after a position, which is 0 for the first."""

    async def unchained(self) -> int:
        """How many rows are not bound: none, unless somebody switched off what does it."""
