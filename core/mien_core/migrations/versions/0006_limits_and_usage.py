"""Limits that replicas share, and what tenants have called.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"

UP = """
-- Who has how much of which window. After a crash it is empty: every window begins anew, which costs nobody anything.
-- allowance, wanted and granted are those of the newest lease. Rows change all the time and never grow, so room in the
-- page keeps the index out of it.
CREATE UNLOGGED TABLE rate_limits (
    key text PRIMARY KEY,
    began_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    allowance integer NOT NULL CHECK (allowance >= 0),
    wanted integer NOT NULL CHECK (wanted >= 0),
    used integer NOT NULL CHECK (used >= 0),
    granted integer NOT NULL CHECK (granted >= 0)
) WITH (fillfactor = 50);

CREATE TABLE usage (
    tenant text NOT NULL,
    day date NOT NULL,
    route text NOT NULL,
    method text NOT NULL,
    calls bigint NOT NULL,
    errors bigint NOT NULL,
    jobs bigint NOT NULL,
    PRIMARY KEY (tenant, day, route, method)
);

-- Jobs that were counted, so that whoever asks for the same job again doesn't count it twice. No foreign key: counting
-- must not wait for a job's row.
CREATE TABLE usage_jobs (
    job_id uuid PRIMARY KEY,
    counted_at timestamptz NOT NULL DEFAULT now()
)
"""

DOWN = """
DROP TABLE usage_jobs;
DROP TABLE usage;
DROP TABLE rate_limits
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
