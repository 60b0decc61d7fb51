"""What psycopg raises, in the platform's words."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from mien_core.errors import Unavailable


@contextmanager
def translated() -> Iterator[None]:
    """Turn connection trouble into Unavailable.

    A violated constraint or a wrong statement is a bug and passes as it is. OperationalError also covers
    deadlocks and serialisation failures, for which a retry is right, too.
    """
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, PoolClosed, TooManyRequests) as error:
        # a restarted server is back in a moment, and a broken connection is replaced at once
        raise Unavailable("database_unavailable", "The database can't be reached. Try again shortly.", 0.1) from error


def as_uuid(text: str) -> UUID | None:
    """Read an id that came from outside; None if it can't be one, so that nothing is found by it."""
    try:
        return UUID(text)
    except ValueError:
        return None
