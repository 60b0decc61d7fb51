"""How the audit log's rows are bound to each other; migration 0015 has the same in SQL, where it happens.

A row's hash is SHA-256 over the hash of the row before it and the SHA-256 of what the row says as canonical JSON. So
whoever changes, removes or inserts a row has to change the hashes of all that come after it, and whoever knows one of
those, as everybody does who has a certificate of an erasure, sees it.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from mien_core.canonical import canonical
from mien_core.errors import Rejected
from mien_core.model.audit import AuditRow

# what stands before the first row
ORIGIN: Final = bytes(32)


def written(at: datetime) -> str:
    """Write a moment as the chain has it: UTC, to the microsecond."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def content(row: AuditRow) -> dict[str, str | int]:
    """What a row says, and where."""
    return {
        "action": row.action,
        "actor": row.actor,
        "at": written(row.at),
        "position": row.position,
        "subject": row.subject,
    }


def hash_of(previous: bytes, said: dict[str, str | int]) -> bytes:
    """Bind what a row says to the row before it."""
    return sha256(previous + sha256(canonical(said)).digest()).digest()


def checked(rows: Iterable[AuditRow], previous: AuditRow | None = None) -> Iterator[AuditRow]:
    """Pass on the rows of a chain, in order, each once it was found to follow the one before it.

    Args:
        rows: all from some position on.
        previous: the one before these, that was checked; None means that they begin with the first of all.

    Raises:
        Rejected: audit_chain_cut or audit_row_changed.
    """
    position, link = (0, ORIGIN) if previous is None else (previous.position, previous.hash)
    for row in rows:
        if row.position != position + 1:
            detail = f"After row {position} of the audit log comes row {row.position}: what was between them is gone."
            raise Rejected("audit_chain_cut", detail)
        if row.previous != link:
            detail = f"Row {row.position} of the audit log doesn't follow row {position} as it is now."
            raise Rejected("audit_chain_cut", detail)
        if row.hash != hash_of(row.previous, content(row)):
            detail = f"Row {row.position} of the audit log ({row.action}) doesn't say what it said when it was written."
            raise Rejected("audit_row_changed", detail)
        yield row
        position, link = row.position, row.hash
