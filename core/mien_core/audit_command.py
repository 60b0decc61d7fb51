"""`python -m mien_core audit`: whether the audit log is what it was, as somebody sees who trusts no database."""

from collections.abc import AsyncIterator
from typing import Final

from mien_core.errors import Rejected
from mien_core.model.audit import AuditRow
from mien_core.ports.database import Database
from mien_core.rules.audit import checked

PAGE: Final = 1000


async def chain_of(database: Database) -> AsyncIterator[AuditRow]:
    """Read the whole chain, each row once it was found to follow the one before it.

    Raises:
        Rejected: audit_chain_cut, audit_row_changed, audit_row_unchained.
        Unavailable: database_unavailable.
    """
    last: AuditRow | None = None
    while True:
        async with database.reading() as reading:
            rows = await reading.audit_log.rows(last.position if last else 0, PAGE)
        if not rows:
            break
        for row in checked(rows, last):
            yield row
        last = rows[-1]
    async with database.reading() as reading:
        unchained = await reading.audit_log.unchained()
    if unchained:
        detail = (
            f"{unchained} rows of the audit log belong to no chain: somebody switched off the trigger audit_chained."
        )
        raise Rejected("audit_row_unchained", detail)


async def verify(database: Database, anchors: dict[int, bytes]) -> AuditRow | None:
    """Check the whole chain; give its newest row.

    Args:
        database: whose audit log it is.
        anchors: hashes that somebody noted, by position: those of rows that must still be there.

    Raises:
        Rejected: as chain_of, or audit_anchor_missing.
        Unavailable: database_unavailable.
    """
    missing, newest = dict(anchors), None
    async for row in chain_of(database):
        newest = row
        known = missing.pop(row.position, row.hash)
        if known != row.hash:
            detail = (
                f"Row {row.position} of the audit log isn't the one that was noted: from there on, or before, the chain"
                " was written anew."
            )
            raise Rejected("audit_anchor_missing", detail)
    if missing:
        end = 0 if newest is None else newest.position
        detail = f"The audit log ends at row {end}, but row {min(missing)} was noted: the chain's end was cut off."
        raise Rejected("audit_anchor_missing", detail)
    return newest


def anchor(text: str) -> tuple[int, bytes]:
    """Read what verify says of the newest row: its position, a colon, its hash in hex.

    Raises:
        ValueError: it isn't of that form.
    """
    position, _, digest = text.partition(":")
    value = bytes.fromhex(digest)
    if len(value) != 32:  # noqa: PLR2004 - SHA-256
        raise ValueError("a hash has 64 hexadecimal digits")
    return int(position), value
