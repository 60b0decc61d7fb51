"""Glow Cycle's scans of photos.

Revision ID: 0014
Revises: 0008
"""

from alembic import op

revision = "0014"
down_revision = "0008"

# A day goes with its photo: the scan that came of it has its own.
UP = """
CREATE TABLE photo_days (
    upload_id  uuid PRIMARY KEY REFERENCES uploads (id) ON DELETE CASCADE,
    date       date NOT NULL
);
"""

DOWN = """
DROP TABLE photo_days;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
