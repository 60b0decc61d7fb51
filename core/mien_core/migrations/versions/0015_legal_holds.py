"""Legal holds that no deletion passes by, an audit log that is a chain, and what proves an erasure.

Revision ID: 0015
Revises: 0014
"""

from alembic import op

revision = "0015"
down_revision = "0014"

HOLDS = """
-- It names its user while it stands, afterwards by pseudonym, as an erasure does.
CREATE TABLE legal_holds (
    id              uuid PRIMARY KEY,
    name            text NOT NULL,
    tenant          text NOT NULL,
    user_id         text,
    pseudonym       text,
    data_classes    text[] CHECK (data_classes <> '{}'),
    reason          text NOT NULL,
    case_reference  text,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    released_at     timestamptz,
    CHECK (pseudonym IS NOT NULL OR user_id IS NULL),
    CHECK (released_at IS NULL OR user_id IS NULL),
    CHECK (released_at IS NOT NULL OR (user_id IS NULL) = (pseudonym IS NULL))
);
CREATE INDEX legal_holds_standing ON legal_holds (tenant, user_id) WHERE released_at IS NULL;

-- Whether a hold covers one of these classes. Without a class, what belongs to none: holds of everything alone do.
CREATE FUNCTION are_held(of_tenant text, of_user text, of_classes text[]) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (
    SELECT FROM legal_holds
    WHERE released_at IS NULL AND tenant = of_tenant AND (user_id IS NULL OR user_id = of_user)
          AND (data_classes IS NULL OR data_classes && of_classes)
);
CREATE FUNCTION is_held(of_tenant text, of_user text, of_class text) RETURNS boolean LANGUAGE sql STABLE
RETURN are_held(of_tenant, of_user, ARRAY[of_class]);

-- Who deletes shares it, who writes a hold has it alone: so a hold is written when no deletion is under way, and
-- whoever deletes afterwards sees it. Ask for it in a statement of its own, so that the next one sees what is
-- committed.
CREATE FUNCTION guard_holds() RETURNS void LANGUAGE sql VOLATILE
RETURN pg_advisory_xact_lock_shared(hashtextextended('mien-legal-holds', 0));
CREATE FUNCTION guard_against_deletions() RETURNS void LANGUAGE sql VOLATILE
RETURN pg_advisory_xact_lock(hashtextextended('mien-legal-holds', 0));

CREATE FUNCTION refuse_held() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'ME423', MESSAGE = 'legal_hold';
END
$$;

-- Before a row goes: its classes are the trigger's arguments. What goes along with a row is asked with it, for when its
-- own turn comes, the row that says whose it is, is gone.
CREATE FUNCTION keep_held() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM guard_holds();
    IF EXISTS (SELECT FROM legal_holds WHERE released_at IS NULL)
       AND are_held(OLD.tenant, OLD.user_id, TG_ARGV) THEN
        PERFORM refuse_held();
    END IF;
    IF TG_OP = 'UPDATE' THEN
        RETURN NEW;
    END IF;
    RETURN OLD;
END
$$;
CREATE FUNCTION keep_held_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM guard_holds();
    IF are_held(OLD.tenant, OLD.id, '{}') THEN
        PERFORM refuse_held();
    END IF;
    RETURN OLD;
END
$$;
CREATE FUNCTION keep_held_of_upload() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM guard_holds();
    IF EXISTS (SELECT FROM legal_holds WHERE released_at IS NULL)
       AND EXISTS (SELECT FROM uploads WHERE id = OLD.upload_id AND are_held(tenant, user_id, TG_ARGV)) THEN
        PERFORM refuse_held();
    END IF;
    RETURN OLD;
END
$$;
CREATE FUNCTION keep_held_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM guard_holds();
    IF EXISTS (SELECT FROM legal_holds WHERE released_at IS NULL)
       AND EXISTS (SELECT FROM jobs WHERE id = OLD.job_id AND are_held(tenant, user_id, TG_ARGV)) THEN
        PERFORM refuse_held();
    END IF;
    RETURN OLD;
END
$$;
-- A session's id is its job's.
CREATE FUNCTION keep_held_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM guard_holds();
    IF EXISTS (SELECT FROM legal_holds WHERE released_at IS NULL)
       AND EXISTS (SELECT FROM jobs WHERE id = OLD.id AND are_held(tenant, user_id, TG_ARGV)) THEN
        PERFORM refuse_held();
    END IF;
    RETURN OLD;
END
$$;
CREATE FUNCTION keep_held_of_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM guard_holds();
    IF EXISTS (SELECT FROM legal_holds WHERE released_at IS NULL)
       AND EXISTS (SELECT FROM jobs WHERE id = OLD.session_id AND are_held(tenant, user_id, TG_ARGV)) THEN
        PERFORM refuse_held();
    END IF;
    RETURN OLD;
END
$$;
-- A letter of no job, such as a notification of the object store, says whose it is by the ids in its bytes.
CREATE FUNCTION keep_held_letter() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM guard_holds();
    IF EXISTS (SELECT FROM legal_holds WHERE released_at IS NULL) AND EXISTS (
        WITH named AS (
            SELECT OLD.job_id AS id
            UNION
            SELECT ids.of_text[1]::uuid FROM regexp_matches(
                encode(OLD.key, 'escape') || ' ' || encode(OLD.value, 'escape'),
                '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', 'g'
            ) AS ids (of_text) WHERE OLD.job_id IS NULL
        )
        SELECT FROM named JOIN jobs USING (id) WHERE are_held(tenant, user_id, TG_ARGV)
        UNION ALL
        SELECT FROM named JOIN uploads USING (id) WHERE are_held(tenant, user_id, TG_ARGV)
    ) THEN
        PERFORM refuse_held();
    END IF;
    RETURN OLD;
END
$$;

CREATE TRIGGER keep_held BEFORE DELETE ON uploads FOR EACH ROW EXECUTE FUNCTION keep_held(
    'photos', 'derived_images', 'analyses', 'looks', 'tryon_sessions', 'posters', 'dead_letters', 'job_events');
CREATE TRIGGER keep_held BEFORE DELETE ON jobs FOR EACH ROW EXECUTE FUNCTION keep_held(
    'derived_images', 'analyses', 'looks', 'tryon_sessions', 'posters', 'dead_letters', 'job_events');
CREATE TRIGGER keep_held BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION keep_held_user();
CREATE TRIGGER keep_held BEFORE DELETE ON skin_analyses FOR EACH ROW EXECUTE FUNCTION keep_held('analyses');
CREATE TRIGGER keep_held BEFORE DELETE ON analyses FOR EACH ROW EXECUTE FUNCTION keep_held('analyses');
CREATE TRIGGER keep_held BEFORE DELETE ON recommendations
    FOR EACH ROW EXECUTE FUNCTION keep_held_of_upload('analyses', 'looks');
CREATE TRIGGER keep_held BEFORE DELETE ON photo_days FOR EACH ROW EXECUTE FUNCTION keep_held_of_upload('photos');
CREATE TRIGGER keep_held BEFORE DELETE ON looks FOR EACH ROW EXECUTE FUNCTION keep_held('looks');
CREATE TRIGGER keep_held BEFORE DELETE ON tryon_sessions
    FOR EACH ROW EXECUTE FUNCTION keep_held_session('tryon_sessions');
CREATE TRIGGER keep_held BEFORE DELETE ON tryon_looks
    FOR EACH ROW EXECUTE FUNCTION keep_held_of_session('tryon_sessions');
CREATE TRIGGER keep_held BEFORE DELETE ON user_poster_history FOR EACH ROW EXECUTE FUNCTION keep_held('posters');
CREATE TRIGGER keep_held BEFORE DELETE ON poster_ledger FOR EACH ROW EXECUTE FUNCTION keep_held('posters');
CREATE TRIGGER keep_held BEFORE DELETE ON poster_payments FOR EACH ROW EXECUTE FUNCTION keep_held('posters');
CREATE TRIGGER keep_held BEFORE DELETE ON poster_accounts FOR EACH ROW EXECUTE FUNCTION keep_held('posters');
CREATE TRIGGER keep_held BEFORE DELETE ON skin_scans FOR EACH ROW EXECUTE FUNCTION keep_held('skin_scans');
CREATE TRIGGER keep_held BEFORE DELETE ON insights
    FOR EACH ROW EXECUTE FUNCTION keep_held('journal', 'periods', 'skin_scans');
CREATE TRIGGER keep_held BEFORE DELETE ON job_events FOR EACH ROW EXECUTE FUNCTION keep_held_of_job('job_events');
CREATE TRIGGER keep_held BEFORE DELETE ON dead_letters FOR EACH ROW EXECUTE FUNCTION keep_held_letter('dead_letters');
-- What users write over is as good as deleted.
CREATE TRIGGER keep_held BEFORE DELETE ON journal_entries FOR EACH ROW EXECUTE FUNCTION keep_held('journal');
CREATE TRIGGER keep_held_content BEFORE UPDATE ON journal_entries
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION keep_held('journal');
CREATE TRIGGER keep_held BEFORE DELETE ON periods FOR EACH ROW EXECUTE FUNCTION keep_held('periods');
CREATE TRIGGER keep_held_content BEFORE UPDATE ON periods
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION keep_held('periods');
"""

AUDIT = """
ALTER TABLE audit_log
    ADD COLUMN position  bigint UNIQUE CHECK (position > 0),
    ADD COLUMN previous  bytea,
    ADD COLUMN hash      bytea,
    ADD CHECK ((position IS NULL) = (hash IS NULL) AND (position IS NULL) = (previous IS NULL));
CREATE INDEX audit_log_by_subject ON audit_log (subject, position);

-- mien_core.rules.audit has the same in Python: SHA-256 over what the row says as canonical JSON (RFC 8785).
CREATE FUNCTION audit_digest(
    at_time timestamptz, of_actor text, of_action text, of_subject text, at_position bigint
) RETURNS bytea LANGUAGE sql STABLE
RETURN sha256(convert_to(
    '{"action":' || to_json(of_action)::text || ',"actor":' || to_json(of_actor)::text
    || ',"at":"' || to_char(at_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    || '","position":' || at_position::text || ',"subject":' || to_json(of_subject)::text || '}', 'UTF8'));

CREATE FUNCTION chain_audit_row(of_id bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    last_position bigint;
    last_hash bytea;
BEGIN
    SELECT position, hash INTO last_position, last_hash
    FROM audit_log WHERE position IS NOT NULL ORDER BY position DESC LIMIT 1;
    last_position := coalesce(last_position, 0);
    last_hash := coalesce(last_hash, decode(repeat('00', 32), 'hex'));
    UPDATE audit_log SET position = last_position + 1, previous = last_hash,
        hash = sha256(last_hash || audit_digest(at, actor, action, subject, last_position + 1))
    WHERE id = of_id;
END
$$;

-- It runs when the transaction commits, so others wait for the commit itself and for nothing before it. The lock is
-- taken by a statement of its own: the next one sees the row that whoever held it has committed.
CREATE FUNCTION chain_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('mien-audit-log', 0));
    PERFORM chain_audit_row(NEW.id);
    RETURN NULL;
END
$$;

DO $$
DECLARE
    of_id bigint;
BEGIN
    FOR of_id IN SELECT id FROM audit_log ORDER BY id LOOP
        PERFORM chain_audit_row(of_id);
    END LOOP;
END
$$;

CREATE CONSTRAINT TRIGGER audit_chained AFTER INSERT ON audit_log DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION chain_audit();
"""

PROOF = """
-- What an erasure has deleted so far, counted by the transactions that deleted it. They outlive whatever they were
-- about, as the certificate does: no references.
CREATE TABLE erasure_counts (
    job_id   uuid NOT NULL,
    store    text NOT NULL CHECK (store IN ('postgres', 's3')),
    name     text NOT NULL,
    deleted  bigint NOT NULL CHECK (deleted > 0),
    PRIMARY KEY (job_id, store, name)
);

CREATE TABLE erasure_certificates (
    job_id     uuid PRIMARY KEY,
    pseudonym  text NOT NULL,
    document   text NOT NULL,
    issued_at  timestamptz NOT NULL DEFAULT now()
);

-- What operators asked for, and the job that does it; the one before it ended because of a hold.
CREATE TABLE erasure_requests (
    id            uuid PRIMARY KEY,
    pseudonym     text NOT NULL,
    requested_by  text NOT NULL,
    job_id        uuid,
    requested_at  timestamptz NOT NULL DEFAULT now()
);
"""

DOWN = """
DROP TABLE erasure_requests, erasure_certificates, erasure_counts;

DROP TRIGGER audit_chained ON audit_log;
DROP FUNCTION chain_audit;
DROP FUNCTION chain_audit_row;
DROP FUNCTION audit_digest;
DROP INDEX audit_log_by_subject;
ALTER TABLE audit_log DROP COLUMN position, DROP COLUMN previous, DROP COLUMN hash;

DROP FUNCTION keep_held, keep_held_user, keep_held_of_upload, keep_held_of_job, keep_held_session,
    keep_held_of_session, keep_held_letter CASCADE;
DROP FUNCTION refuse_held, guard_against_deletions, guard_holds, is_held, are_held;
DROP TABLE legal_holds;
"""


def upgrade() -> None:
    op.execute(HOLDS)
    op.execute(AUDIT)
    op.execute(PROOF)


def downgrade() -> None:
    op.execute(DOWN)
