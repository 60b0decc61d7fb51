"""The journal_entries table."""

from collections.abc import Collection
from typing import Any

from mien_core.adapters.postgres.diary import NEWEST_FIRST, OF_CALLER, OF_USER, of_caller, of_user
from mien_core.adapters.postgres.logged_days import LoggedDays, listed_with_logged_days, logged_days_of
from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.adapters.postgres.uploads import NOTING_USER
from mien_core.model.cycle import Days, DiaryPosition, JournalContent, JournalEntry, NewJournalEntry
from mien_core.model.platform import Caller

_OF_VERSION = f"{OF_CALLER} AND (%(versions)s::integer[] IS NULL OR version = ANY(%(versions)s::integer[]))"

_COLUMNS = f"journal_entries.*, {logged_days_of('journal_entries')}"
_ADD = f"""
    {NOTING_USER}
    INSERT INTO journal_entries (id, tenant, user_id, date, mood, energy, text, tags, cycle_day)
    VALUES (%(id)s, %(tenant)s, %(user_id)s, %(date)s, %(mood)s, %(energy)s, %(text)s, %(tags)s, %(cycle_day)s)
    ON CONFLICT (id) DO UPDATE SET id = excluded.id
    RETURNING {_COLUMNS}
"""  # noqa: S608 - constants of this package
_GET = f"SELECT {_COLUMNS} FROM journal_entries WHERE id = %(id)s"  # noqa: S608 - likewise
_REWRITE = f"""
    UPDATE journal_entries
    SET date = %(date)s, mood = %(mood)s, energy = %(energy)s, text = %(text)s, tags = %(tags)s,
        cycle_day = %(cycle_day)s, version = version + 1, updated_at = now()
    WHERE {_OF_VERSION} RETURNING {_COLUMNS}
"""  # noqa: S608 - likewise
_REMOVE = f"DELETE FROM journal_entries WHERE {_OF_VERSION}"  # noqa: S608 - likewise
# every array contains the empty one
_LIST = listed_with_logged_days(
    f"SELECT * FROM journal_entries WHERE {OF_USER} AND tags @> %(tags)s::text[] {NEWEST_FIRST}"  # noqa: S608 - likewise
)


class PostgresJournal:
    """Meets ports.cycle.Journal."""

    def __init__(self, statements: Statements, logged: LoggedDays) -> None:
        self._statements = statements
        self._logged = logged

    async def add(self, entry: NewJournalEntry) -> JournalEntry:
        """See ports.cycle.Journal."""
        owner = {"id": entry.id, "tenant": entry.tenant, "user_id": entry.user_id}
        cursor = await self._statements.execute(_ADD, {**owner, **_columns(entry.content)})
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - INSERT … RETURNING has one row; tells mypy so
        return self._read(row)

    async def get(self, entry_id: str) -> JournalEntry | None:
        """See ports.cycle.Journal."""
        row = await (await self._statements.execute(_GET, {"id": as_uuid(entry_id)})).fetchone()
        return self._read(row) if row else None

    async def rewrite(
        self, caller: Caller, entry_id: str, content: JournalContent, versions: Collection[int] | None
    ) -> JournalEntry | None:
        """See ports.cycle.Journal."""
        parameters = {**of_caller(caller, entry_id), **_columns(content), "versions": _array(versions)}
        row = await (await self._statements.execute(_REWRITE, parameters)).fetchone()
        return self._read(row) if row else None

    async def remove(self, caller: Caller, entry_id: str, versions: Collection[int] | None) -> bool:
        """See ports.cycle.Journal."""
        parameters = {**of_caller(caller, entry_id), "versions": _array(versions)}
        return (await self._statements.execute(_REMOVE, parameters)).rowcount > 0

    async def of_user(
        self, tenant: str, user_id: str, *, days: Days, tag: str | None, after: DiaryPosition | None, limit: int
    ) -> list[JournalEntry]:
        """See ports.cycle.Journal."""
        parameters = {**of_user(tenant, user_id, days, after, limit), "tags": [] if tag is None else [tag]}
        rows = await (await self._statements.execute(_LIST, parameters)).fetchall()
        entries = [_entry(row) for row in rows]
        self._logged.note_all(entries, rows)
        return entries

    def _read(self, row: dict[str, Any]) -> JournalEntry:
        entry = _entry(row)
        self._logged.note(entry, row["logged"])
        return entry


def _columns(content: JournalContent) -> dict[str, Any]:
    return {
        "date": content.date,
        "mood": content.mood,
        "energy": content.energy,
        "text": content.text,
        "tags": list(content.tags),
        "cycle_day": content.cycle_day,
    }


def _array(versions: Collection[int] | None) -> list[int] | None:
    return None if versions is None else list(versions)


def _entry(row: dict[str, Any]) -> JournalEntry:
    content = JournalContent(
        date=row["date"],
        mood=row["mood"],
        energy=row["energy"],
        text=row["text"],
        tags=tuple(row["tags"]),
        cycle_day=row["cycle_day"],
    )
    return JournalEntry(
        id=str(row["id"]),
        tenant=row["tenant"],
        user_id=row["user_id"],
        content=content,
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
