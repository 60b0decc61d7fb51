"""The audit log on a real database: bound as it is committed, by whoever writes, and seen if it is touched."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from pydantic import SecretStr

from mien_core import migrations
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.audit_command import anchor, verify
from mien_core.errors import Rejected
from mien_core.settings import PostgresSettings

DEADLINE_SECONDS = 60.0
# what JSON writers differ on: quotes, controls, what is beyond the first 65,536 characters
AWKWARD = ["", '"\\/', "\b\f\n\r\t\x01\x1f\x7f", "ä\u2028\ufb33", "😀", "</script>", "  a  "]
FORGERIES = {
    "UPDATE audit_log SET actor = 'eve' WHERE position = 3": "audit_row_changed",
    "UPDATE audit_log SET at = at + interval '1 microsecond' WHERE position = 1": "audit_row_changed",
    "DELETE FROM audit_log WHERE position = 3": "audit_chain_cut",
    "DELETE FROM audit_log WHERE position = 1": "audit_chain_cut",
    "DELETE FROM audit_log WHERE position > 4": "audit_anchor_missing",
    """
    ALTER TABLE audit_log DISABLE TRIGGER audit_chained;
    INSERT INTO audit_log (actor, action, subject) VALUES ('eve', 'nothing', 'at all');
    """: "audit_row_unchained",
    """
    CREATE TABLE kept AS SELECT actor, action, subject FROM audit_log WHERE position <> 2 ORDER BY position;
    DELETE FROM audit_log;
    INSERT INTO audit_log (actor, action, subject) SELECT * FROM kept;
    INSERT INTO audit_log (actor, action, subject) VALUES ('a', 'b', 'c');
    """: "audit_anchor_missing",
}


@pytest.fixture
async def database(fresh_database: str) -> AsyncIterator[PostgresDatabase]:
    async with PostgresDatabase(PostgresSettings(url=SecretStr(fresh_database))) as database:
        yield database


async def noted(database: PostgresDatabase, *subjects: str) -> None:
    async with database.transaction() as transaction:
        for subject in subjects:
            await transaction.audit_log.add("tester", "thing.done", subject)


async def test_the_server_writes_what_python_reads(database: PostgresDatabase) -> None:
    """Both make the same JSON of everything that a row may say, and the same hash of it."""
    await noted(database, *AWKWARD)
    newest = await verify(database, {})
    assert newest is not None
    assert newest.position == len(AWKWARD)
    async with database.reading() as reading:
        assert [row.subject for row in await reading.audit_log.rows(0, 99)] == AWKWARD


async def test_what_is_not_committed_leaves_no_gap(database: PostgresDatabase) -> None:
    """Undone, it was never there; the next row follows the one before it."""
    await noted(database, "first")
    with pytest.raises(RuntimeError):
        async with database.transaction() as transaction:
            await transaction.audit_log.add("tester", "thing.done", "never")
            await transaction.audit_log.chain()
            await transaction.now()
            raise RuntimeError
    await noted(database, "second")
    newest = await verify(database, {})
    assert newest is not None
    assert (newest.position, newest.subject) == (2, "second")


async def test_nobody_waits_for_a_transaction_that_is_open(database: PostgresDatabase) -> None:
    """Only commits wait for each other: what has noted something and goes on holds up nobody."""
    async with asyncio.timeout(DEADLINE_SECONDS), database.transaction() as transaction:
        await transaction.audit_log.add("tester", "thing.done", "open")
        await transaction.now()
        await noted(database, "first")
        await noted(database, "second")
    async with database.reading() as reading:
        assert [row.subject for row in await reading.audit_log.rows(0, 9)] == ["first", "second", "open"]
        found = await reading.audit_log.newest("thing.done", "first")
    assert found is not None
    assert found.position == 1
    assert await verify(database, {}) is not None


async def test_those_who_come_at_once_are_bound_one_after_the_other(database: PostgresDatabase) -> None:
    """Many transactions, some with several rows: one chain, in the order of the commits, with no row left out."""

    async def write(number: int) -> None:
        for turn in range(5):
            await noted(database, *(f"{number}.{turn}.{part}" for part in range(1 + number % 3)))

    await asyncio.gather(*map(write, range(8)))
    newest = await verify(database, {})
    assert newest is not None
    assert newest.position == 5 * (3 * 1 + 3 * 2 + 2 * 3)


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_what_is_done_to_it_in_sql_is_seen(database: PostgresDatabase, fresh_database: str, forgery: str) -> None:
    """By whoever has noted its newest row some time."""
    for number in range(6):
        await noted(database, str(number))
    newest = await verify(database, {})
    assert newest is not None
    known = dict([anchor(f"{newest.position}:{newest.hash.hex()}")])
    assert await verify(database, known) == newest
    with psycopg.connect(fresh_database) as connection:
        connection.execute(forgery)
    with pytest.raises(Rejected) as refusal:
        await verify(database, known)
    assert refusal.value.code == FORGERIES[forgery]


async def test_rows_that_were_there_before_are_bound_as_well(fresh_database: str) -> None:
    """In the order in which they were written; the way back forgets the hashes alone."""
    migrations.downgrade(fresh_database, "0014")
    with psycopg.connect(fresh_database) as connection:
        for subject in AWKWARD:
            connection.execute("INSERT INTO audit_log (actor, action, subject) VALUES ('a', 'b', %s)", (subject,))
    migrations.upgrade(fresh_database)
    async with PostgresDatabase(PostgresSettings(url=SecretStr(fresh_database))) as database:
        await noted(database, "new")
        newest = await verify(database, {})
        assert newest is not None
        assert (newest.position, newest.subject) == (len(AWKWARD) + 1, "new")
