"""Runs of retention, and the exact lists of what they are about.

Revision ID: 0016
Revises: 0015
"""

from alembic import op

revision = "0016"
down_revision = "0015"

UP = """
CREATE TABLE retention_runs (
    id          uuid PRIMARY KEY,
    policy_id   text NOT NULL,
    request     json NOT NULL,
    state       text NOT NULL DEFAULT 'listing'
                CHECK (state IN ('listing', 'proposed', 'approved', 'deleting', 'stopped', 'done', 'failed')),
    reason      text,
    place       json NOT NULL,
    counts      json NOT NULL,
    -- the moment that ages are counted to
    as_of       timestamptz NOT NULL DEFAULT clock_timestamp(),
    listed_at   timestamptz,
    expires_at  timestamptz,
    ended_at    timestamptz,
    CHECK ((state IN ('stopped', 'done', 'failed')) = (ended_at IS NOT NULL)),
    CHECK (state <> 'proposed' OR expires_at IS NOT NULL)
);
CREATE INDEX retention_runs_by_policy ON retention_runs (policy_id, as_of);
CREATE INDEX retention_runs_under_way ON retention_runs (as_of) WHERE ended_at IS NULL;
CREATE INDEX retention_runs_by_end ON retention_runs (ended_at);

-- No references to what is listed: the list says what was there, and stays when it is gone. It names no user.
CREATE TABLE retention_items (
    run_id  uuid NOT NULL REFERENCES retention_runs (id) ON DELETE CASCADE,
    seq     bigint GENERATED ALWAYS AS IDENTITY,
    rule    smallint NOT NULL CHECK (rule >= 0),
    name    text NOT NULL,
    tenant  text,
    size    bigint NOT NULL CHECK (size >= 0),
    state   text NOT NULL DEFAULT 'listed' CHECK (state IN ('listed', 'deleted', 'held', 'skipped')),
    reason  text,
    PRIMARY KEY (run_id, seq),
    -- whatever is cut off and begun again, a thing is on a list once
    UNIQUE (run_id, rule, name)
);
CREATE INDEX retention_items_listed ON retention_items (run_id, rule, seq) WHERE state = 'listed';
"""

DOWN = """
DROP TABLE retention_items, retention_runs;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
