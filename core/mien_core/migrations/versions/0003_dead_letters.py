"""Dead letters that can be looked through and sent on their way again; photos from before are kept for a week, too.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"

UP = """
-- how often people had the job begun again; what is still under way from an earlier time is told by it
ALTER TABLE jobs ADD COLUMN redrives integer NOT NULL DEFAULT 0 CHECK (redrives >= 0);

ALTER TABLE dead_letters
    ADD COLUMN key bytea NOT NULL DEFAULT '',
    ADD COLUMN code text,
    ADD COLUMN detail text,
    ADD COLUMN attempts integer NOT NULL DEFAULT 1 CHECK (attempts > 0),
    ADD COLUMN traceparent text,
    ADD COLUMN job_id uuid REFERENCES jobs (id) ON DELETE CASCADE;
UPDATE dead_letters
SET code = split_part(reason, ': ', 1), detail = substr(reason, length(split_part(reason, ': ', 1)) + 3);
-- looked for as bytes, since a dead letter need not be text
UPDATE dead_letters SET job_id = jobs.id
FROM jobs
WHERE dead_letters.handler = jobs.kind AND position(convert_to(jobs.id::text, 'UTF8') IN dead_letters.value) > 0;
ALTER TABLE dead_letters
    ALTER COLUMN key DROP DEFAULT,
    ALTER COLUMN code SET NOT NULL,
    ALTER COLUMN detail SET NOT NULL,
    ALTER COLUMN attempts DROP DEFAULT,
    DROP COLUMN reason;
CREATE INDEX dead_letters_by_job ON dead_letters (job_id);
CREATE INDEX dead_letters_by_age ON dead_letters (handler, created_at);

-- since 0003's release a photo that came may be worked on for seven days; before, it was the announcement's minutes
UPDATE uploads SET expires_at = created_at + interval '7 days' WHERE state = 'received';
"""

DOWN = """
ALTER TABLE dead_letters ADD COLUMN reason text;
UPDATE dead_letters SET reason = code || ': ' || detail;
ALTER TABLE dead_letters ALTER COLUMN reason SET NOT NULL;
DROP INDEX dead_letters_by_age;
ALTER TABLE dead_letters
    DROP COLUMN key,
    DROP COLUMN code,
    DROP COLUMN detail,
    DROP COLUMN attempts,
    DROP COLUMN traceparent,
    DROP COLUMN job_id;
ALTER TABLE jobs DROP COLUMN redrives;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
