"""Counts effects in the database itself: triggers note each time that an analysis, a job's end or an event was written.

A second time that replaces the first one would leave no other trace.
"""

_HEADER = """
    (SELECT convert_from(decode(header->>1, 'base64'), 'UTF8')
     FROM json_array_elements(NEW.headers) AS header WHERE header->>0 = '{name}')
"""

TRIGGERS = f"""
CREATE TABLE effects (what text NOT NULL, id text NOT NULL);

CREATE FUNCTION note_analysis() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO effects VALUES ('analysis', NEW.job_id::text);
    RETURN NEW;
END $$;
CREATE TRIGGER note_analysis AFTER INSERT OR UPDATE ON analyses FOR EACH ROW EXECUTE FUNCTION note_analysis();

CREATE FUNCTION note_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO effects VALUES ('end', NEW.job_id::text);
    RETURN NEW;
END $$;
CREATE TRIGGER note_end AFTER INSERT ON job_events FOR EACH ROW
    WHEN (NEW.status IN ('completed', 'failed', 'cancelled')) EXECUTE FUNCTION note_end();

CREATE FUNCTION note_event() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    -- a retry carries its event's id, and is another message all the same
    IF {_HEADER.format(name="mien-attempt")} IS NULL THEN
        INSERT INTO effects VALUES ('event', {_HEADER.format(name="ce_id")});
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER note_event AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION note_event();
"""  # noqa: S608 - of this module's own constants
