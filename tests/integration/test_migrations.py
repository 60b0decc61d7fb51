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
