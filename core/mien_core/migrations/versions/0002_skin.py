"""Skin: what an upload's pixels are, what an analysis says of the skin and what made it, and the users' history.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"

UP = """
ALTER TABLE uploads ADD COLUMN pixel_digest text;

ALTER TABLE analyses
    ADD COLUMN skin json,
    ADD COLUMN etag text,
    ADD COLUMN mask_keys json NOT NULL DEFAULT '{}';
CREATE INDEX analyses_by_pixels ON analyses (tenant, (photo->>'pixel_digest'), created_at);

-- without a reference to its job: a user's history outlives the photos that it was read from
CREATE TABLE skin_analyses (
    id                   uuid PRIMARY KEY,
    tenant               text NOT NULL,
    user_id              text NOT NULL,
    skin_type            text
                         CHECK (skin_type IN ('oily', 'dry', 'normal', 'combination', 'wrinkly', 'sensitive')),
    conditions           text[] NOT NULL,
    skin_score           integer NOT NULL CHECK (skin_score BETWEEN 0 AND 100),
    recommended_chapter  integer NOT NULL CHECK (recommended_chapter BETWEEN 1 AND 7),
    created_at           timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id)
);
CREATE INDEX skin_analyses_by_user ON skin_analyses (tenant, user_id, created_at);
"""

DOWN = """
DROP TABLE skin_analyses;
DROP INDEX analyses_by_pixels;
ALTER TABLE analyses DROP COLUMN skin, DROP COLUMN etag, DROP COLUMN mask_keys;
ALTER TABLE uploads DROP COLUMN pixel_digest;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
