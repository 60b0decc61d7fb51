"""What the tables of Glow Cycle have in common: each thing belongs to a user and to a day."""

from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from mien_core.adapters.postgres.translation import as_uuid
from mien_core.model.cycle import Days, DiaryPosition
from mien_core.model.platform import Caller

# Every list has all conditions, so that it is one statement, which the server plans once; these let everything pass.
_NEWEST: Final = DiaryPosition(date.max, datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))

# a page of a user's things, read from the index
OF_USER: Final = """
    tenant = %(tenant)s AND user_id = %(user_id)s AND date BETWEEN %(first)s AND %(last)s
    AND (date, created_at, id) < (%(after_date)s, %(after_created_at)s, %(after_id)s)
"""
NEWEST_FIRST: Final = "ORDER BY date DESC, created_at DESC, id DESC LIMIT %(limit)s"

# one thing that the caller may see
OF_CALLER: Final = """
    id = %(id)s AND tenant = %(tenant)s AND (%(user_id)s::text IS NULL OR user_id = %(user_id)s)
"""


def of_user(tenant: str, user_id: str, days: Days, after: DiaryPosition | None, limit: int) -> dict[str, Any]:
    """The parameters of OF_USER and NEWEST_FIRST."""
    position = after or _NEWEST
    return {
        **span(days),
        "tenant": tenant,
        "user_id": user_id,
        "after_date": position.date,
        "after_created_at": position.created_at,
        "after_id": position.id,
        "limit": limit,
    }


def span(days: Days) -> dict[str, date]:
    """The first and the last day, where an open end is as far away as can be."""
    return {"first": days.first or date.min, "last": days.last or date.max}


def of_caller(caller: Caller, thing_id: str) -> dict[str, Any]:
    """The parameters of OF_CALLER."""
    return {"id": as_uuid(thing_id), "tenant": caller.tenant, "user_id": caller.user_id}
