"""TryOnAI's sessions, and the ways to photos whose time is over.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"

# The columns and indexes are the contract's. input_image_url and output_image_url hold the objects' keys: a URL that
# opens them is signed for whoever asks. What was asked for lies beside it, in a table of its own.
UP = """
CREATE TABLE tryon_sessions (
    id                uuid PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    user_token        varchar(255) NOT NULL,
    input_image_url   text NOT NULL,
    output_image_url  text,
    status            text NOT NULL DEFAULT 'created'
                      CHECK (status IN ('created', 'processing', 'completed', 'failed')),
    error_reason      text,
    expires_at        timestamptz NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CHECK ((status = 'completed') = (output_image_url IS NOT NULL)),
    CHECK ((status = 'failed') = (error_reason IS NOT NULL))
);
CREATE INDEX tryon_sessions_by_user_token ON tryon_sessions (user_token);
CREATE INDEX tryon_sessions_by_status ON tryon_sessions (status);
CREATE INDEX tryon_sessions_by_age ON tryon_sessions (created_at);
CREATE INDEX tryon_sessions_by_expiry ON tryon_sessions (expires_at);
CREATE INDEX tryon_sessions_by_status_and_age ON tryon_sessions (status, created_at);
CREATE INDEX tryon_sessions_by_expiry_and_status ON tryon_sessions (expires_at, status);

CREATE TABLE tryon_looks (
    session_id  uuid PRIMARY KEY REFERENCES tryon_sessions (id) ON DELETE CASCADE,
    presets     json NOT NULL
);

-- what the sweep looks for; both stay small, since it takes out what it finds
CREATE INDEX uploads_of_tryons_by_expiry ON uploads (expires_at) WHERE purpose = 'tryon';
CREATE INDEX uploads_unfinished_by_expiry ON uploads (expires_at) WHERE purpose <> 'tryon' AND state = 'expected';
"""

DOWN = """
DROP INDEX uploads_of_tryons_by_expiry, uploads_unfinished_by_expiry;
DROP TABLE tryon_looks, tryon_sessions;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
