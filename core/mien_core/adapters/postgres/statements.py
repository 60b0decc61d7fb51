"""How repositories speak to the server: in as few round trips as the results allow.

A round trip costs the process several times what the server takes for a small statement. So what has no result waits
for the next statement that has one, or for the commit, and BEGIN, COMMIT and the signals after it never travel alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import psycopg

from mien_core.faults import Point, is_planned, reached
from mien_core.ports.signals import Channel

Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]
Parameters = Sequence[Any] | Mapping[str, Any] | None

BEGIN = ("BEGIN",)

# where the server's source has NOTIFY; nothing else fails there
_NOTIFY_SOURCE = "async.c"


class Statements(Protocol):
    """Where repositories send their statements."""

    async def execute(self, statement: str, parameters: Parameters = None) -> psycopg.AsyncCursor[Row]:
        """Execute now and give the result."""

    async def write(self, statement: str, parameters: Parameters = None) -> None:
        """Execute before whatever is executed next; what the server says against it comes out there, or at the end."""


class Reading:
    """Meets Statements outside of any transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(self, statement: str, parameters: Parameters = None) -> psycopg.AsyncCursor[Row]:
        """See Statements."""
        return await self._connection.execute(statement, parameters)

    async def write(self, statement: str, parameters: Parameters = None) -> None:
        """See Statements. The server refuses: the connection is a read-only one."""
        await self._connection.execute(statement, parameters)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a unit of work that can be undone by itself: from where on, and its savepoint if it isn't the first."""

    savepoint: str | None
    messages: int
    waiting: int


class UnitOfWork:
    """Meets Statements in a transaction that begins with the first of them. Ask for commit or rollback at the end.

    Args:
        connection: in autocommit mode.
        opening: the statements that begin the transaction; none, and each message is one by itself.
    """

    def __init__(self, connection: Connection, opening: Sequence[str] = BEGIN) -> None:
        self._connection = connection
        self._opening = list(opening)
        self._messages = 0
        self._parts = 0
        self._waiting = list(opening)

    @cached_property
    def _cursor(self) -> psycopg.AsyncClientCursor[Row]:
        # Several statements in one message need their parameters written into them: the other way, with prepared
        # statements, the protocol has one statement a message.
        return psycopg.AsyncClientCursor(self._connection)

    async def execute(self, statement: str, parameters: Parameters = None) -> psycopg.AsyncCursor[Row]:
        """See Statements."""
        if not self._waiting:
            return await self._connection.execute(statement, parameters)
        cursor = psycopg.AsyncClientCursor(self._connection)
        # before what waits is taken: parameters that can't be written must not lose what others left
        own = cursor.mogrify(statement, parameters)
        statements = [*self._taken(), own]
        await cursor.execute(";\n".join(statements))
        for _ in statements[1:]:
            cursor.nextset()
        return cursor

    async def write(self, statement: str, parameters: Parameters = None) -> None:
        """See Statements."""
        self._waiting.append(self._cursor.mogrify(statement, parameters))

    async def commit(self, signals: Sequence[tuple[Channel, str]]) -> None:
        """Make it last, and then signal: inside the transaction NOTIFY serialises all commits of the database."""
        statements = self._taken()
        if statements == self._opening:
            # nothing was asked for: there is nothing to commit
            statements, commit = [], []
        else:
            commit = ["COMMIT"] if self._opening else []
        planned = is_planned(Point.COMMITTING, Point.COMMITTED)
        if not (statements or commit or signals or planned):
            return
        announcements = [
            self._cursor.mogrify("SELECT pg_notify(%s, %s)", (channel.value, topic))
            for channel, topic in dict.fromkeys(signals)
        ]
        try:
            if planned:
                # these points lie within what is one message otherwise
                await self._send(statements)
                reached(Point.COMMITTING)
                await self._send(commit)
                self._check_committed(commit)
                reached(Point.COMMITTED)
                await self._send(announcements)
            else:
                await self._send([*statements, *commit, *announcements])
                for _ in statements:
                    self._cursor.nextset()
                self._check_committed(commit)
        except psycopg.Error as error:
            # The work is committed. A signal is a hint, so its loss must not look like a failure of the work.
            if error.diag.source_file != _NOTIFY_SOURCE:
                raise

    async def rollback(self) -> None:
        """Undo what was executed, if anything was; what comes next begins anew."""
        await self._connection.rollback()
        self._waiting = list(self._opening)

    async def begin_part(self) -> Part:
        """Begin what end_part or undo_part ends; parts don't overlap."""
        messages, waiting = self._messages, len(self._waiting)
        if self._waiting == self._opening:
            return Part(None, messages, waiting)
        self._parts += 1
        savepoint = f"part_{self._parts}"
        await self.write(f"SAVEPOINT {savepoint}")
        return Part(savepoint, messages, waiting)

    async def end_part(self, part: Part) -> None:
        """Let it count as the whole does."""
        if part.savepoint is not None:
            await self.write(f"RELEASE SAVEPOINT {part.savepoint}")

    async def undo_part(self, part: Part) -> None:
        """Undo it alone.

        Raises:
            psycopg.Error: what was before it is undone as well, or the connection is gone.
        """
        if part.savepoint is None:
            await self.rollback()
        elif part.messages == self._messages:
            del self._waiting[part.waiting :]
        else:
            self._waiting.clear()
            # fails where what the server refused was an earlier part's: then there is no such savepoint
            await self._send([f"ROLLBACK TO SAVEPOINT {part.savepoint}", f"RELEASE SAVEPOINT {part.savepoint}"])

    def _check_committed(self, commit: Sequence[str]) -> None:
        """Raise if an error was passed over: the server then answers COMMIT with a rollback, and with no error."""
        if commit and self._cursor.statusmessage != "COMMIT":
            raise psycopg.errors.InFailedSqlTransaction("An error was passed over, so the server undid it all.")

    async def _send(self, statements: Sequence[str]) -> None:
        if statements:
            await self._cursor.execute(";\n".join(statements))

    def _taken(self) -> list[str]:
        statements, self._waiting = self._waiting, []
        self._messages += 1
        return statements
