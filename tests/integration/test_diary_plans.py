"""How PostgreSQL reads the diaries', looks' and posters' lists, on a real server with many users' rows."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from mien_core.adapters.postgres.diary import of_user
from mien_core.adapters.postgres.insights import _LIST as INSIGHTS
from mien_core.adapters.postgres.journal import _GET as ENTRY
from mien_core.adapters.postgres.journal import _LIST as JOURNAL
from mien_core.adapters.postgres.looks import _LIST as LOOKS
from mien_core.adapters.postgres.periods import _DAYS as DAYS
from mien_core.adapters.postgres.periods import _LIST as PERIODS
from mien_core.adapters.postgres.posters import _LIST as POSTERS
from mien_core.adapters.postgres.skin_scans import _LIST as SCANS
from mien_core.model.cycle import Days, DiaryPosition
from mien_core.rules.cycle.days import LOOK_BACK

ROWS = """
    INSERT INTO users (tenant, id) SELECT 'acme', 'user' || u FROM generate_series(1, 40) u;
    INSERT INTO journal_entries (id, tenant, user_id, date, text, tags)
    SELECT gen_random_uuid(), 'acme', 'user' || u, date '2020-01-01' + d, '', '{a}'
    FROM generate_series(1, 40) u, generate_series(1, 300) d;
    INSERT INTO skin_scans (id, tenant, user_id, date)
    SELECT gen_random_uuid(), tenant, user_id, date FROM journal_entries;
    INSERT INTO periods (id, tenant, user_id, date, symptoms)
    SELECT gen_random_uuid(), tenant, user_id, date, '{}' FROM journal_entries;
    INSERT INTO looks (id, tenant, user_id, name, presets, products, created_at)
    SELECT gen_random_uuid(), tenant, user_id, '', '[]', '[]', date FROM journal_entries;
    INSERT INTO insights (id, tenant, user_id, first_day, last_day, text, engine, written_at)
    SELECT gen_random_uuid(), tenant, user_id, date, date, '', 'summary', date FROM journal_entries;
    INSERT INTO jobs (id, tenant, user_id, kind, status, deadline_at)
    SELECT gen_random_uuid(), tenant, user_id, 'render-poster', 'completed', date FROM journal_entries;
    INSERT INTO user_poster_history
    SELECT tenant, user_id, deadline_at, id, '', '', '', '', '', NULL, '' FROM jobs;
    ANALYZE;
"""
SPAN = Days(date(2020, 3, 1), date(2020, 9, 1))
AFTER = DiaryPosition(date(2020, 8, 1), datetime(2020, 8, 1, tzinfo=UTC), uuid4())
OF_ANYTHING = {**of_user("acme", "user7", Days(), None, 51), "tags": [], "after": date.max}
OF_LOOKS = {
    "tenant": "acme",
    "user_id": "user7",
    "after_created_at": AFTER.created_at,
    "after_id": uuid4(),
    "limit": 51,
}
OF_POSTERS = {"tenant": "acme", "user_id": "user7", "after": AFTER.created_at, "limit": 51}
LISTS: dict[str, tuple[str, dict[str, Any]]] = {
    "journal": (JOURNAL, OF_ANYTHING),
    "journal of some days, further on, with a tag": (
        JOURNAL,
        {**of_user("acme", "user7", SPAN, AFTER, 51), "tags": ["a"]},
    ),
    "periods": (PERIODS, OF_ANYTHING),
    "periods further on": (PERIODS, {**OF_ANYTHING, "after": AFTER.date}),
    "skin": (SCANS, OF_ANYTHING),
    "skin of some days, further on": (SCANS, of_user("acme", "user7", SPAN, AFTER, 51)),
    "looks": (LOOKS, {**OF_LOOKS, "after_created_at": datetime.max.replace(tzinfo=UTC)}),
    "looks further on": (LOOKS, OF_LOOKS),
    "insights": (INSIGHTS, {**OF_LOOKS, "after_created_at": datetime.max.replace(tzinfo=UTC)}),
    "insights further on": (INSIGHTS, OF_LOOKS),
}


@pytest.fixture
def connection(fresh_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(fresh_database, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(ROWS)
        yield connection


def _plan(connection: psycopg.Connection, mode: str, statement: str, parameters: dict[str, Any]) -> str:
    """How a prepared statement is executed: planned for its values or, as it is after some calls, once for all."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    numbered = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", statement)
    connection.execute(f"DEALLOCATE ALL; SET plan_cache_mode = {mode}; PREPARE list AS {numbered}".encode())
    values = ", ".join(f"%({name})s" for name in names)
    rows = connection.execute(f"EXPLAIN (ANALYZE, TIMING OFF) EXECUTE list({values})".encode(), parameters).fetchall()
    return "\n".join(line for (line,) in rows)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_lists_are_read_off_their_indexes(connection: psycopg.Connection, mode: str) -> None:
    """No list sorts or scans a table; a page reads its own rows and throws none away."""
    for name, (statement, parameters) in LISTS.items():
        plan = _plan(connection, mode, statement, parameters)
        assert "Index" in plan, (name, plan)
        assert not re.search(r"Sort|Seq Scan|Bitmap|Rows Removed", plan), (name, plan)
        read = [(on, float(rows)) for on, rows in re.findall(r"Index.* on (\w+) .*actual rows=([0-9.]+)", plan)]
        own, *logged_days = read
        assert own[1] == 51.0, (name, plan)
        assert [on for on, _ in logged_days] in ([], ["periods"]), (name, plan)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_posters_are_read_off_their_index(connection: psycopg.Connection, mode: str) -> None:
    """In their order, each with a look at its job; none is read that isn't shown."""
    for after in (datetime.max.replace(tzinfo=UTC), AFTER.created_at):
        plan = _plan(connection, mode, POSTERS, {**OF_POSTERS, "after": after})
        assert not re.search(r"Sort|Seq Scan|Bitmap|Hash|Rows Removed", plan), plan
        read = [float(rows) for rows in re.findall(r"Index.*poster_history.*actual rows=([0-9.]+)", plan)]
        assert read == [51.0], plan


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_logged_days_are_read_off_the_index(connection: psycopg.Connection, mode: str) -> None:
    """Those that are asked for, without a look at others."""
    days = {"tenant": "acme", "user_id": "user7", "first": SPAN.first, "last": SPAN.last}
    plan = _plan(connection, mode, DAYS, days)
    assert not re.search(r"Seq Scan|Rows Removed", plan), plan
    assert "rows=185" in plan


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_an_entry_brings_its_logged_days_off_the_index(connection: psycopg.Connection, mode: str) -> None:
    """One row by its id, and the days that its day of the cycle may depend on, without a look at others."""
    found = connection.execute("SELECT id FROM journal_entries WHERE date = '2020-06-01' LIMIT 1").fetchone()
    assert found is not None
    plan = _plan(connection, mode, ENTRY, {"id": found[0]})
    assert not re.search(r"Seq Scan|Rows Removed", plan), plan
    assert f"rows={LOOK_BACK.days + 1}" in plan
