"""The skin_scans table."""

from dataclasses import asdict
from typing import Any

from mien_core.adapters.postgres.diary import NEWEST_FIRST, OF_CALLER, OF_USER, of_caller, of_user
from mien_core.adapters.postgres.logged_days import LoggedDays, listed_with_logged_days, logged_days_of
from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.adapters.postgres.uploads import NOTING_USER
from mien_core.model.cycle import Days, DiaryMetrics, DiaryPosition, NewSkinScan, SkinScan
from mien_core.model.platform import Caller

_ADD = f"""
    {NOTING_USER}
    INSERT INTO skin_scans (id, tenant, user_id, date, radiance, moisture, texture, pores, dark_circles, cycle_day)
    VALUES (%(id)s, %(tenant)s, %(user_id)s, %(date)s, %(radiance)s, %(moisture)s, %(texture)s, %(pores)s,
            %(dark_circles)s, %(cycle_day)s)
    ON CONFLICT (id) DO UPDATE SET id = excluded.id
    RETURNING skin_scans.*, {logged_days_of("skin_scans")}
"""  # noqa: S608 - constants of this package
_REMOVE = f"DELETE FROM skin_scans WHERE {OF_CALLER}"  # noqa: S608 - likewise
_LIST = listed_with_logged_days(
    f"SELECT * FROM skin_scans WHERE {OF_USER} {NEWEST_FIRST}"  # noqa: S608 - likewise
)


class PostgresSkinScans:
    """Meets ports.cycle.SkinScans."""

    def __init__(self, statements: Statements, logged: LoggedDays) -> None:
        self._statements = statements
        self._logged = logged

    async def add(self, scan: NewSkinScan) -> SkinScan:
        """See ports.cycle.SkinScans."""
        values = asdict(scan)
        row = await (await self._statements.execute(_ADD, {**values, **values["metrics"]})).fetchone()
        assert row is not None  # noqa: S101 - INSERT … RETURNING has one row; tells mypy so
        added = _scan(row)
        self._logged.note(added, row["logged"])
        return added

    async def get(self, scan_id: str) -> SkinScan | None:
        """See ports.cycle.SkinScans."""
        cursor = await self._statements.execute("SELECT * FROM skin_scans WHERE id = %s", (as_uuid(scan_id),))
        row = await cursor.fetchone()
        return _scan(row) if row else None

    async def remove(self, caller: Caller, scan_id: str) -> bool:
        """See ports.cycle.SkinScans."""
        return (await self._statements.execute(_REMOVE, of_caller(caller, scan_id))).rowcount > 0

    async def of_user(
        self, tenant: str, user_id: str, *, days: Days, after: DiaryPosition | None, limit: int
    ) -> list[SkinScan]:
        """See ports.cycle.SkinScans."""
        rows = await (await self._statements.execute(_LIST, of_user(tenant, user_id, days, after, limit))).fetchall()
        scans = [_scan(row) for row in rows]
        self._logged.note_all(scans, rows)
        return scans


def _scan(row: dict[str, Any]) -> SkinScan:
    return SkinScan(
        id=str(row["id"]),
        tenant=row["tenant"],
        user_id=row["user_id"],
        date=row["date"],
        metrics=DiaryMetrics(
            radiance=row["radiance"],
            moisture=row["moisture"],
            texture=row["texture"],
            pores=row["pores"],
            dark_circles=row["dark_circles"],
        ),
        cycle_day=row["cycle_day"],
        created_at=row["created_at"],
    )
