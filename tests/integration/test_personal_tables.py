"""The list of what names users, held against the migrated database: nobody adds a table and forgets the erasure."""

from collections import defaultdict
from dataclasses import dataclass, field

import psycopg
import pytest

from mien_core.model.personal_data import IMPERSONAL_TABLES, PERSONAL_TABLES, TRACES, Goes

PERSONAL = {table.name: table for table in PERSONAL_TABLES}
ASK = (
    "Decide in core/mien_core/model/personal_data.py where each belongs: in PERSONAL_TABLES if a row is about a user "
    "(then it is exported and erased), in TRACES if it names ids of uploads or jobs only, else in IMPERSONAL_TABLES."
)
REFERENCES = """
    SELECT child.relname, parent.relname, constrained.confdeltype
    FROM pg_constraint AS constrained
    JOIN pg_class AS child ON child.oid = constrained.conrelid
    JOIN pg_class AS parent ON parent.oid = constrained.confrelid
    WHERE constrained.contype = 'f'
"""
KEYS = """
    SELECT used.table_name, used.column_name FROM information_schema.key_column_usage AS used
    JOIN information_schema.table_constraints AS key USING (constraint_schema, constraint_name, table_name)
    WHERE key.constraint_type = 'PRIMARY KEY' AND used.table_schema = 'public' ORDER BY used.ordinal_position
"""


@dataclass
class Schema:
    """The tables' columns and primary keys, and who refers to whom: child, parent, whether it goes with it."""

    columns: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    keys: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    references: list[tuple[str, str, bool]] = field(default_factory=list)


@pytest.fixture(scope="module")
def schema(postgres_server: str, migrated_template: str) -> Schema:
    found = Schema()
    columns = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    with psycopg.connect(psycopg.conninfo.make_conninfo(postgres_server, dbname=migrated_template)) as connection:
        for table, column in connection.execute(columns):
            found.columns[table].add(column)
        for table, column in connection.execute(KEYS):
            found.keys[table].append(column)
        for child, parent, action in connection.execute(REFERENCES):
            found.references.append((child, parent, action in {"c", b"c"}))
    return found


def test_every_table_was_decided_on(schema: Schema) -> None:
    """A table is about users, or names what is theirs, or has a reason why nobody is found in it."""
    known = PERSONAL.keys() | TRACES.keys() | IMPERSONAL_TABLES.keys()
    assert not schema.columns.keys() - known, ASK
    assert not known - schema.columns.keys(), "these tables are gone"
    assert not IMPERSONAL_TABLES.keys() & (PERSONAL.keys() | TRACES.keys())


def test_what_names_a_user_is_personal(schema: Schema) -> None:
    """A column for the user, or a reference to a row about one, can't be called impersonal."""
    naming = {table for table, columns in schema.columns.items() if columns & {"user_id", "user_token"}}
    referring = {child for child, parent, _ in schema.references if parent in PERSONAL}
    # an erasure forgets its user at its end, and refers to its own job only; a hold forgets its user when it is lifted
    assert (naming | referring) - {"erasures", "legal_holds"} <= PERSONAL.keys(), ASK


def test_the_list_names_columns_that_exist(schema: Schema) -> None:
    """Keys are the primary keys, owners and hidden columns are columns."""
    for table in PERSONAL_TABLES:
        columns = schema.columns[table.name]
        assert set(table.hidden) <= columns, table.name
        if table.name != "users":
            assert list(table.key) == schema.keys[table.name], table.name
        if table.parent is None:
            assert {"tenant", table.user_column} <= columns, table.name
        else:
            assert table.parent[0] in columns, table.name
            assert "id" in schema.columns[table.parent[1]], table.name


def test_what_refers_to_a_row_goes_before_it_or_with_it(schema: Schema) -> None:
    """No erasure is stopped by a reference, and none leaves a row behind."""
    order = [table.name for table in PERSONAL_TABLES]
    together = {Goes.WITH_OBJECTS: 1, Goes.BY_ITSELF: 0, Goes.AT_THE_END: 2}
    for child, parent, cascades in schema.references:
        if child not in PERSONAL or parent not in PERSONAL:
            continue
        if PERSONAL[child].goes is Goes.WITH_ITS_PARENT:
            assert cascades, f"{child} must go with {parent}: ON DELETE CASCADE"
        else:
            goes = together[PERSONAL[child].goes], together[PERSONAL[parent].goes]
            assert cascades or goes[0] < goes[1] or (goes[0] == goes[1] and order.index(child) < order.index(parent))
