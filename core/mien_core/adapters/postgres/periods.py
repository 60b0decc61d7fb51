"""The periods table."""

from dataclasses import asdict
from datetime import date
from typing import Any

from mien_core.adapters.postgres.diary import OF_CALLER, of_caller, span
from mien_core.adapters.postgres.logged_days import LoggedDays
from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.uploads import NOTING_USER
from mien_core.model.cycle import Days, DiaryPosition, NewPeriod, Period
from mien_core.model.platform import Caller

_LOG = f"""
    {NOTING_USER}
    INSERT INTO periods (id, tenant, user_id, date, cycle_length, flow, symptoms)
    VALUES (%(id)s, %(tenant)s, %(user_id)s, %(date)s, %(cycle_length)s, %(flow)s, %(symptoms)s)
    ON CONFLICT (tenant, user_id, date) DO UPDATE
    SET cycle_length = excluded.cycle_length, flow = excluded.flow, symptoms = excluded.symptoms
    RETURNING *
"""  # noqa: S608 - a constant of this package
_REMOVE = f"DELETE FROM periods WHERE {OF_CALLER}"  # noqa: S608 - likewise
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
    """Meets ports.cycle.Periods."""

    def __init__(self, statements: Statements, logged: LoggedDays) -> None:
        self._statements = statements
        self._logged = logged

    async def log(self, period: NewPeriod) -> tuple[Period, bool]:
        """See ports.cycle.Periods."""
        self._logged.forget()
        values = {**asdict(period), "symptoms": list(period.symptoms)}
        row = await (await self._statements.execute(_LOG, values)).fetchone()
        assert row is not None  # noqa: S101 - INSERT … DO UPDATE … RETURNING has one row; tells mypy so
        logged = _period(row)
        return logged, logged.id == period.id

    async def remove(self, caller: Caller, period_id: str) -> bool:
        """See ports.cycle.Periods."""
        self._logged.forget()
        return (await self._statements.execute(_REMOVE, of_caller(caller, period_id))).rowcount > 0

    async def of_user(
        self, tenant: str, user_id: str, *, days: Days, after: DiaryPosition | None, limit: int
    ) -> list[Period]:
        """See ports.cycle.Periods."""
        parameters = {
            **span(days),
            "tenant": tenant,
            "user_id": user_id,
            "after": after.date if after else date.max,
            "limit": limit,
        }
        return [_period(row) for row in await (await self._statements.execute(_LIST, parameters)).fetchall()]

    async def days(self, tenant: str, user_id: str, days: Days) -> list[date]:
        """See ports.cycle.Periods."""
        known = self._logged.find(tenant, user_id, days)
        if known is not None:
            return known
        cursor = await self._statements.execute(_DAYS, {**span(days), "tenant": tenant, "user_id": user_id})
        return sorted(row["date"] for row in await cursor.fetchall())


def _period(row: dict[str, Any]) -> Period:
    return Period(**{**row, "id": str(row["id"]), "symptoms": tuple(row["symptoms"])})
