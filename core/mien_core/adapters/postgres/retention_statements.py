"""The statements that list, judge and delete rows, made of retention_tables."""

from typing import Final

from mien_core.adapters.postgres.retention_tables import JOBS, UPLOADS, Table

# Whoever is nobody's is kept by any hold of its class: whose it is can't be told.
HELD: Final = """
    CASE WHEN {tenant} IS NULL
         THEN EXISTS (
             SELECT FROM legal_holds
             WHERE released_at IS NULL AND (data_classes IS NULL OR data_classes && %(held_with)s::text[])
         )
         ELSE are_held({tenant}, {user}, %(held_with)s::text[])
    END
"""
_OF_TENANTS: Final = "(cardinality(%(tenants)s::text[]) = 0 OR {tenant} = ANY(%(tenants)s::text[]))"


def of_tenants(tenant: str) -> str:
    """The condition that a row is of the tenants that a run is about."""
    return _OF_TENANTS.format(tenant=tenant)


def key_of(table: Table) -> str:
    """The columns that tell a table's rows apart."""
    return ", ".join(column for column, _ in table.key)


def name_of(table: Table) -> str:
    """What a row is called on a list: its table and its key."""
    return f"'{table.name}/' || " + " || '/' || ".join(f"{column}::text" for column, _ in table.key)


def _named(table: Table) -> str:
    arrays = ", ".join(f"%(key{index})s::{kind}[]" for index, (_, kind) in enumerate(table.key))
    return f"({key_of(table)}) IN (SELECT * FROM unnest({arrays}))"  # noqa: S608 - names out of this repository's list


def total(table: Table) -> str:
    """Count the rows of some tenants."""
    return f"SELECT count(*) AS total FROM {table.rows} WHERE {of_tenants(table.tenant)}"  # noqa: S608 - likewise


def listing(table: Table, *, first: bool) -> str:
    """Put rows that are due onto the list; not the first ones begin after %(key0)s, ..."""
    after = ", ".join(f"%(key{index})s::{kind}" for index, (_, kind) in enumerate(table.key))
    begin = "" if first else f"AND ({key_of(table)}) > ({after})"
    return f"""
        INSERT INTO retention_items (run_id, rule, name, tenant, size)
        SELECT %(run)s, %(rule)s, {name_of(table)}, {table.tenant}, 0 FROM {table.rows}
        WHERE {table.at} <= %(before)s AND {table.settled} AND {of_tenants(table.tenant)} {begin}
        ORDER BY {key_of(table)} LIMIT %(limit)s
        RETURNING seq, name
    """  # noqa: S608 - names out of this repository's own list


def judging(table: Table) -> str:
    """Look again at rows by their keys, and keep them as they are."""
    upload, jobs = table.media
    held = HELD.format(tenant=table.tenant, user=table.user)
    return f"""
        SELECT {name_of(table)} AS name, {table.at} <= %(before)s AND {table.settled} AS is_due, {held} AS is_held,
               {upload} AS upload_id, {jobs} AS job_ids
        FROM {table.rows} WHERE {_named(table)} FOR UPDATE OF {table.name}
    """  # noqa: S608 - likewise


def removal(table: Table) -> tuple[str, ...]:
    """Delete rows, by their keys or by their media."""
    if table.removal is not None:
        return tuple(table.removal)
    return (f"DELETE FROM {table.name} WHERE {_named(table)}",)  # noqa: S608 - likewise


def judging_owners(table: Table) -> str:
    """Look again at what objects belong to, by ids, and keep it as it is."""
    held = HELD.format(tenant=table.tenant, user=table.user)
    return f"""
        SELECT {table.key[0][0]} AS id, {table.at} <= %(before)s AND {table.settled} AS is_due, {held} AS is_held
        FROM {table.rows} WHERE {table.key[0][0]} = ANY(%(ids)s) FOR UPDATE OF {table.name}
    """  # noqa: S608 - likewise


# An object is as old as the upload or the job that it belongs to, and nobody's if there is none any more.
LISTING_OBJECTS: Final = f"""
    WITH found AS (
        SELECT given.name, given.size, given.position, coalesce(uploads.tenant, jobs.tenant) AS tenant,
               CASE WHEN uploads.id IS NULL
                    THEN {JOBS.at} <= %(before)s AND {JOBS.settled}
                    ELSE {UPLOADS.at} <= %(before)s AND {UPLOADS.settled}
               END AS is_due
        FROM unnest(%(names)s::text[], %(sizes)s::bigint[], %(uploads)s::uuid[], %(jobs)s::uuid[])
             WITH ORDINALITY AS given (name, size, upload_id, job_id, position)
        LEFT JOIN uploads ON uploads.id = given.upload_id
        LEFT JOIN jobs ON jobs.id = given.job_id
        WHERE (uploads.id IS NOT NULL OR jobs.id IS NOT NULL) AND {of_tenants("coalesce(uploads.tenant, jobs.tenant)")}
    ), listed AS (
        INSERT INTO retention_items (run_id, rule, name, tenant, size)
        SELECT %(run)s, %(rule)s, name, tenant, size FROM found WHERE is_due ORDER BY position LIMIT %(limit)s
        RETURNING size
    )
    SELECT (SELECT count(*) FROM found) AS total, count(*) AS listed, coalesce(sum(size), 0)::bigint AS size FROM listed
"""  # noqa: S608 - likewise
