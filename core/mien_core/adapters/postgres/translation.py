"""What psycopg raises, in the platform's words."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
from psycopg.errors import IdleInTransactionSessionTimeout
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from mien_core.errors import Unavailable

CONNECTION_TROUBLE = (psycopg.OperationalError, psycopg.InterfaceError, IdleInTransactionSessionTimeout)


@contextmanager
def translated() -> Iterator[None]:
    """Turn connection trouble into Unavailable.

    A violated constraint or a wrong statement is a bug and passes as it is. OperationalError also covers
    deadlocks and serialisation failures, for which a retry is right, too; what was stopped for so long that the server
    ended its transaction finds that out at its next statement.
    """
    try:
        yield
    except (*CONNECTION_TROUBLE, PoolTimeout, PoolClosed, TooManyRequests) as error:
        # a restarted server is back in a moment, and a broken connection is replaced at once
        raise Unavailable("database_unavailable", "The database can't be reached. Try again shortly.", 0.1) from error


def as_uuid(text: str) -> UUID | None:
    """Read an id that came from outside; None if it can't be one, so that nothing is found by it."""
    try:
        return UUID(text)
    except ValueError:
        return None
