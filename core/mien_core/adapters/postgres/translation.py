"""What psycopg raises, in the platform's words."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final
from uuid import UUID

import psycopg
from psycopg.errors import ForeignKeyViolation, IdleInTransactionSessionTimeout
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from mien_core.errors import MienError, Missing, Unavailable
from mien_core.model.holds import legal_hold
from mien_core.model.privacy import erasure_in_progress

CONNECTION_TROUBLE = (psycopg.OperationalError, psycopg.InterfaceError, IdleInTransactionSessionTimeout)

# what the trigger on users says (migration 0013)
_UNDER_ERASURE = "ME409"
# what the triggers say on whatever may be held (migration 0015)
_HELD = "ME423"
# The end of the names of the references to users, and of those to uploads. Whoever writes has seen that row: it was
# erased since then.
_OF_USERS = "_tenant_user_id_fkey"
_OF_UPLOADS = "_upload_id_fkey"


class _Translated:
    """See translated. A class, since a generator costs each unit of work several times as much."""

    def __enter__(self) -> None:
        """Nothing to keep, so one is enough for all."""

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(error, (*CONNECTION_TROUBLE, PoolTimeout, PoolClosed, TooManyRequests)):
            # a restarted server is back in a moment, and a broken connection is replaced at once
            detail = "The database can't be reached. Try again shortly."
            raise Unavailable("database_unavailable", detail, 0.1) from error
        if isinstance(error, psycopg.DatabaseError) and (told := _in_the_way(error)) is not None:
            raise told from error


_TRANSLATED: Final = _Translated()


def translated() -> AbstractContextManager[None]:
    """Turn connection trouble into Unavailable, and what an erasure or a hold is in the way of into the word for it.

    Any other violated constraint or a wrong statement is a bug and passes as it is. OperationalError also covers
    deadlocks and serialisation failures, for which a retry is right, too; what was stopped for so long that the server
    ended its transaction finds that out at its next statement.
    """
    return _TRANSLATED


def _in_the_way(error: psycopg.DatabaseError) -> MienError | None:
    if error.sqlstate == _UNDER_ERASURE:
        return erasure_in_progress()
    if error.sqlstate == _HELD:
        return legal_hold()
    constraint = error.diag.constraint_name or ""
    if not isinstance(error, ForeignKeyViolation):
        return None
    if constraint.endswith(_OF_USERS):
        return erasure_in_progress()
    if constraint.endswith(_OF_UPLOADS):
        return Missing("upload_not_found", "There is no such upload (any more). Announce another one.")
    return None


def as_uuid(text: str) -> UUID | None:
    """Read an id that came from outside; None if it can't be one, so that nothing is found by it."""
    try:
        return UUID(text)
    except ValueError:
        return None
