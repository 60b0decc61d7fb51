"""The usage and usage_jobs tables."""

from collections.abc import Sequence
from datetime import date

from mien_core.adapters.postgres.statements import Statements
from mien_core.usage import Calls, UsageCount

# In the order of the key, so that replicas that write at the same time don't wait for each other in a circle.
_ADD = """
    WITH named AS (
        SELECT * FROM unnest(%s::uuid[], %s::text[], %s::date[], %s::text[], %s::text[])
            AS job (job_id, tenant, day, route, method)
    ), counted AS (
        INSERT INTO usage_jobs (job_id) SELECT job_id FROM named ORDER BY job_id
        ON CONFLICT DO NOTHING RETURNING job_id
    ), added AS (
        SELECT * FROM unnest(%s::text[], %s::date[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
            AS count (tenant, day, route, method, calls, errors, jobs)
        UNION ALL
        SELECT tenant, day, route, method, 0, 0, 1 FROM named JOIN counted USING (job_id)
    )
    INSERT INTO usage (tenant, day, route, method, calls, errors, jobs)
    SELECT tenant, day, route, method, sum(calls), sum(errors), sum(jobs) FROM added
    GROUP BY tenant, day, route, method ORDER BY tenant, day, route, method
    ON CONFLICT (tenant, day, route, method) DO UPDATE SET
        calls = usage.calls + excluded.calls,
        errors = usage.errors + excluded.errors,
        jobs = usage.jobs + excluded.jobs
"""


class PostgresUsage:
    """Meets mien_core.usage.Usage."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, counts: Sequence[UsageCount], jobs: Sequence[tuple[str, Calls]]) -> None:
        """See Usage."""
        first = dict(reversed(jobs))
        named = [(job_id, calls.tenant, calls.day, calls.route, calls.method) for job_id, calls in first.items()]
        added = [
            (count.of.tenant, count.of.day, count.of.route, count.of.method, count.calls, count.errors, count.jobs)
            for count in counts
        ]
        columns = [list(column) for column in (*_columns(named, 5), *_columns(added, 7))]
        await self._statements.write(_ADD, columns)

    async def of_tenant(self, tenant: str, first: date, last: date) -> list[UsageCount]:
        """See Usage."""
        cursor = await self._statements.execute(
            """
            SELECT * FROM usage WHERE tenant = %s AND day BETWEEN %s AND %s
            ORDER BY day, route COLLATE "C", method COLLATE "C"
            """,
            (tenant, first, last),
        )
        return [
            UsageCount(
                Calls(row["tenant"], row["day"], row["route"], row["method"]), row["calls"], row["errors"], row["jobs"]
            )
            async for row in cursor
        ]

    async def forget_jobs(self, days: int) -> None:
        """See Usage."""
        await self._statements.write(
            "DELETE FROM usage_jobs WHERE counted_at < now() - make_interval(days => %s)", (days,)
        )


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[place] for row in rows] for place in range(width)]
