"""The schema's history, on a real server."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
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


ROWS_OF_0002 = """
    UPDATE uploads SET state = 'received';
    INSERT INTO dead_letters (handler, topic, partition, record_offset, reason, value, headers)
    SELECT 'analyse-face', 't', 0, 1, 'internal_error: KeyError: oops', convert_to('{"job_id":"' || id || '"}', 'UTF8'),
           '[]' FROM jobs;
    INSERT INTO dead_letters (handler, topic, partition, record_offset, reason, value, headers)
    VALUES ('analyse-face', 't', 0, 2, 'malformed', '\\xff00', '[]');
"""


def test_dead_letters_and_photos_from_before_have_what_newer_ones_have(empty_database: str) -> None:
    """A letter's reason becomes code and detail and its job is found; a photo that came is kept for a week."""
    migrations.upgrade(empty_database, "0002")
    with psycopg.connect(empty_database) as connection:
        connection.execute(ROWS_OF_0001)
        connection.execute(ROWS_OF_0002)
    migrations.upgrade(empty_database)
    with psycopg.connect(empty_database) as connection:
        letters = connection.execute(
            "SELECT code, detail, attempts, job_id = (SELECT id FROM jobs) FROM dead_letters ORDER BY id"
        ).fetchall()
        kept = connection.execute("SELECT expires_at - created_at FROM uploads").fetchall()
    assert letters == [("internal_error", "KeyError: oops", 1, True), ("malformed", "", 1, None)]
    assert kept == [(timedelta(days=7),)]
    migrations.downgrade(empty_database, "0002")
    with psycopg.connect(empty_database) as connection:
        reasons = connection.execute("SELECT reason FROM dead_letters ORDER BY id").fetchall()
    assert reasons == [("internal_error: KeyError: oops",), ("malformed: ",)]


def test_an_erasure_takes_a_jobs_dead_letters_with_it(fresh_database: str) -> None:
    """With the upload goes the job, and with the job what its messages became; other letters stay."""
    with psycopg.connect(fresh_database) as connection:
        connection.execute(ROWS_OF_0001)
        connection.execute(
            "INSERT INTO dead_letters (handler, topic, partition, record_offset, key, value, headers, code, detail,"
            " attempts, job_id) SELECT 'h', 't', 0, n, '', '', '[]', 'c', 'd', 1, CASE n WHEN 1 THEN jobs.id END"
            " FROM jobs, generate_series(1, 2) AS n"
        )
        connection.execute("DELETE FROM uploads")
        assert connection.execute("SELECT record_offset FROM dead_letters").fetchall() == [(2,)]


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
