"""Statements that travel together, on a real server: what waits is neither lost nor reordered, and errors come out."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any, Final

import psycopg
import pytest
from pydantic import SecretStr

from mien_api.cycle_handlers import CycleHandlers
from mien_api.looks_handlers import LookHandlers
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.adapters.postgres.transaction import PostgresTransaction
from mien_core.model.cycle import DiaryMetrics, JournalContent
from mien_core.model.platform import Caller
from mien_core.ports.messages import Record
from mien_core.ports.signals import Channel
from mien_core.settings import PostgresSettings

RECORD = Record("topic", b"key", b"\x00'\\;%s\xff", (("header", b"\x00\xff"),))
TODAY: Final = date(2026, 11, 20)
# NOTIFY takes less than 8,000 bytes
TOO_LONG = "x" * 9000


@pytest.fixture
async def database(fresh_database: str) -> AsyncIterator[PostgresDatabase]:
    """An empty database."""
    async with PostgresDatabase(PostgresSettings(url=SecretStr(fresh_database))) as database:
        yield database


async def audited(url: str) -> list[str]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        cursor = await connection.execute("SELECT subject FROM audit_log ORDER BY id")
        return [subject for (subject,) in await cursor.fetchall()]


async def test_what_waits_is_seen_by_what_is_read_next(database: PostgresDatabase) -> None:
    """A read within the transaction sees every write before it, byte for byte."""
    async with database.transaction() as transaction:
        await transaction.outbox.add(RECORD)
        assert [row.record for row in await transaction.outbox.due(10)] == [RECORD]
        await transaction.outbox.add(RECORD)
        assert await transaction.outbox.due_count() == 2


async def test_what_only_waited_is_saved_in_its_order(database: PostgresDatabase, fresh_database: str) -> None:
    """Writes that nothing was read after are there after the block, in the order in which they were asked for."""
    subjects = ["it's 100 % \\ done; --", "second", "third"]
    async with database.transaction() as transaction:
        for subject in subjects:
            await transaction.audit_log.add("tester", "test", subject)
    assert await audited(fresh_database) == subjects


async def test_a_refused_write_comes_out_and_nothing_is_saved(database: PostgresDatabase, fresh_database: str) -> None:
    """An error in what waited ends the block as an error, saves none of it, and leaves a connection that works."""
    with pytest.raises(psycopg.errors.NotNullViolation):
        async with database.transaction() as transaction:
            await transaction.audit_log.add("tester", "test", "before")
            await transaction.audit_log.add("tester", "test", None)  # type: ignore[arg-type]  # the server refuses it
            await transaction.audit_log.add("tester", "test", "after")
    assert await audited(fresh_database) == []
    async with database.transaction() as transaction:
        await transaction.audit_log.add("tester", "test", "later")
    assert await audited(fresh_database) == ["later"]


async def test_a_lost_signal_does_not_look_like_lost_work(database: PostgresDatabase, fresh_database: str) -> None:
    """Where the server refuses only the signal, the block ends well and its work is saved."""
    async with database.transaction() as transaction:
        assert isinstance(transaction, PostgresTransaction)
        transaction.signals.append((Channel.JOB_ENDS, TOO_LONG))
        await transaction.audit_log.add("tester", "test", "saved")
    assert await audited(fresh_database) == ["saved"]


async def test_a_write_among_reads_is_refused(database: PostgresDatabase) -> None:
    """Writes don't wait where there is no commit for them to wait for."""
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        async with database.reading() as reading:
            await reading.audit_log.add("tester", "test", "never")


async def test_short_requests_are_one_statement(database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a plain call of a diary saves or shows is one round trip, its user and the day of the cycle included."""
    sent: list[str] = []
    executed = psycopg.AsyncCursor.execute
    asking = asyncio.current_task()

    async def counted(cursor: Any, query: Any, *args: Any, **options: Any) -> Any:
        # The pool asks an empty one of a connection that it hasn't used for a while; what others ask isn't ours.
        sent.extend([query] if query and asyncio.current_task() is asking else [])
        return await executed(cursor, query, *args, **options)

    monkeypatch.setattr(psycopg.AsyncCursor, "execute", counted)
    diaries, looks, tenant = CycleHandlers(database), LookHandlers(database), Caller("acme", None)
    metrics = DiaryMetrics(radiance=None, moisture=None, texture=None, pores=None, dark_circles=None)
    content = JournalContent(date=TODAY, mood=None, energy=None, text="", tags=(), cycle_day=None)
    await diaries.log_period(tenant, "anna", day=TODAY, cycle_length=None, flow=None, symptoms=[])
    assert len(sent) == 1
    entry = await diaries.write_entry(tenant, "anna", content)
    assert (len(sent), entry.cycle_day) == (2, 1)
    assert await diaries.entry(tenant, entry.thing.id) == entry
    assert len(sent) == 3
    scan = await diaries.add_scan(tenant, "anna", day=TODAY, metrics=metrics, cycle_day=None)
    assert (len(sent), scan.cycle_day) == (4, 1)
    await looks.save(tenant, "anna", upload_id=None, name="Soft evening", presets=[], products=[])
    assert len(sent) == 5
    await looks.looks(tenant, "anna", cursor=None, limit=9)
    assert len(sent) == 6
