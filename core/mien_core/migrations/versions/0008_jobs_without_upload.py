"""Jobs that are about no photo, and photos that come with a try-on.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"

UP = """
ALTER TABLE jobs ALTER COLUMN upload_id DROP NOT NULL;
ALTER TABLE uploads DROP CONSTRAINT uploads_purpose_check,
    ADD CHECK (purpose IN ('glam', 'skin', 'cycle', 'poster', 'tryon'));
"""

DOWN = """
DELETE FROM jobs WHERE upload_id IS NULL;
DELETE FROM uploads WHERE purpose = 'tryon';
ALTER TABLE jobs ALTER COLUMN upload_id SET NOT NULL;
ALTER TABLE uploads DROP CONSTRAINT uploads_purpose_check,
    ADD CHECK (purpose IN ('glam', 'skin', 'cycle', 'poster'));
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
