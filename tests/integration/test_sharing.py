"""Units of work that share a transaction, on a real server: together they are fast, and still each is on its own."""

import asyncio
import random
from collections.abc import AsyncIterator, Collection

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from mien_core.adapters.postgres import PostgresDatabase
from mien_core.errors import Unavailable
from mien_core.ports import Transaction
from mien_core.settings import PostgresSettings

HANDLER = "tester"
MOST = 8
DEADLINE_SECONDS = 60


class OwnError(Exception):
    """What goes wrong in a unit's own code."""


@pytest.fixture
async def database(fresh_database: str) -> AsyncIterator[PostgresDatabase]:
    """An empty database whose units of work share transactions."""
    async with PostgresDatabase(PostgresSettings(url=SecretStr(fresh_database)), sharing=MOST) as database:
        yield database


async def note(transaction: Transaction, subject: str | None) -> None:
    """Write a line that waits for the next statement; None is refused by the server when it gets there."""
    await transaction.audit_log.add(HANDLER, "test", subject)  # type: ignore[arg-type]  # None is what is wrong


async def noted(url: str) -> list[str]:
    """The lines that are committed."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        cursor = await connection.execute("SELECT subject FROM audit_log ORDER BY subject")
        return [subject for (subject,) in await cursor.fetchall()]


async def transactions(url: str) -> int:
    """How many transactions have written lines: a line has the time at which its transaction began."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        row = await (await connection.execute("SELECT count(DISTINCT at) FROM audit_log")).fetchone()
    assert row is not None
    return int(row[0])


async def unit(database: PostgresDatabase, subject: str) -> None:
    """Do what is done on an event: remember it, and write."""
    async with database.transaction() as transaction:
        assert await transaction.inbox.add(HANDLER, subject)
        await note(transaction, subject)


async def until_saved(database: PostgresDatabase, subject: str) -> None:
    """Try a unit until it is through, as the edge does."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            try:
                await unit(database, subject)
            except Unavailable as error:
                await asyncio.sleep(error.retry_after)
            else:
                return


async def test_what_comes_at_once_is_committed_at_once(database: PostgresDatabase, fresh_database: str) -> None:
    """Forty units at once take few transactions, none with more than its share, and all of them are saved."""
    subjects = [f"{number:02}" for number in range(40)]
    await asyncio.gather(*(unit(database, subject) for subject in subjects))
    assert await noted(fresh_database) == subjects
    assert len(subjects) / MOST <= await transactions(fresh_database) <= len(subjects) / 2


async def test_what_comes_one_by_one_is_committed_one_by_one(database: PostgresDatabase, fresh_database: str) -> None:
    """Nobody waits for company."""
    for subject in "abc":
        await unit(database, subject)
    assert await transactions(fresh_database) == 3


async def test_who_returns_is_committed(database: PostgresDatabase, fresh_database: str) -> None:
    """When a unit's block has been left, another connection sees what it wrote."""

    async def seen(subject: str) -> bool:
        await unit(database, subject)
        return subject in await noted(fresh_database)

    assert all(await asyncio.gather(*(seen(str(number)) for number in range(20))))


async def test_who_raises_undoes_its_own_work_alone(database: PostgresDatabase, fresh_database: str) -> None:
    """Be it the first, one between or the last, before its first answer from the server or after."""

    async def failing(subject: str, *, asked: bool) -> None:
        async with database.transaction() as transaction:
            await note(transaction, subject)
            if asked:
                await transaction.inbox.add(HANDLER, subject)
                await note(transaction, subject)
            raise OwnError(subject)

    units = [
        failing("first", asked=True),
        unit(database, "a"),
        failing("between", asked=False),
        failing("between, too", asked=True),
        unit(database, "b"),
        failing("last", asked=True),
    ]
    ends = await asyncio.gather(*units, return_exceptions=True)
    assert [type(end) for end in ends] == [OwnError, type(None), OwnError, OwnError, type(None), OwnError]
    assert await noted(fresh_database) == ["a", "b"]
    assert await transactions(fresh_database) == 1


async def test_what_the_server_refuses_is_not_blamed_on_others(database: PostgresDatabase, fresh_database: str) -> None:
    """A line that was left to travel with the next unit: nobody else gets its error, and again, all get their own."""

    async def refused() -> None:
        async with database.transaction() as transaction:
            await note(transaction, None)

    ends = await asyncio.gather(unit(database, "a"), refused(), unit(database, "b"), return_exceptions=True)
    assert all(isinstance(end, Unavailable) for end in ends)
    assert await noted(fresh_database) == []
    again = [until_saved(database, "a"), refused(), until_saved(database, "b")]
    end_a, end_refused, end_b = await asyncio.gather(*again, return_exceptions=True)
    assert (end_a, end_b) == (None, None)
    assert isinstance(end_refused, psycopg.errors.NotNullViolation)
    assert await noted(fresh_database) == ["a", "b"]


async def test_an_own_statement_that_is_refused_is_ones_own_error(
    database: PostgresDatabase, fresh_database: str
) -> None:
    """What fails when a unit asks fails for that unit alone."""

    async def refused() -> None:
        async with database.transaction() as transaction:
            await transaction.inbox.add(HANDLER, "refused")
            await note(transaction, None)
            await transaction.inbox.has(HANDLER, "anything")

    ends = await asyncio.gather(unit(database, "a"), refused(), unit(database, "b"), return_exceptions=True)
    assert isinstance(ends[1], psycopg.errors.NotNullViolation)
    assert await noted(fresh_database) == ["a", "b"]


async def test_a_row_that_another_keeps_holds_nobody_else_up(database: PostgresDatabase, fresh_database: str) -> None:
    """Who shares a transaction with a unit that has to wait is saved all the same, before the row is free again."""
    async with await psycopg.AsyncConnection.connect(fresh_database) as keeper:
        await keeper.execute("INSERT INTO inbox (handler, event_id) VALUES (%s, 'kept')", (HANDLER,))
        waiting = asyncio.create_task(until_saved(database, "kept"))
        others = [str(number) for number in range(20)]
        await asyncio.gather(*(until_saved(database, subject) for subject in others))
        assert await noted(fresh_database) == sorted(others)
        assert not waiting.done()
        await keeper.rollback()
        await waiting
    assert await noted(fresh_database) == sorted([*others, "kept"])


async def test_a_broken_connection_saves_nothing_and_says_so(database: PostgresDatabase, fresh_database: str) -> None:
    """All who were in that transaction come again; then everything is there once."""
    inside = asyncio.Event()

    async def cut_off() -> None:
        async with database.transaction() as transaction:
            await transaction.inbox.add(HANDLER, "cut off")
            inside.set()
            async with await psycopg.AsyncConnection.connect(fresh_database, autocommit=True) as killer:
                await killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    # in a transaction, be it that one of its statements runs just now
                    "WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"
                )
            await transaction.inbox.has(HANDLER, "cut off")

    before = asyncio.create_task(unit(database, "before"))
    cut = asyncio.create_task(cut_off())
    await inside.wait()
    behind = asyncio.create_task(unit(database, "behind"))
    ends = await asyncio.gather(before, cut, behind, return_exceptions=True)
    assert all(isinstance(end, Unavailable) for end in ends), ends
    assert await noted(fresh_database) == []
    await asyncio.gather(until_saved(database, "before"), until_saved(database, "behind"))
    assert await noted(fresh_database) == ["before", "behind"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(st.sampled_from(["good", "good", "raising", "refused", "cancelled"]), min_size=1, max_size=25),
    seed=st.integers(0, 1000),
)
def test_what_returns_is_saved_and_nothing_else_is(fresh_database: str, kinds: list[str], seed: int) -> None:
    """Whatever units do and whenever they are cancelled: exactly those lines are there whose units returned."""
    saved, wanted = asyncio.run(_mixed(fresh_database, kinds, random.Random(seed)))  # noqa: S311 - a repeatable course
    assert saved == wanted


async def _mixed(url: str, kinds: Collection[str], luck: random.Random) -> tuple[set[str], set[str]]:
    """What is saved in the end, and what should be."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("TRUNCATE audit_log, inbox")
    names = {f"{number} {kind}": kind for number, kind in enumerate(kinds)}

    async def one(database: PostgresDatabase, name: str, kind: str) -> None:
        for _ in range(luck.randint(0, 5)):
            await asyncio.sleep(0)
        async with database.transaction() as transaction:
            await note(transaction, name)
            if luck.random() < 0.5:
                await transaction.inbox.add(HANDLER, name)
            if kind == "raising":
                raise OwnError
            if kind == "refused":
                await note(transaction, None)
            if luck.random() < 0.5:
                await transaction.inbox.has(HANDLER, name)

    async with PostgresDatabase(PostgresSettings(url=SecretStr(url)), sharing=MOST) as database:
        tasks = {name: asyncio.create_task(one(database, name, kind)) for name, kind in names.items()}
        for name, task in tasks.items():
            if names[name] == "cancelled":
                await asyncio.sleep(luck.uniform(0, 0.003))
                task.cancel()
        await asyncio.wait(tasks.values(), timeout=DEADLINE_SECONDS)
        # a cancelled unit may have been committed: its caller only can't know
        certain = {name for name, task in tasks.items() if not task.cancelled() and task.exception() is None}
        possible = {name for name, task in tasks.items() if task.cancelled()}
    saved = set(await noted(url))
    return saved - possible, certain
