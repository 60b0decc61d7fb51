"""The legal_holds table; what keeps rows from going are its triggers on the others (migration 0015)."""

from typing import Any, Final

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.model.data_classes import DataClass
from mien_core.model.holds import LegalHold, NewLegalHold, check_same
from mien_core.model.privacy import Person

# Longer than a batch takes. Until then, and no longer, other deletions wait behind whoever waits here.
PATIENCE_SECONDS: Final = 5.0
_PLACE: Final = """
    INSERT INTO legal_holds (id, name, tenant, user_id, pseudonym, data_classes, reason, case_reference)
    VALUES (%(id)s, %(name)s, %(tenant)s, %(user_id)s, %(pseudonym)s, %(data_classes)s, %(reason)s, %(case)s)
    ON CONFLICT (id) DO UPDATE
    SET name = excluded.name, reason = excluded.reason, case_reference = excluded.case_reference
    RETURNING *
"""
_RELEASE: Final = """
    UPDATE legal_holds SET released_at = coalesce(released_at, clock_timestamp()), user_id = NULL
    WHERE id = %s RETURNING *
"""
_ANYTHING: Final = """
    SELECT EXISTS (
        SELECT FROM legal_holds
        WHERE released_at IS NULL AND tenant = %(tenant)s AND (user_id IS NULL OR user_id = %(user_id)s)
    ) AS held
"""
_OF_CLASSES: Final = "SELECT are_held(%(tenant)s, %(user_id)s, %(classes)s::text[]) AS held"


class PostgresLegalHolds:
    """Meets ports.holds.LegalHolds."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def guard(self) -> None:
        """See ports.holds.LegalHolds."""
        await self._statements.write("SELECT guard_holds()")

    async def confirm(self) -> None:
        """See ports.holds.LegalHolds."""
        await self._statements.execute("SELECT 1")

    async def held(self, person: Person, *classes: DataClass) -> bool:
        """See ports.holds.LegalHolds."""
        parameters = {"tenant": person.tenant, "user_id": person.user_id, "classes": sorted(classes)}
        cursor = await self._statements.execute(_OF_CLASSES if classes else _ANYTHING, parameters)
        row = await cursor.fetchone()
        return row is not None and bool(row["held"])

    async def place(self, hold: NewLegalHold) -> LegalHold:
        """See ports.holds.LegalHolds."""
        # in milliseconds
        await self._statements.write(f"SET LOCAL lock_timeout = {PATIENCE_SECONDS * 1000:.0f}")
        await self._statements.write("SELECT guard_against_deletions()")
        cursor = await self._statements.execute(_PLACE, _columns(hold))
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - INSERT … DO UPDATE … RETURNING has one row; tells mypy so
        placed = _hold(row)
        check_same(placed, hold)
        return placed

    async def get(self, hold_id: str) -> LegalHold | None:
        """See ports.holds.LegalHolds."""
        cursor = await self._statements.execute("SELECT * FROM legal_holds WHERE id = %s", (as_uuid(hold_id),))
        row = await cursor.fetchone()
        return _hold(row) if row else None

    async def standing(self, after: str, limit: int) -> list[LegalHold]:
        """See ports.holds.LegalHolds."""
        cursor = await self._statements.execute(
            """
            SELECT * FROM legal_holds WHERE released_at IS NULL AND (%(after)s::uuid IS NULL OR id > %(after)s::uuid)
            ORDER BY id LIMIT %(limit)s
            """,
            {"after": as_uuid(after), "limit": limit},
        )
        return [_hold(row) async for row in cursor]

    async def release(self, hold_id: str) -> LegalHold | None:
        """See ports.holds.LegalHolds."""
        row = await (await self._statements.execute(_RELEASE, (as_uuid(hold_id),))).fetchone()
        return _hold(row) if row else None


def _columns(hold: NewLegalHold) -> dict[str, Any]:
    pseudonym = None if hold.user_id is None else Person(hold.tenant, hold.user_id).pseudonym
    return {
        "id": as_uuid(hold.id),
        "name": hold.name,
        "tenant": hold.tenant,
        "user_id": hold.user_id,
        "pseudonym": pseudonym,
        "data_classes": None if hold.data_classes is None else sorted(hold.data_classes),
        "reason": hold.reason,
        "case": hold.case_reference,
    }


def _hold(row: dict[str, Any]) -> LegalHold:
    classes = row["data_classes"]
    return LegalHold(
        id=str(row["id"]),
        name=row["name"],
        tenant=row["tenant"],
        user_id=row["user_id"],
        data_classes=None if classes is None else frozenset(map(DataClass, classes)),
        reason=row["reason"],
        case_reference=row["case_reference"],
        pseudonym=row["pseudonym"],
        created_at=row["created_at"],
        released_at=row["released_at"],
    )
