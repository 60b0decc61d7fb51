"""Alembic's entry: runs the revisions on psycopg 3, one process at a time."""

import psycopg
from alembic import context
from sqlalchemy import create_engine, pool, text

# any constant will do, as long as nothing else in the database locks on it
MIGRATION_LOCK = 4_936_112_001


def run() -> None:
    """Run what is asked for in one transaction."""
    url = context.config.attributes["url"]
    # psycopg itself reads the URL, so that every form that libpq knows works here as everywhere
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=None)
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            context.run_migrations()


run()
