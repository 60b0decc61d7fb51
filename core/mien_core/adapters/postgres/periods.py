"""The periods table."""

from datetime import date
from typing import Any

from mien_core.adapters.postgres.diary import OF_CALLER, of_caller, span
from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.uploads import note_user
from mien_core.model.cycle import Days, DiaryPosition, NewPeriod, Period
from mien_core.model.platform import Caller

_LOG = """
    INSERT INTO periods (id, tenant, user_id, date, cycle_length, flow, symptoms)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (tenant, user_id, date) DO UPDATE
    SET cycle_length = excluded.cycle_length, flow = excluded.flow, symptoms = excluded.symptoms
    RETURNING *
"""
_REMOVE = f"DELETE FROM periods WHERE {OF_CALLER}"  # noqa: S608 - a constant of this package
# a day is logged once, so the date is the whole order
_LIST = """
    SELECT * FROM periods
    WHERE tenant = %(tenant)s AND user_id = %(user_id)s AND date BETWEEN %(first)s AND %(last)s AND date < %(after)s
    ORDER BY date DESC LIMIT %(limit)s
"""
_DAYS = """
    SELECT date FROM periods
    WHERE tenant = %(tenant)s AND user_id = %(user_id)s AND date BETWEEN %(first)s AND %(last)s
"""


class PostgresPeriods:
    """Meets ports_cycle.Periods."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def log(self, period: NewPeriod) -> tuple[Period, bool]:
        """See ports_cycle.Periods."""
        await note_user(self._statements, period.tenant, period.user_id)
        values = (
            period.id,
            period.tenant,
            period.user_id,
            period.date,
            period.cycle_length,
            period.flow,
            list(period.symptoms),
        )
        row = await (await self._statements.execute(_LOG, values)).fetchone()
        assert row is not None  # noqa: S101 - INSERT … DO UPDATE … RETURNING has one row; tells mypy so
        logged = _period(row)
        return logged, logged.id == period.id

    async def remove(self, caller: Caller, period_id: str) -> bool:
        """See ports_cycle.Periods."""
        return (await self._statements.execute(_REMOVE, of_caller(caller, period_id))).rowcount > 0

    async def of_user(
        self, tenant: str, user_id: str, *, days: Days, after: DiaryPosition | None, limit: int
    ) -> list[Period]:
        """See ports_cycle.Periods."""
        parameters = {
            **span(days),
            "tenant": tenant,
            "user_id": user_id,
            "after": after.date if after else date.max,
            "limit": limit,
        }
        return [_period(row) for row in await (await self._statements.execute(_LIST, parameters)).fetchall()]

    async def days(self, tenant: str, user_id: str, days: Days) -> list[date]:
        """See ports_cycle.Periods."""
        cursor = await self._statements.execute(_DAYS, {**span(days), "tenant": tenant, "user_id": user_id})
        return sorted(row["date"] for row in await cursor.fetchall())


def _period(row: dict[str, Any]) -> Period:
    return Period(**{**row, "id": str(row["id"]), "symptoms": tuple(row["symptoms"])})
