"""Uploads, jobs, analyses, outbox, inbox, dead letters, API keys and the audit log.

Revision ID: 0001
Revises:
"""

from alembic import op

revision = "0001"
down_revision = None

UP = """
CREATE TABLE users (
    tenant      text NOT NULL,
    id          text NOT NULL,
    email       text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, email)
);

CREATE TABLE uploads (
    id              uuid PRIMARY KEY,
    tenant          text NOT NULL,
    user_id         text,
    purpose         text NOT NULL CHECK (purpose IN ('glam', 'skin', 'cycle', 'poster')),
    content_type    text NOT NULL,
    content_length  bigint NOT NULL CHECK (content_length > 0),
    consent         text NOT NULL CHECK (consent IN ('attested', 'given')),
    state           text NOT NULL DEFAULT 'expected' CHECK (state IN ('expected', 'received')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id)
);
CREATE INDEX uploads_by_user ON uploads (tenant, user_id, created_at);
CREATE INDEX uploads_by_age ON uploads (created_at);

CREATE TABLE jobs (
    id            uuid PRIMARY KEY,
    tenant        text NOT NULL,
    user_id       text,
    kind          text NOT NULL,
    upload_id     uuid NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    status        text NOT NULL DEFAULT 'created'
                  CHECK (status IN ('created', 'processing', 'completed', 'failed', 'cancelled')),
    error_code    text,
    error_detail  text,
    timings       json NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    deadline_at   timestamptz NOT NULL,
    UNIQUE (kind, upload_id),
    CHECK ((status = 'failed') = (error_code IS NOT NULL))
);
CREATE INDEX jobs_by_upload ON jobs (upload_id);
CREATE INDEX jobs_under_way ON jobs (deadline_at) WHERE status IN ('created', 'processing');

CREATE TABLE job_events (
    job_id  uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq     integer NOT NULL CHECK (seq > 0),
    status  text NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, seq)
);

CREATE TABLE analyses (
    upload_id       uuid PRIMARY KEY REFERENCES uploads (id) ON DELETE CASCADE,
    job_id          uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    tenant          text NOT NULL,
    user_id         text,
    model_revision  text NOT NULL,
    report          json NOT NULL,
    photo           json NOT NULL,
    annotated_key   text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX analyses_by_job ON analyses (job_id);

CREATE TABLE outbox (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic         text NOT NULL,
    key           bytea NOT NULL,
    value         bytea NOT NULL,
    headers       json NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    available_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX outbox_by_availability ON outbox (available_at, id);

CREATE TABLE inbox (
    handler   text NOT NULL,
    event_id  text NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (handler, event_id)
);
CREATE INDEX inbox_by_age ON inbox (at);

CREATE TABLE dead_letters (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    handler      text NOT NULL,
    topic        text NOT NULL,
    partition    integer NOT NULL,
    record_offset  bigint NOT NULL,
    reason       text NOT NULL,
    value        bytea NOT NULL,
    headers      json NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (handler, topic, partition, record_offset)
);

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    tenant       text NOT NULL,
    owner        text NOT NULL,
    scopes       text[] NOT NULL,
    secret_hash  text NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    revoked_at   timestamptz
);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant, created_at);

CREATE TABLE audit_log (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now(),
    actor    text NOT NULL,
    action   text NOT NULL,
    subject  text NOT NULL
);
"""

DOWN = """
DROP TABLE audit_log, api_keys, dead_letters, inbox, outbox, analyses, job_events, jobs, uploads, users;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
