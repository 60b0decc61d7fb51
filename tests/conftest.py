"""Fixtures that every kind of test may use."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from mien_core import migrations

pytest_plugins = ["tests.parts"]


@pytest.fixture(scope="session")
def migrated_template(postgres_server: str) -> str:
    """The name of a database at the newest schema, to be copied."""
    name = "mien_template"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrations.upgrade(_with_database(postgres_server, name))
    return name


@pytest.fixture
def fresh_database(postgres_server: str, migrated_template: str) -> Iterator[str]:
    """The URL of an empty database at the newest schema, this test's own."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(migrated_template)))
        yield _with_database(postgres_server, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _with_database(url: str, name: str) -> str:
    return psycopg.conninfo.make_conninfo(url, dbname=name)
