"""Glow Cycle's journal, log of periods and skin diary, and GlamAI's saved looks.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"

# Each list's index holds its order whole, so that a page is read from where the last one ended.
UP = """
CREATE TABLE journal_entries (
    id          uuid PRIMARY KEY,
    tenant      text NOT NULL,
    user_id     text NOT NULL,
    date        date NOT NULL,
    mood        text,
    energy      double precision CHECK (energy BETWEEN 0 AND 100),
    text        text NOT NULL,
    tags        text[] NOT NULL,
    cycle_day   integer CHECK (cycle_day > 0),
    version     integer NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id)
);
CREATE INDEX journal_entries_by_user ON journal_entries (tenant, user_id, date, created_at, id);

CREATE TABLE periods (
    id            uuid PRIMARY KEY,
    tenant        text NOT NULL,
    user_id       text NOT NULL,
    date          date NOT NULL,
    cycle_length  integer CHECK (cycle_length > 0),
    flow          text CHECK (flow IN ('light', 'medium', 'heavy')),
    symptoms      text[] NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    -- a day is logged once, so it is the list's whole order, too
    UNIQUE (tenant, user_id, date),
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id)
);

CREATE TABLE skin_scans (
    id            uuid PRIMARY KEY,
    tenant        text NOT NULL,
    user_id       text NOT NULL,
    date          date NOT NULL,
    radiance      double precision CHECK (radiance BETWEEN 0 AND 100),
    moisture      double precision CHECK (moisture BETWEEN 0 AND 100),
    texture       double precision CHECK (texture BETWEEN 0 AND 100),
    pores         double precision CHECK (pores BETWEEN 0 AND 100),
    dark_circles  double precision CHECK (dark_circles BETWEEN 0 AND 100),
    cycle_day     integer CHECK (cycle_day > 0),
    created_at    timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id)
);
CREATE INDEX skin_scans_by_user ON skin_scans (tenant, user_id, date, created_at, id);

-- upload_id without a reference to its upload: a look outlives the photo that it was made for
CREATE TABLE looks (
    id          uuid PRIMARY KEY,
    tenant      text NOT NULL,
    user_id     text NOT NULL,
    upload_id   uuid,
    name        text NOT NULL,
    presets     json NOT NULL,
    products    json NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id)
);
CREATE INDEX looks_by_user ON looks (tenant, user_id, created_at, id);
"""

DOWN = """
DROP TABLE journal_entries, periods, skin_scans, looks;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
