"""GlamAI's catalogue of products, and the looks that were recommended.

Revision ID: 0012
Revises: 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"

UP = """
CREATE TABLE products (
    id          text PRIMARY KEY,
    category    text NOT NULL,
    name        text NOT NULL,
    shade_name  text NOT NULL,
    shade_hex   text NOT NULL CHECK (shade_hex ~ '^#[0-9A-Fa-f]{6}$'),
    finish      text NOT NULL,
    url         text NOT NULL
);

-- what was recommended stays as it was told, whatever becomes of the catalogue
CREATE TABLE recommendations (
    upload_id   uuid PRIMARY KEY REFERENCES uploads (id) ON DELETE CASCADE,
    job_id      uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    tenant      text NOT NULL,
    user_id     text,
    engine      text NOT NULL,
    looks       json NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX recommendations_by_job ON recommendations (job_id);
"""

DOWN = """
DELETE FROM jobs WHERE kind = 'recommend-looks';
DROP TABLE recommendations, products;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
