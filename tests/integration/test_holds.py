"""Legal holds on a real database: nothing that one covers goes, however a deletion and its writing meet."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr

from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.postgres import PostgresDatabase, holds
from mien_core.errors import Unavailable
from mien_core.model.data_classes import DataClass
from mien_core.model.keys import photo_key
from mien_core.model.personal_data import PERSONAL_TABLES
from mien_core.model.privacy import Person
from mien_core.settings import PostgresSettings
from mien_streams import guarded
from mien_streams.sweep import sweep
from tests.contract.test_holds import new_hold, placed
from tests.makers import new_upload
from tests.people import live_everywhere

DEADLINE_SECONDS = 60.0
ANNA = Person("acme", "anna")
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
# the guard is lost: its connection is cut off
ENDED = """
    SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE locktype = 'advisory' AND datname = current_database()
"""
# deleted at the user's wish and by operators alone, and never evidence of what the platform saw or said
NEVER_HELD = {"webhooks"}


@pytest.fixture
async def database(fresh_database: str) -> AsyncIterator[PostgresDatabase]:
    async with PostgresDatabase(PostgresSettings(url=SecretStr(fresh_database))) as database:
        yield database


async def waited_for(url: str) -> None:
    """Return once somebody waits for a lock."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        with psycopg.connect(url, autocommit=True) as watcher:
            while watcher.execute(WAITING).fetchone() == (0,):  # noqa: ASYNC110 - the server's state has no event
                await asyncio.sleep(0.01)


def look_added(url: str, user_id: str) -> str:
    """A row that can be held; its id."""
    look_id = str(uuid4())
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO users (tenant, id) VALUES ('acme', %s) ON CONFLICT DO NOTHING", (user_id,))
        insert = (
            "INSERT INTO looks (id, tenant, user_id, name, presets, products) VALUES (%s, 'acme', %s, '', '[]', '[]')"
        )
        connection.execute(insert, (look_id, user_id))
    return look_id


async def test_the_list_and_the_triggers_say_the_same(fresh_database: str) -> None:
    """Each table with rows about users keeps what is held of them, by the classes that the list has."""
    triggers = """
        SELECT tgrelid::regclass::text, string_to_array(encode(tgargs, 'escape'), '\\000')
        FROM pg_trigger WHERE tgname = 'keep_held'
    """
    with psycopg.connect(fresh_database) as connection:
        found = {table: {one for one in classes if one} for table, classes in connection.execute(triggers)}
    listed = {table.name: set(table.classes) for table in PERSONAL_TABLES if table.name not in NEVER_HELD}
    assert found == listed, "Decide which classes a table's rows belong to, and have a migration give it a trigger."


async def test_no_statement_deletes_what_is_held(database: PostgresDatabase, fresh_database: str) -> None:
    """Not even one that somebody types: every table with something about the user refuses, and then lets it go."""
    await live_everywhere(fresh_database, database, MemoryObjectStore(), "acme", "anna")
    tables = [table.name for table in PERSONAL_TABLES if table.name not in NEVER_HELD]
    hold = await placed(database, new_hold())
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        for table in tables:
            with pytest.raises(psycopg.DatabaseError, match="legal_hold"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - from the list
        for table in ("journal_entries", "periods"):
            with pytest.raises(psycopg.DatabaseError, match="legal_hold"):
                connection.execute(f"UPDATE {table} SET date = date + 1")  # noqa: S608 - likewise
        async with database.transaction() as transaction:
            await transaction.holds.release(hold.id)
        connection.execute("DELETE FROM webhooks")
        for table in tables:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - likewise


@pytest.mark.parametrize("data_class", DataClass)
async def test_sql_and_the_model_agree_on_what_is_held(
    database: PostgresDatabase, fresh_database: str, data_class: DataClass
) -> None:
    """is_held, which deleting statements ask, and the hold itself say the same of every class."""
    hold = await placed(database, new_hold(ANNA, data_class))
    with psycopg.connect(fresh_database) as connection:
        for one in DataClass:
            for tenant, user in (("acme", "anna"), ("acme", "eve"), ("acme", None), ("other", "anna")):
                asked = connection.execute("SELECT is_held(%s, %s, %s)", (tenant, user, one)).fetchone()
                assert asked == (hold.covers_any(tenant, user, [one]),)
        assert connection.execute("SELECT is_held('acme', 'anna', NULL)").fetchone() == (False,)


async def test_a_hold_waits_for_the_deletion_that_is_under_way(database: PostgresDatabase, fresh_database: str) -> None:
    """It isn't written while something may go that it covers; afterwards nothing does."""
    first, second = (look_added(fresh_database, "anna") for _ in range(2))
    with psycopg.connect(fresh_database) as deleting:
        deleting.execute("SELECT guard_holds()")
        writing = asyncio.create_task(placed(database, new_hold()))
        await waited_for(fresh_database)
        # not held yet, and so it goes
        assert deleting.execute("DELETE FROM looks WHERE id = %s", (first,)).rowcount == 1
        assert not writing.done()
        deleting.commit()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await writing
        with pytest.raises(psycopg.DatabaseError, match="legal_hold"):
            deleting.execute("DELETE FROM looks WHERE id = %s", (second,))


async def test_a_deletion_waits_for_the_hold_that_is_being_written(
    database: PostgresDatabase, fresh_database: str
) -> None:
    """Whoever comes a moment after it sees it, though it wasn't committed when they asked."""
    look_id = look_added(fresh_database, "anna")
    with psycopg.connect(fresh_database, autocommit=True) as deleting:
        async with database.transaction() as transaction:
            await transaction.holds.place(new_hold())
            work = asyncio.create_task(
                asyncio.to_thread(deleting.execute, "DELETE FROM looks WHERE id = %s", (look_id,))
            )
            await waited_for(fresh_database)
        with pytest.raises(psycopg.DatabaseError, match="legal_hold"):
            async with asyncio.timeout(DEADLINE_SECONDS):
                await work


async def test_a_hold_that_would_wait_for_long_is_asked_for_again(
    database: PostgresDatabase, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other deletions wait behind it, so it gives up after some seconds: it is not written, and says so."""
    hold = new_hold()
    monkeypatch.setattr(holds, "PATIENCE_SECONDS", 0.1)
    with psycopg.connect(fresh_database) as deleting:
        deleting.execute("SELECT guard_holds()")
        with pytest.raises(Unavailable, match="database_unavailable"):
            await placed(database, hold)
    async with database.reading() as reading:
        assert await reading.holds.get(hold.id) is None


async def test_a_guard_that_was_lost_is_noticed_before_anything_goes(
    database: PostgresDatabase, fresh_database: str
) -> None:
    """Who was stopped until the server ended their transaction must not go on as if nothing could be held by now."""
    with (
        psycopg.connect(fresh_database, autocommit=True) as killer,
        pytest.raises(Unavailable, match="database_unavailable"),
    ):
        async with database.transaction() as transaction:
            await transaction.holds.guard()
            await transaction.holds.confirm()
            assert killer.execute(ENDED).fetchall() == [(True,)]
            await transaction.holds.confirm()
    await placed(database, new_hold())


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_there_when_a_hold_is_written_stays(
    database: PostgresDatabase, fresh_database: str, seed: int
) -> None:
    """Users are held at random while others delete in all the ways there are: no row goes after its hold's commit."""
    chance = random.Random(seed)  # noqa: S311 - a race that can be run again
    users = [f"user-{number}" for number in range(6)]
    for user in users:
        for _ in range(12):
            look_added(fresh_database, user)
    there = "SELECT id::text FROM looks WHERE user_id = %s"
    when_held: dict[str, set[str]] = {}

    async def hold(user: str) -> None:
        await asyncio.sleep(chance.random() / 10)
        await placed(database, new_hold(Person("acme", user), DataClass.LOOKS))
        async with await psycopg.AsyncConnection.connect(fresh_database) as connection:
            cursor = await connection.execute(there, (user,))
            when_held[user] = {row[0] for row in await cursor.fetchall()}

    deleted: dict[str, int] = defaultdict(int)
    refusals: set[str] = set()

    async def delete(number: int) -> None:
        one = "DELETE FROM looks WHERE ctid = (SELECT ctid FROM looks WHERE user_id = %s LIMIT 1)"
        passing = "DELETE FROM looks WHERE user_id = %s AND NOT is_held(tenant, user_id, 'looks') AND random() < 0.1"
        async with await psycopg.AsyncConnection.connect(fresh_database) as connection:
            while len(when_held) < len(users):
                user = chance.choice(users)
                try:
                    async with connection.transaction():
                        if number % 2:
                            await connection.execute("SELECT guard_holds()")
                        cursor = await connection.execute(passing if number % 2 else one, (user,))
                        deleted[user] += cursor.rowcount
                        await asyncio.sleep(chance.random() / 100)
                except psycopg.DatabaseError as error:
                    refusals.add(str(error).partition("\n")[0])

    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(*map(hold, users), *(delete(number) for number in range(4)))
    with psycopg.connect(fresh_database) as connection:
        for user in users:
            assert {row[0] for row in connection.execute(there, (user,))} == when_held[user]
    assert sum(deleted.values())
    assert refusals == {"legal_hold"}


class SlowStore(MemoryObjectStore):
    """Deletes when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_delete = asyncio.Event(), asyncio.Event()

    async def delete(self, key: str) -> None:
        self.asked.set()
        await self.may_delete.wait()
        await super().delete(key)


async def expired(database: PostgresDatabase, store: MemoryObjectStore, user_id: str) -> str:
    """A try-on's photo whose time is over; its key."""
    async with database.transaction() as transaction:
        upload = await transaction.uploads.add(new_upload(purpose="tryon", user_id=user_id, expires_in_seconds=-9999))
    await store.put(photo_key(upload.id), b"photo", "image/jpeg")
    return photo_key(upload.id)


async def go_on() -> bool:
    return True


async def test_a_sweep_has_ended_its_batch_or_leaves_what_is_held(
    database: PostgresDatabase, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold is not written while objects go, however slow the store is; afterwards no object goes that it covers."""
    # longer than the server would wait for a word, were it that impatient
    monkeypatch.setattr(guarded, "CONFIRM_SECONDS", 0.01)
    store = SlowStore()
    gone = await expired(database, store, "anna")
    async with asyncio.timeout(DEADLINE_SECONDS):
        sweeping = asyncio.create_task(sweep(database, store, go_on))
        await store.asked.wait()
        writing = asyncio.create_task(placed(database, new_hold()))
        await waited_for(fresh_database)
        assert await store.list("uploads/") == [gone]
        store.may_delete.set()
        await asyncio.gather(sweeping, writing)
        assert await store.list("uploads/") == []
        kept = await expired(database, store, "anna")
        assert await sweep(database, store, go_on) == 0
    assert await store.list("uploads/") == [kept]


async def test_a_sweep_that_lost_its_guard_stops(database: PostgresDatabase, fresh_database: str) -> None:
    """Not a row goes, and no object of the next batch: a hold may have been written by now."""
    store = SlowStore()
    await expired(database, store, "anna")
    with psycopg.connect(fresh_database, autocommit=True) as killer:
        async with asyncio.timeout(DEADLINE_SECONDS):
            sweeping = asyncio.create_task(sweep(database, store, go_on))
            await store.asked.wait()
            assert killer.execute(ENDED).fetchall() == [(True,)]
            with pytest.raises(Unavailable, match="database_unavailable"):
                await sweeping
        assert killer.execute("SELECT count(*) FROM uploads").fetchone() == (1,)
    assert len(await store.list("uploads/")) == 1
