"""Idempotency keys: requests that were begun under one, and their answers.

A row names nobody: its key is a hash of caller and Idempotency-Key, and its answer is sealed with what only the
caller has.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"

UP = """
CREATE TABLE idempotency_keys (
    key             bytea PRIMARY KEY,
    request_digest  bytea NOT NULL,
    attempt         uuid NOT NULL,
    seed            uuid NOT NULL,
    leased_until    timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    answer          bytea,
    answered_at     timestamptz,
    CHECK ((answer IS NULL) = (answered_at IS NULL))
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
-- what is sealed can't be compressed
ALTER TABLE idempotency_keys ALTER COLUMN answer SET STORAGE EXTERNAL;
"""

DOWN = """
DROP TABLE idempotency_keys
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
