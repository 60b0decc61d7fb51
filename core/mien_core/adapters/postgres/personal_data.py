"""All that the tables hold about a user: statements made of the one list of these tables."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from psycopg.errors import ForeignKeyViolation

from mien_core.adapters.postgres.statements import Statements
from mien_core.errors import Unavailable
from mien_core.model.personal_data import PERSONAL_TABLES, Goes, PersonalTable
from mien_core.model.platform import JobKind
from mien_core.model.privacy import Media, Person, PersonalRow

_OF_USER: Final = "{table}.tenant = %(tenant)s AND {table}.{column} = %(user_id)s"

# What moved within late_seconds counts as late. The index on (tenant, user_id) leads to both kinds.
_MEDIA: Final = """
    SELECT '0' || uploads.id::text COLLATE "C" AS position, uploads.id AS upload_id, of_upload.ids, of_upload.kinds,
           greatest(uploads.created_at, of_upload.moved_at)
               > clock_timestamp() - make_interval(secs => %(late)s) AS is_late
    FROM uploads LEFT JOIN LATERAL (
        SELECT array_agg(id ORDER BY id) AS ids, array_agg(kind ORDER BY id) AS kinds, max(updated_at) AS moved_at
        FROM jobs WHERE upload_id = uploads.id
    ) AS of_upload ON true
    WHERE uploads.tenant = %(tenant)s AND uploads.user_id = %(user_id)s
          AND '0' || uploads.id::text COLLATE "C" > %(after)s
    UNION ALL
    SELECT '1' || id::text COLLATE "C", NULL, ARRAY[id], ARRAY[kind],
           updated_at > clock_timestamp() - make_interval(secs => %(late)s)
    FROM jobs
    WHERE tenant = %(tenant)s AND user_id = %(user_id)s AND upload_id IS NULL
          AND '1' || id::text COLLATE "C" > %(after)s
    ORDER BY position LIMIT %(limit)s
"""
_OPEN_JOBS: Final = """
    SELECT id FROM jobs
    WHERE tenant = %(tenant)s AND user_id = %(user_id)s AND status IN ('created', 'processing')
    ORDER BY id LIMIT %(limit)s
"""
# Their rows first: an agent that holds one is waited for here, and not with an upload's row in hand that it needs.
_LOCK_JOBS: Final = "SELECT id FROM jobs WHERE upload_id = ANY(%(uploads)s) OR id = ANY(%(jobs)s) FOR UPDATE"
_REMOVE_MEDIA: Final = (
    """
    DELETE FROM uploads
    WHERE id = ANY(%(uploads)s) AND tenant = %(tenant)s AND user_id = %(user_id)s
    """,
    "DELETE FROM jobs WHERE id = ANY(%(jobs)s) AND tenant = %(tenant)s AND user_id = %(user_id)s",
)
# The outbox may be long, so only a notification's value is looked through, whose key the object store chooses. Letters
# of jobs go with these.
_REMOVE_TRACES: Final = {
    "outbox": """
    DELETE FROM outbox
    WHERE key = ANY(%(names)s) OR (
        topic = 'mien.s3-notifications'
        AND EXISTS (SELECT FROM unnest(%(names)s::bytea[]) AS name WHERE position(name IN value) > 0)
    )
    """,
    "dead_letters": """
    DELETE FROM dead_letters
    WHERE job_id IS NULL AND EXISTS (
        SELECT FROM unnest(%(names)s::bytea[]) AS name WHERE key = name OR position(name IN value) > 0
    )
    """,
    "usage_jobs": "DELETE FROM usage_jobs WHERE job_id = ANY(%(ids)s)",
    "webhook_deliveries": "DELETE FROM webhook_deliveries WHERE job_id = ANY(%(ids)s)",
}
_REMOVE_USER: Final = "DELETE FROM users WHERE tenant = %(tenant)s AND id = %(user_id)s"


def _owner(table: PersonalTable) -> str:
    """The condition under which a row of the table is the user's."""
    if table.parent is None:
        return _OF_USER.format(table=table.name, column=table.user_column)
    column, parent = table.parent
    owner = _owner(next(one for one in PERSONAL_TABLES if one.name == parent))
    return f"{table.name}.{column} IN (SELECT {parent}.id FROM {parent} WHERE {owner})"  # noqa: S608 - constants


def _rows(table: PersonalTable) -> str:
    # any order does that is the same each time
    position = " || '/' || ".join(f"{table.name}.{column}::text" for column in table.key)
    row = f"to_jsonb({table.name})" + "".join(f" - '{column}'" for column in table.hidden)
    return f"""
        SELECT ({position}) COLLATE "C" AS position, ({row})::text AS json FROM {table.name}
        WHERE {_owner(table)} AND ({position}) COLLATE "C" > %(after)s ORDER BY position LIMIT %(limit)s
    """  # noqa: S608 - names out of this repository's own list


_ROWS: Final = {table.name: _rows(table) for table in PERSONAL_TABLES}
_REMOVE_ROWS: Final = {
    table.name: f"""
    DELETE FROM {table.name} WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM {table.name} WHERE {_owner(table)} LIMIT %(limit)s FOR UPDATE
    ))
    """  # noqa: S608 - likewise
    for table in PERSONAL_TABLES
    if table.goes is Goes.BY_ITSELF
}
_REMAINING: Final = " UNION ALL ".join(
    f"SELECT '{table.name}' AS name, count(*) AS rows FROM {table.name} WHERE {_owner(table)}"  # noqa: S608 - likewise
    for table in PERSONAL_TABLES
    if table.goes is not Goes.AT_THE_END
)


class PostgresPersonalData:
    """Meets ports.privacy.PersonalData."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def rows(self, table: str, person: Person, after: str, limit: int) -> list[PersonalRow]:
        """See ports.privacy.PersonalData."""
        cursor = await self._statements.execute(_ROWS[table], {**_of(person), "after": after, "limit": limit})
        return [PersonalRow(row["position"], row["json"]) async for row in cursor]

    async def media(self, person: Person, after: str, limit: int, late_seconds: float = 0) -> list[Media]:
        """See ports.privacy.PersonalData."""
        parameters = {**_of(person), "after": after, "limit": limit, "late": late_seconds}
        cursor = await self._statements.execute(_MEDIA, parameters)
        return [_media(row) async for row in cursor]

    async def open_jobs(self, person: Person, limit: int) -> list[str]:
        """See ports.privacy.PersonalData."""
        cursor = await self._statements.execute(_OPEN_JOBS, {**_of(person), "limit": limit})
        return [str(row["id"]) async for row in cursor]

    async def remove_media(self, person: Person, media: Collection[Media]) -> Mapping[str, int]:
        """See ports.privacy.PersonalData. What goes along with a row is counted by what is there no longer."""
        before = Counter(await self.remaining(person))
        uploads = [UUID(one.upload_id) for one in media if one.upload_id is not None]
        jobs = [UUID(job_id) for one in media for job_id, _ in one.jobs]
        parameters: dict[str, Any] = {**_of(person), "uploads": uploads, "jobs": jobs}
        # perhaps more than were known: work may have begun since
        locked = [UUID(row["id"]) async for row in await self._statements.execute(_LOCK_JOBS, parameters)]
        ids = [*uploads, *jobs, *locked]
        parameters |= {"ids": ids, "names": [str(one).encode() for one in ids]}
        traces: Counter[str] = Counter()
        for table, statement in _REMOVE_TRACES.items():
            traces[table] = (await self._statements.execute(statement, parameters)).rowcount
        for statement in _REMOVE_MEDIA:
            await self._statements.execute(statement, parameters)
        return traces + (before - Counter(await self.remaining(person)))

    async def remove_rows(self, person: Person, limit: int) -> Mapping[str, int]:
        """See ports.privacy.PersonalData."""
        for table, statement in _REMOVE_ROWS.items():
            removed = (await self._statements.execute(statement, {**_of(person), "limit": limit})).rowcount
            if removed:
                return {table: removed}
        return {}

    async def remaining(self, person: Person) -> Mapping[str, int]:
        """See ports.privacy.PersonalData."""
        cursor = await self._statements.execute(_REMAINING, _of(person))
        return +Counter({row["name"]: row["rows"] async for row in cursor})

    async def remove_user(self, person: Person) -> None:
        """See ports.privacy.PersonalData. The references to the row are what finds a row that came meanwhile."""
        try:
            await self._statements.execute(_REMOVE_USER, _of(person))
        except ForeignKeyViolation as error:
            detail = f"Something still refers to the user ({error.diag.constraint_name})."
            raise Unavailable("erasure_incomplete", detail, retry_after=0.0) from error


def _of(person: Person) -> dict[str, object]:
    return {"tenant": person.tenant, "user_id": person.user_id}


def _media(row: dict[str, Any]) -> Media:
    jobs = zip(row["ids"] or (), row["kinds"] or (), strict=True)
    return Media(
        position=row["position"],
        upload_id=None if row["upload_id"] is None else str(row["upload_id"]),
        jobs=tuple((str(job_id), JobKind(kind)) for job_id, kind in jobs),
        is_late=row["is_late"],
    )
