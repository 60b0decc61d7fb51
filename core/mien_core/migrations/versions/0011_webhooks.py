"""Webhooks, and what they have yet to be told.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"

UP = """
CREATE TABLE webhooks (
    id               uuid PRIMARY KEY,
    tenant           text NOT NULL,
    user_id          text,
    url              text NOT NULL,
    events           text[] NOT NULL CHECK (events <> '{}'),
    -- what the secret is made of, beside a key that isn't here; and the secret before it, which signs for a day more
    key_id           text NOT NULL,
    salt             uuid NOT NULL,
    previous_key_id  text,
    previous_salt    uuid,
    rotated_at       timestamptz,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    failing_since    timestamptz,
    disabled_at      timestamptz,
    disabled_reason  text CHECK (disabled_reason IN ('gone', 'failing')),
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id) ON DELETE CASCADE,
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
);
CREATE INDEX webhooks_by_tenant ON webhooks (tenant, created_at, id);
CREATE INDEX webhooks_by_user ON webhooks (tenant, user_id, created_at, id);
-- Whom the end of a job is told, '' being all users: every job looks in here once.
CREATE INDEX webhooks_told ON webhooks (tenant, (coalesce(user_id, ''))) WHERE disabled_at IS NULL;
-- A function, because its plan is kept: planned with each job's last statement, the look would cost twice as much.
CREATE FUNCTION has_webhook(of_tenant text, of_user text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM webhooks
        WHERE tenant = of_tenant AND coalesce(user_id, '') IN ('', coalesce(of_user, '')) AND disabled_at IS NULL
    );
END
$$;

-- No foreign keys: the end of a job must wait for nobody's row. What belongs to no webhook is tidied away.
CREATE TABLE webhook_deliveries (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    webhook_id  uuid NOT NULL,
    type        text NOT NULL,
    job_id      uuid,
    seq         integer,
    -- those that had an outcome; and how often somebody took it
    attempts    integer NOT NULL DEFAULT 0,
    claims      integer NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((job_id IS NULL) = (seq IS NULL))
);
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, due_at);
"""

DOWN = """
DROP FUNCTION has_webhook;
DROP TABLE webhook_deliveries, webhooks;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
