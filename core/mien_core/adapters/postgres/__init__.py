"""PostgreSQL as the platform's database (psycopg 3)."""

from mien_core.adapters.postgres.database import PostgresDatabase

__all__ = ["PostgresDatabase"]
