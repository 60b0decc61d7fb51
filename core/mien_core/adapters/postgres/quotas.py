"""The Quotas port on PostgreSQL: one row a key, in a table that no crash has to keep."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from mien_core.adapters.postgres.translation import translated
from mien_core.errors import Unavailable
from mien_core.quotas import Lease, Unused, Wanted
from mien_core.rules.quotas import LAST_PART
from mien_core.settings import PostgresSettings

Connection = psycopg.AsyncConnection[dict[str, Any]]

# Leases are rare and small. Connections of their own, so that limits go on where requests hold all the others.
CONNECTIONS = 2
# whoever waits for longer counts alone meanwhile
POOL_TIMEOUT_SECONDS = 1.0

# rules.quotas.granted in SQL, of a window of which so many are {used}
_GRANTED = f"greatest(0, least(excluded.wanted, ceil((excluded.allowance - {{used}}) / {LAST_PART}.0)))::integer"
# Compared with the time before the wait for the row's lock. If somebody began a window meanwhile, it is that one.
_LIVE = "held.ends_at > excluded.began_at"
# In the order of keys: those who lock several rows do so in one order, and don't wait for each other in a circle.
_LEASE = f"""
    INSERT INTO rate_limits AS held (key, began_at, ends_at, allowance, wanted, used, granted)
    SELECT key, now, now + make_interval(secs => seconds), allowance, wanted, least(wanted, fresh), least(wanted, fresh)
    FROM unnest(%s::text[], %s::integer[], %s::float8[], %s::integer[]) AS asked (key, allowance, seconds, wanted),
        ceil(allowance / {LAST_PART}.0) AS fresh, clock_timestamp() AS now
    ORDER BY key
    ON CONFLICT (key) DO UPDATE SET
        began_at = CASE WHEN {_LIVE} THEN held.began_at ELSE excluded.began_at END,
        ends_at = CASE WHEN {_LIVE} THEN held.ends_at ELSE excluded.ends_at END,
        allowance = excluded.allowance,
        wanted = excluded.wanted,
        used = CASE WHEN {_LIVE} THEN held.used + {_GRANTED.format(used="held.used")} ELSE excluded.used END,
        granted = CASE WHEN {_LIVE} THEN {_GRANTED.format(used="held.used")} ELSE excluded.granted END
    RETURNING key, granted, used, began_at, extract(epoch FROM ends_at - clock_timestamp())::float8 AS expires_in
"""  # noqa: S608 - built of the constants above
_GIVE_BACK = """
    WITH unused AS (
        SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::integer[]) AS part (key, began_at, count)
    ), locked AS (
        SELECT key FROM rate_limits WHERE key IN (SELECT key FROM unused) ORDER BY key FOR UPDATE
    )
    UPDATE rate_limits AS held SET used = greatest(0, held.used - unused.count)
    FROM unused JOIN locked USING (key)
    WHERE held.key = unused.key AND held.began_at = unused.began_at
"""
_FORGET = """
    DELETE FROM rate_limits WHERE key IN (
        SELECT key FROM rate_limits WHERE ends_at < clock_timestamp() ORDER BY key FOR UPDATE SKIP LOCKED
    )
"""


class PostgresQuotas:
    """Meets Quotas. Use it as an async context manager.

    Args:
        settings: where the server is.
        patience: seconds to wait for a connection.
    """

    def __init__(self, settings: PostgresSettings, patience: float = POOL_TIMEOUT_SECONDS) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            settings.url.get_secret_value(),
            kwargs={"autocommit": True, "row_factory": dict_row},
            min_size=1,
            max_size=CONNECTIONS,
            timeout=patience,
            # as the database's: short, so that a server that is back is found soon
            reconnect_timeout=2.0,
            open=False,
        )

    async def __aenter__(self) -> Self:
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def lease(self, wanted: Sequence[Wanted]) -> list[Lease]:
        """See Quotas."""
        columns = (
            [one.key for one in wanted],
            [one.limit for one in wanted],
            [one.window_seconds for one in wanted],
            [one.count for one in wanted],
        )
        async with self._connection() as connection:
            rows = {row["key"]: row async for row in await connection.execute(_LEASE, columns)}
        return [_lease(rows[one.key], one.limit) for one in wanted]

    async def give_back(self, unused: Sequence[Unused]) -> None:
        """See Quotas."""
        if not unused:
            return
        keys, windows, counts = zip(*((part.key, part.window, part.count) for part in unused), strict=True)
        async with self._connection() as connection:
            await connection.execute(_GIVE_BACK, (list(keys), list(windows), list(counts)))

    async def forget_expired(self) -> None:
        """See Quotas."""
        async with self._connection() as connection:
            await connection.execute(_FORGET)

    async def check(self) -> None:
        """See Quotas."""
        async with self._connection() as connection:
            await connection.execute("SELECT 1")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            with translated():
                async with self._pool.connection() as connection:
                    yield connection
        except Unavailable as error:
            raise Unavailable("quotas_unavailable", "The store of limits can't be reached.") from error


def _lease(row: dict[str, Any], limit: int) -> Lease:
    return Lease(row["granted"], max(0, limit - row["used"]), row["began_at"].isoformat(), row["expires_in"])
