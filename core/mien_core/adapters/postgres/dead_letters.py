"""The dead_letters table."""

from typing import Any

from psycopg.types.json import Json

from mien_core.adapters.postgres.messages import decoded, encoded
from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.model.dead_letters import EVERY_LETTER, Backlog, DeadLetter, NewDeadLetter, Selection

_WHERE = """
    WHERE (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s))
    AND (%(handler)s::text IS NULL OR handler = %(handler)s)
    AND (%(topic)s::text IS NULL OR topic = %(topic)s)
    AND (%(code)s::text IS NULL OR code = %(code)s)
    AND (NOT %(of_job)s OR job_id = %(job_id)s)
    AND (%(seconds)s::float8 IS NULL OR created_at <= clock_timestamp() - make_interval(secs => %(seconds)s))
"""
_SELECT = f"SELECT * FROM dead_letters {_WHERE} ORDER BY id LIMIT %(limit)s"  # noqa: S608 - constants of this module
_IDS = f"SELECT id FROM dead_letters {_WHERE} ORDER BY id LIMIT %(limit)s"  # noqa: S608 - likewise
_COUNT = f"SELECT count(*) AS letters FROM dead_letters {_WHERE}"  # noqa: S608 - likewise


class PostgresDeadLetters:
    """Meets ports.messages.DeadLetters."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, letter: NewDeadLetter) -> None:
        """See ports.messages.DeadLetters."""
        await self._statements.write(
            """
            INSERT INTO dead_letters (handler, topic, partition, record_offset, key, value, headers, code, detail,
                                      attempts, traceparent, job_id)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (handler, topic, partition, record_offset) DO NOTHING
            """,
            (
                letter.handler,
                letter.topic,
                letter.partition,
                letter.offset,
                letter.key,
                letter.value,
                Json(encoded(letter.headers)),
                letter.code,
                letter.detail,
                letter.attempts,
                letter.traceparent,
                letter.job_id,
            ),
        )

    async def select(self, selection: Selection = EVERY_LETTER, limit: int | None = None) -> list[DeadLetter]:
        """See ports.messages.DeadLetters."""
        cursor = await self._statements.execute(_SELECT, _parameters(selection, limit))
        return [_letter(row) async for row in cursor]

    async def ids(self, selection: Selection = EVERY_LETTER, limit: int | None = None) -> list[int]:
        """See ports.messages.DeadLetters."""
        cursor = await self._statements.execute(_IDS, _parameters(selection, limit))
        return [row["id"] async for row in cursor]

    async def count(self, selection: Selection = EVERY_LETTER) -> int:
        """See ports.messages.DeadLetters."""
        row = await (await self._statements.execute(_COUNT, _parameters(selection))).fetchone()
        return int(row["letters"]) if row else 0

    async def lock(self, letter_id: int) -> DeadLetter | None:
        """See ports.messages.DeadLetters."""
        cursor = await self._statements.execute("SELECT * FROM dead_letters WHERE id = %s FOR UPDATE", (letter_id,))
        row = await cursor.fetchone()
        return _letter(row) if row else None

    async def remove(self, letter_id: int) -> None:
        """See ports.messages.DeadLetters."""
        await self._statements.write("DELETE FROM dead_letters WHERE id = %s", (letter_id,))

    async def backlogs(self) -> dict[str, Backlog]:
        """See ports.messages.DeadLetters."""
        cursor = await self._statements.execute(
            """
            SELECT handler, count(*) AS letters,
                   extract(epoch FROM clock_timestamp() - min(created_at))::float8 AS age
            FROM dead_letters GROUP BY handler ORDER BY handler
            """
        )
        return {row["handler"]: Backlog(row["letters"], max(0.0, row["age"])) async for row in cursor}


def _parameters(selection: Selection, limit: int | None = None) -> dict[str, object]:
    return {
        "ids": None if selection.ids is None else list(selection.ids),
        "handler": selection.handler,
        "topic": selection.topic,
        "code": selection.code,
        "of_job": selection.job_id is not None,
        "job_id": None if selection.job_id is None else as_uuid(selection.job_id),
        "seconds": selection.older_than_seconds,
        "limit": limit,
    }


def _letter(row: dict[str, Any]) -> DeadLetter:
    return DeadLetter(
        id=row["id"],
        handler=row["handler"],
        topic=row["topic"],
        partition=row["partition"],
        offset=row["record_offset"],
        key=row["key"],
        value=row["value"],
        headers=decoded(row["headers"]),
        code=row["code"],
        detail=row["detail"],
        attempts=row["attempts"],
        traceparent=row["traceparent"],
        job_id=str(row["job_id"]) if row["job_id"] else None,
        created_at=row["created_at"],
    )
