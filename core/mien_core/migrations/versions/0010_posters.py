"""The Movie Poster Generator: accounts, payments, the ledger of credits, posters.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"

# job_id of an entry without a reference: the ledger keeps what a job cost when the job is long gone. The balance is
# read off the index.
UP = """
CREATE TABLE poster_accounts (
    tenant      text NOT NULL,
    user_id     text NOT NULL,
    name        text,
    plan        text NOT NULL DEFAULT 'free',
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, user_id),
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id)
);

CREATE TABLE poster_payments (
    id                  uuid PRIMARY KEY,
    tenant              text NOT NULL,
    user_id             text NOT NULL,
    pack                text NOT NULL,
    amount              integer NOT NULL CHECK (amount > 0),
    currency            text NOT NULL CHECK (currency ~ '^[a-z]{3}$'),
    credits             integer NOT NULL CHECK (credits >= 0),
    plan                text,
    status              text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'completed', 'failed')),
    provider_reference  text,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant, user_id) REFERENCES poster_accounts (tenant, user_id),
    CHECK ((status = 'pending') = (provider_reference IS NULL))
);
CREATE INDEX poster_payments_by_user ON poster_payments (tenant, user_id, created_at);

CREATE TABLE poster_ledger (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      text NOT NULL,
    user_id     text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('welcome', 'debit', 'give_back', 'purchase')),
    amount      integer NOT NULL CHECK (amount <> 0 AND (amount < 0) = (kind = 'debit')),
    job_id      uuid,
    attempt     integer CHECK (attempt >= 0),
    payment_id  uuid UNIQUE REFERENCES poster_payments (id),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- an attempt at a job is paid once, and given back once
    UNIQUE (job_id, attempt, kind),
    FOREIGN KEY (tenant, user_id) REFERENCES poster_accounts (tenant, user_id),
    CHECK ((kind IN ('debit', 'give_back')) = (job_id IS NOT NULL)),
    CHECK ((job_id IS NULL) = (attempt IS NULL)),
    CHECK ((kind = 'purchase') = (payment_id IS NOT NULL))
);
CREATE INDEX poster_ledger_by_user ON poster_ledger (tenant, user_id) INCLUDE (amount);
CREATE UNIQUE INDEX poster_ledger_welcomes ON poster_ledger (tenant, user_id) WHERE kind = 'welcome';

CREATE TABLE user_poster_history (
    tenant       text NOT NULL,
    user_id      text NOT NULL,
    timestamp    timestamptz NOT NULL,
    job_id       uuid NOT NULL UNIQUE REFERENCES jobs (id) ON DELETE CASCADE,
    title        text NOT NULL,
    prompt       text NOT NULL,
    genre        text NOT NULL,
    style        text NOT NULL,
    aspect       text NOT NULL,
    upload_id    uuid,
    fingerprint  bytea NOT NULL,
    PRIMARY KEY (tenant, user_id, timestamp),
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id)
);
CREATE INDEX user_poster_history_by_design ON user_poster_history (tenant, user_id, fingerprint, timestamp);
"""

DOWN = """
DELETE FROM jobs WHERE kind = 'render-poster';
DROP TABLE user_poster_history, poster_ledger, poster_payments, poster_accounts;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
