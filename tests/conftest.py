"""Fixtures that every kind of test may use."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

from mien_core import migrations

pytest_plugins = ["tests.parts", "tests.control_plane"]

# An example that takes 0.2 s, or data that are slow to come, tell of a machine that stood still, and of no bug.
settings.register_profile("mien", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mien")

# What a shell starts in the background ignores Ctrl-C, and so would every process that tests send it to.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Who cancels a run in CI sends this: what tests started ends then, too, as with Ctrl-C.
signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of `make nightly`."""
    parser.addoption("--long", action="store_true", help="all faults several times, and 200 requests an operation")


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
    with database_copy(postgres_server, migrated_template) as url:
        yield url


@contextmanager
def database_copy(postgres_server: str, template: str) -> Iterator[str]:
    """A copy of a database for as long as the block lasts; its value is the URL."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield _with_database(postgres_server, name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _with_database(url: str, name: str) -> str:
    return psycopg.conninfo.make_conninfo(url, dbname=name)
