"""The rows of the audit log: who did what, each bound to the one before it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row of the audit log.

    Args:
        position: its place in the chain, from 1 on, without gaps.
        at: when.
        actor: who.
        action: did what.
        subject: to what; users are named by pseudonym.
        previous: the hash of the row before it; 32 bytes of 0 for the first.
        hash: of this row (rules.audit).
    """

    position: int
    at: datetime
    actor: str
    action: str
    subject: str
    previous: bytes
    hash: bytes
