"""Units of work that share a transaction, on a real server: together they are fast, and still each is on its own."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Collection

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from mien_core.adapters.postgres import PostgresDatabase
from mien_core.errors import Unavailable
from mien_core.ports.database import Transaction
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


@pytest.mark.parametrize("sharing", [1, MOST])
async def test_an_error_that_is_passed_over_is_no_commit(fresh_database: str, sharing: int) -> None:
    """The server answers such a COMMIT with a rollback and no error: a unit must not return as if it were saved."""
    async with PostgresDatabase(PostgresSettings(url=SecretStr(fresh_database)), sharing=sharing) as database:
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            async with database.transaction() as transaction:
                await transaction.inbox.add(HANDLER, "before")
                with contextlib.suppress(psycopg.Error):
                    await note(transaction, None)
                    await transaction.inbox.has(HANDLER, "anything")
        await unit(database, "after")
    assert await noted(fresh_database) == ["after"]


async def test_a_table_that_another_keeps_is_waited_for_alone(database: PostgresDatabase, fresh_database: str) -> None:
    """Also a unit whose only statement travels with its commit gives way once, and then waits as long as it takes."""
    async with await psycopg.AsyncConnection.connect(fresh_database) as keeper:
        await keeper.execute("LOCK TABLE audit_log IN SHARE MODE")

        async def only_noted() -> None:
            async with database.transaction() as transaction:
                await note(transaction, "waited")

        with pytest.raises(Unavailable):
            await only_noted()
        waiting = asyncio.create_task(only_noted())
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not await waits_for_a_lock(keeper):
                assert not waiting.done()
                await asyncio.sleep(0.01)
        await keeper.rollback()
        await waiting
    assert await noted(fresh_database) == ["waited"]


async def waits_for_a_lock(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> bool:
    """Tell whether somebody has waited for a lock in this database for longer than one who shares may."""
    cursor = await connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
        "AND state_change < clock_timestamp() - interval '1 second'"
    )
    row = await cursor.fetchone()
    return row is not None and row[0] != 0


async def test_a_unit_within_a_unit_is_a_bug_and_not_a_standstill(database: PostgresDatabase) -> None:
    """It would wait for itself; it says so at once."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(RuntimeError, match="would wait for itself"):
            async with database.transaction(), database.transaction():
                pass


async def test_what_cannot_be_written_loses_nothing_of_others(database: PostgresDatabase, fresh_database: str) -> None:
    """A parameter that no statement can hold is an error of the unit that brought it."""

    async def unwritable() -> None:
        async with database.transaction() as transaction:
            await transaction.inbox.add(HANDLER, "\x00")

    ends = await asyncio.gather(unit(database, "a"), unwritable(), unit(database, "b"), return_exceptions=True)
    assert [end is None for end in ends] == [True, False, True], ends
    assert await noted(fresh_database) == ["a", "b"]


async def test_nobody_returns_from_a_transaction_that_was_broken_off(
    database: PostgresDatabase, fresh_database: str
) -> None:
    """Is the loop torn down around it, who waits for the commit is not told that it came."""
    shared = database._shared
    assert shared is not None
    go_on = asyncio.Event()

    async def holding() -> None:
        async with database.transaction() as transaction:
            await note(transaction, "holding")
            await go_on.wait()

    tasks = [asyncio.create_task(holding()), asyncio.create_task(unit(database, "behind"))]
    await asyncio.sleep(0)
    opened = shared._joinable
    assert opened is not None
    assert opened.owner is not None
    await opened.connected()
    opened.owner.cancel()
    go_on.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, Exception) for end in ends), ends
    assert await noted(fresh_database) == []


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
