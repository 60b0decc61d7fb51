"""The schema's history, on a real server."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from mien_core import migrations

ROWS_OF_0001 = """
    WITH one AS (
        INSERT INTO users (tenant, id) VALUES ('acme', 'anna') RETURNING tenant, id
    ), upload AS (
        INSERT INTO uploads (id, tenant, user_id, purpose, content_type, content_length, consent, expires_at)
        SELECT gen_random_uuid(), tenant, id, 'glam', 'image/jpeg', 10, 'attested', now() FROM one RETURNING *
    ), job AS (
        INSERT INTO jobs (id, tenant, user_id, kind, upload_id, deadline_at)
        SELECT gen_random_uuid(), tenant, user_id, 'analyse-face', id, now() FROM upload RETURNING *
    )
    INSERT INTO analyses (upload_id, job_id, tenant, user_id, model_revision, report, photo, annotated_key)
    SELECT upload_id, id, tenant, user_id, 'face@sha256:0123456789ab', '{}', '{"width": 640}', 'key' FROM job
"""


@pytest.fixture
def empty_database(postgres_server: str) -> str:
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return psycopg.conninfo.make_conninfo(postgres_server, dbname=name)


def _tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return {name for (name,) in rows} - {"alembic_version"}


def test_up_down_and_up_again(empty_database: str) -> None:
    """Every revision can be taken back without a rest, and applied again."""
    migrations.upgrade(empty_database)
    tables = _tables(empty_database)
    assert {"uploads", "jobs", "job_events", "analyses", "outbox", "inbox", "dead_letters", "api_keys"} <= tables
    migrations.downgrade(empty_database)
    assert _tables(empty_database) == set()
    migrations.upgrade(empty_database)
    assert _tables(empty_database) == tables


def test_skin_comes_and_goes_around_rows_that_are_there(empty_database: str) -> None:
    """Uploads and analyses from before stay through the way up and down; what was measured since then goes."""
    migrations.upgrade(empty_database, "0001")
    with psycopg.connect(empty_database) as connection:
        connection.execute(ROWS_OF_0001)
    migrations.upgrade(empty_database)
    with psycopg.connect(empty_database) as connection:
        connection.execute("UPDATE uploads SET pixel_digest = 'ab'")
        kept = connection.execute("SELECT skin, etag, mask_keys, photo->>'width' FROM analyses").fetchall()
        connection.execute(
            "INSERT INTO skin_analyses (id, tenant, user_id, conditions, skin_score, recommended_chapter)"
            " SELECT id, tenant, user_id, '{acne}', 80, 6 FROM jobs"
        )
    assert kept == [(None, None, {}, "640")]
    migrations.downgrade(empty_database, "0001")
    assert "skin_analyses" not in _tables(empty_database)
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT user_id, photo->>'width' FROM analyses").fetchall() == [("anna", "640")]
    migrations.upgrade(empty_database)


def test_the_same_pixels_are_found_by_an_index(empty_database: str) -> None:
    """Looking for an earlier analysis reads no other tenant's rows and no table scan, however many there are."""
    migrations.upgrade(empty_database)
    with psycopg.connect(empty_database) as connection:
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute(
            "EXPLAIN SELECT 1 FROM analyses WHERE tenant = 'acme' AND photo->>'pixel_digest' = 'ab'"
            " ORDER BY created_at DESC LIMIT 1"
        ).fetchall()
    assert any("analyses_by_pixels" in line for (line,) in plan)


def test_four_replicas_may_migrate_at_once(empty_database: str) -> None:
    """Whoever comes first migrates, the others wait and find it done; as the command that a cluster runs."""
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: _migrate(empty_database), range(4)))
    assert [result.returncode for result in results] == [0] * 4, [result.stderr for result in results]
    assert "uploads" in _tables(empty_database)


def test_without_a_database_the_command_says_what_to_set() -> None:
    """A missing setting is named as the environment variable that it is."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MIEN_")}
    command = [sys.executable, "-m", "mien_core", "migrate"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "MIEN_POSTGRES__URL" in result.stderr


def _migrate(url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mien_core", "migrate"]
    environment = {**os.environ, "MIEN_POSTGRES__URL": url}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
