"""What every adapter of the usage table promises."""

import asyncio
from datetime import date, timedelta
from uuid import uuid4

import psycopg
from pydantic import SecretStr

from mien_core.adapters.postgres import PostgresDatabase
from mien_core.ports.database import Database
from mien_core.settings import PostgresSettings
from mien_core.usage import Calls, UsageCount

TODAY = date(2026, 11, 21)


def calls(route: str = "/analyze", tenant: str = "acme", day: date = TODAY, method: str = "POST") -> Calls:
    return Calls(tenant, day, route, method)


async def add(database: Database, *counts: UsageCount, jobs: list[tuple[str, Calls]] | None = None) -> None:
    async with database.transaction() as transaction:
        await transaction.usage.add(counts, jobs or [])


async def read(database: Database, first: date = TODAY, last: date = TODAY, tenant: str = "acme") -> list[UsageCount]:
    async with database.reading() as reading:
        return await reading.usage.of_tenant(tenant, first, last)


async def test_batches_add_up(database: Database) -> None:
    """What is written later, in the same batch or in another, is added to what is there."""
    await add(database, UsageCount(calls(), 3, 1), UsageCount(calls(), 1, 0), UsageCount(calls("/look"), 2, 2))
    await add(database, UsageCount(calls(), 4, 0, jobs=1))
    assert await read(database) == [UsageCount(calls(), 8, 1, 1), UsageCount(calls("/look"), 2, 2, 0)]


async def test_batches_at_the_same_time_add_up(database: Database) -> None:
    """Replicas that write the same rows in another order lose nothing and don't hinder each other."""
    counts = [UsageCount(calls(f"/{number}"), 1, 0) for number in range(10)]
    await asyncio.gather(*(add(database, *counts[:: 1 - 2 * (turn % 2)]) for turn in range(10)))
    assert [count.calls for count in await read(database)] == [10] * 10


async def test_a_job_counts_once_where_it_came_first(database: Database) -> None:
    """Asked for by two calls of one batch, by another route or in a later batch: it is one job."""
    first, second = str(uuid4()), str(uuid4())
    await add(
        database,
        UsageCount(calls("/a"), 1, 0),
        UsageCount(calls("/b"), 1, 0),
        jobs=[(first, calls("/b")), (first, calls("/a")), (second, calls("/b"))],
    )
    await add(database, UsageCount(calls("/a"), 1, 0), jobs=[(first, calls("/a"))])
    assert [(count.of.route, count.calls, count.jobs) for count in await read(database)] == [("/a", 2, 0), ("/b", 1, 2)]


async def test_a_tenant_reads_its_own_days_in_order(database: Database) -> None:
    """Both ends are included, other tenants' and other days are not; by day, then route, then method."""
    days = [TODAY + timedelta(days=offset) for offset in (-2, -1, 0, 1)]
    counts = [UsageCount(calls(route, day=day), 1, 0) for day in days for route in ("/b", "/Z", "/a")]
    await add(database, *counts, UsageCount(calls(tenant="other"), 1, 0), UsageCount(calls("/a", method="GET"), 1, 0))
    found = [(count.of.day, count.of.route, count.of.method) for count in await read(database, days[1], days[2])]
    assert found == [
        *((days[1], route, "POST") for route in ("/Z", "/a", "/b")),
        (TODAY, "/Z", "POST"),
        (TODAY, "/a", "GET"),
        (TODAY, "/a", "POST"),
        (TODAY, "/b", "POST"),
    ]
    assert await read(database, date.min, date.min) == []


async def test_forgetting_jobs_leaves_recent_ones_and_the_numbers(database: Database) -> None:
    """A job counted a moment ago is still known, so it isn't counted twice."""
    job = str(uuid4())
    await add(database, UsageCount(calls(), 1, 0), jobs=[(job, calls())])
    async with database.transaction() as transaction:
        await transaction.usage.forget_jobs(30)
    await add(database, UsageCount(calls(), 1, 0), jobs=[(job, calls())])
    assert await read(database) == [UsageCount(calls(), 2, 0, 1)]


async def test_old_jobs_are_forgotten(fresh_database: str) -> None:
    """In Postgres, jobs of before so many days take no room any more."""
    async with PostgresDatabase(PostgresSettings(url=SecretStr(fresh_database))) as database:
        await add(database, UsageCount(calls(), 1, 0), jobs=[(str(uuid4()), calls()) for _ in range(2)])
        async with await psycopg.AsyncConnection.connect(fresh_database, autocommit=True) as connection:
            await connection.execute(
                """
                UPDATE usage_jobs SET counted_at = now() - interval '31 days'
                WHERE job_id = (SELECT job_id FROM usage_jobs LIMIT 1)
                """
            )
            async with database.transaction() as transaction:
                await transaction.usage.forget_jobs(30)
            cursor = await connection.execute("SELECT count(*) FROM usage_jobs")
            assert await cursor.fetchone() == (1,)
