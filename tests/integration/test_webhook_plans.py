"""How PostgreSQL reads the tables of webhooks, on a real server with many rows."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from mien_core.adapters.postgres.webhook_deliveries import _CLAIM, _TELL
from mien_core.adapters.postgres.webhooks import OF_TENANT, OF_USER

ROWS = """
    INSERT INTO users (tenant, id) SELECT 'tenant' || t, 'anna' FROM generate_series(1, 200) t;
    INSERT INTO webhooks (id, tenant, user_id, url, events, key_id, salt)
    SELECT gen_random_uuid(), 'tenant' || t, CASE WHEN n > 10 THEN 'anna' END, '', '{job.completed}', '',
        gen_random_uuid()
    FROM generate_series(1, 200) t, generate_series(1, 20) n;
    INSERT INTO webhook_deliveries (webhook_id, type, due_at)
    SELECT id, 'test', now() + make_interval(hours => n) FROM webhooks, generate_series(-2, 8) n;
    ANALYZE;
"""
LIST = {"tenant": "tenant7", "user_id": "anna", "after_created_at": "infinity", "after_id": uuid4(), "limit": 51}


@pytest.fixture
def connection(fresh_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(fresh_database, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(ROWS)
        yield connection


def scans(
    connection: psycopg.Connection, statement: str, values: Sequence[Any] | Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Which tables of webhooks a statement reads in which way: the table, and the index or the kind of reading."""
    query: Any = "EXPLAIN (FORMAT JSON) " + statement
    row = connection.execute(query, values).fetchone()
    assert row is not None
    found: list[tuple[str, str]] = []

    def look(node: Any) -> None:
        if isinstance(node, list):
            for one in node:
                look(one)
        elif isinstance(node, dict):
            if str(node.get("Relation Name")).startswith("webhook") and node["Node Type"] != "ModifyTable":
                found.append((node["Relation Name"], str(node.get("Index Name", node["Node Type"]))))
            if "Bitmap Index Scan" in str(node.get("Node Type")):
                found.append(("an index", node["Index Name"]))
            for value in node.values():
                look(value)

    look(json.loads(json.dumps(row[0])))
    return found


def test_the_end_of_a_job_looks_into_one_index(connection: psycopg.Connection) -> None:
    """However many webhooks there are: for the job's own tenant and user, by the plan that the function keeps."""
    body = connection.execute("SELECT prosrc FROM pg_proc WHERE proname = 'has_webhook'").fetchone()
    assert body is not None
    look = re.search(r"RETURN (EXISTS .*);", body[0], re.DOTALL)
    assert look is not None
    connection.execute(f"PREPARE look (text, text) AS SELECT {_numbered(look[1])}")
    connection.execute("SET plan_cache_mode = force_generic_plan")
    read = {index for _, index in scans(connection, "EXECUTE look ('tenant7', 'anna')", ())}
    assert "webhooks_told" in read
    assert read <= {"webhooks_told", "Bitmap Heap Scan"}


def _numbered(body: str) -> str:
    return body.replace("of_tenant", "$1").replace("of_user", "$2")


def test_telling_reads_the_webhooks_that_are_told(connection: psycopg.Connection) -> None:
    """Of the job's own tenant."""
    read = scans(connection, _TELL, {"type": "job.completed", "job_id": uuid4()})
    assert {index for _, index in read} <= {"webhooks_told", "Bitmap Heap Scan"}
    assert read


def test_what_is_due_is_found_in_its_index(connection: psycopg.Connection) -> None:
    """Which webhooks have something waiting, and what is due of each: however much waits, so much is read."""
    values = {"webhook_ids": [], "in_flight": [], "limit": 9, "per_webhook": 4, "lease_seconds": 60}
    read = [index for table, index in scans(connection, _CLAIM, values) if table == "webhook_deliveries"]
    assert read.count("webhook_deliveries_by_webhook") >= 2
    assert set(read) <= {"webhook_deliveries_by_webhook", "webhook_deliveries_pkey"}


@pytest.mark.parametrize(("statement", "index"), [(OF_TENANT, "webhooks_by_tenant"), (OF_USER, "webhooks_by_user")])
def test_a_page_is_read_from_its_place_on(connection: psycopg.Connection, statement: str, index: str) -> None:
    """However many there are of others."""
    read = {way for _, way in scans(connection, statement, LIST)}
    assert index in read
    assert read <= {index, "Bitmap Heap Scan"}
