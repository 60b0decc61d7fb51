"""Glow Cycle's scans of photos, and what users are told of their diaries in words.

Revision ID: 0014
Revises: 0013
"""

from alembic import op

revision = "0014"
down_revision = "0013"

# A day goes with its photo: the scan that came of it has its own. Of an insight that is only asked for there is no text.
UP = """
CREATE TABLE photo_days (
    upload_id  uuid PRIMARY KEY REFERENCES uploads (id) ON DELETE CASCADE,
    date       date NOT NULL
);

CREATE TABLE insights (
    id          uuid PRIMARY KEY,
    tenant      text NOT NULL,
    user_id     text NOT NULL,
    first_day   date NOT NULL,
    last_day    date NOT NULL,
    text        text,
    engine      text CHECK (engine IN ('bedrock', 'summary')),
    model       text,
    asked_at    timestamptz NOT NULL DEFAULT now(),
    written_at  timestamptz,
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id),
    CHECK (first_day <= last_day),
    CHECK ((written_at IS NULL) = (text IS NULL) AND (written_at IS NULL) = (engine IS NULL))
);
CREATE INDEX insights_by_user ON insights (tenant, user_id, written_at, id);
"""

DOWN = """
DELETE FROM jobs WHERE kind = 'write-insight';
DROP TABLE photo_days, insights;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
