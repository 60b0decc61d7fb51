"""The outbox and inbox tables: what keeps Kafka and the database of one mind."""

import base64
from collections.abc import Sequence

from psycopg.types.json import Json

from mien_core.adapters.postgres.statements import Statements
from mien_core.ports.messages import OutboxRow, Record
from mien_core.ports.signals import Channel

Headers = tuple[tuple[str, bytes], ...]


class PostgresOutbox:
    """Meets ports.messages.Outbox; signals is where the transaction collects what to announce after its commit."""

    def __init__(self, statements: Statements, signals: list[tuple[Channel, str]]) -> None:
        self._statements = statements
        self._signals = signals

    async def add(self, record: Record, delay_seconds: float = 0) -> None:
        """See ports.messages.Outbox."""
        await self._statements.write(
            """
            INSERT INTO outbox (topic, key, value, headers, available_at)
            VALUES (%s, %s, %s, %s, clock_timestamp() + make_interval(secs => %s))
            """,
            (record.topic, record.key, record.value, Json(encoded(record.headers)), delay_seconds),
        )
        self._signals.append((Channel.OUTBOX, ""))

    async def due(self, limit: int) -> list[OutboxRow]:
        """See ports.messages.Outbox."""
        cursor = await self._statements.execute(
            "SELECT * FROM outbox WHERE available_at <= clock_timestamp() ORDER BY id LIMIT %s", (limit,)
        )
        return [
            OutboxRow(
                id=row["id"],
                record=Record(row["topic"], row["key"], row["value"], decoded(row["headers"])),
                created_at=row["created_at"],
            )
            async for row in cursor
        ]

    async def remove(self, row_ids: Sequence[int]) -> None:
        """See ports.messages.Outbox."""
        await self._statements.write("DELETE FROM outbox WHERE id = ANY(%s)", (list(row_ids),))

    async def due_count(self) -> int:
        """See ports.messages.Outbox."""
        cursor = await self._statements.execute(
            "SELECT count(*) AS due FROM outbox WHERE available_at <= clock_timestamp()"
        )
        row = await cursor.fetchone()
        return int(row["due"]) if row else 0

    async def oldest_due_seconds(self) -> float:
        """See ports.messages.Outbox."""
        cursor = await self._statements.execute(
            """
            SELECT coalesce(extract(epoch FROM clock_timestamp() - min(available_at)), 0)::float8 AS age
            FROM outbox WHERE available_at <= clock_timestamp()
            """
        )
        row = await cursor.fetchone()
        return max(0.0, row["age"]) if row else 0.0


class PostgresInbox:
    """Meets ports.messages.Inbox."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, handler: str, event_id: str) -> bool:
        """See ports.messages.Inbox. Two at once: the second waits for the first's end and then sees its row."""
        cursor = await self._statements.execute(
            "INSERT INTO inbox (handler, event_id) VALUES (%s, %s) ON CONFLICT DO NOTHING", (handler, event_id)
        )
        return cursor.rowcount == 1

    async def has(self, handler: str, event_id: str) -> bool:
        """See ports.messages.Inbox."""
        cursor = await self._statements.execute(
            "SELECT 1 FROM inbox WHERE handler = %s AND event_id = %s", (handler, event_id)
        )
        return await cursor.fetchone() is not None

    async def forget(self, handler: str, event_id: str) -> None:
        """See ports.messages.Inbox."""
        await self._statements.write("DELETE FROM inbox WHERE handler = %s AND event_id = %s", (handler, event_id))


def encoded(headers: Headers) -> list[list[str]]:
    """Headers for JSON: in base64, since their bytes need not be text, and a malformed message must survive."""
    return [[name, base64.b64encode(value).decode("ascii")] for name, value in headers]


def decoded(headers: list[list[str]]) -> Headers:
    """Headers as they were before encoded."""
    return tuple((name, base64.b64decode(value)) for name, value in headers)
