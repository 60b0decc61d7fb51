"""Erasures of users, and what keeps late writers from bringing back what was erased.

Revision ID: 0013
Revises: 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"

UP = """
-- The reference waits for the commit: the erasure is written before its job, so that of two at once one is told the
-- other's.
CREATE TABLE erasures (
    job_id        uuid PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    tenant        text NOT NULL,
    user_id       text,
    pseudonym     text NOT NULL,
    requested_at  timestamptz NOT NULL DEFAULT now(),
    ended_at      timestamptz,
    CHECK ((user_id IS NULL) = (ended_at IS NOT NULL)),
    UNIQUE (tenant, user_id)
);

-- no reference: it outlives whatever it was about
CREATE TABLE erased_media (
    prefix      text PRIMARY KEY,
    job_id      uuid NOT NULL,
    late_until  timestamptz NOT NULL
);
CREATE INDEX erased_media_by_job ON erased_media (job_id);

-- Whoever writes about a user notes the user first (or finds no row to refer to). The trigger comes before the question
-- whether the row is there already.
CREATE FUNCTION refuse_users_under_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM erasures WHERE tenant = NEW.tenant AND user_id = NEW.id) THEN
        RAISE EXCEPTION USING ERRCODE = 'ME409', MESSAGE = 'erasure_in_progress';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER users_under_erasure BEFORE INSERT ON users
    FOR EACH ROW EXECUTE FUNCTION refuse_users_under_erasure();

-- a job without a photo has nothing else that goes with its user
ALTER TABLE jobs ADD FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id);
CREATE INDEX jobs_by_user ON jobs (tenant, user_id, id) WHERE user_id IS NOT NULL;
"""

DOWN = """
DROP INDEX jobs_by_user;
ALTER TABLE jobs DROP CONSTRAINT jobs_tenant_user_id_fkey;
DROP TRIGGER users_under_erasure ON users;
DROP FUNCTION refuse_users_under_erasure;
DROP TABLE erased_media, erasures;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
