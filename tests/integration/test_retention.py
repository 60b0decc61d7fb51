"""The role retention on real Postgres and a real object store: crashes, two at once, and who is the active one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr

from mien_core.adapters.postgres import PostgresDatabase
from mien_core.adapters.s3 import S3ObjectStore
from mien_core.model.keys import original_key, photo_key, tryon_key
from mien_core.model.platform import JobKind, JobStatus
from mien_core.model.tryon import NewTryOnSession
from mien_core.rules.expiry import objects_of
from mien_core.rules.tryon import LOOKS
from mien_core.settings import PostgresSettings, S3Settings
from mien_streams import guarded
from mien_streams.retention import Retention, RetentionSettings
from mien_streams.sweep import sweep
from tests.makers import new_job, new_upload

DEADLINE_SECONDS = 60.0
LONG_AGO = -48 * 3600
DAY = 24 * 3600
ROWS = """
    SELECT (SELECT count(*) FROM uploads), (SELECT count(*) FROM jobs), (SELECT count(*) FROM job_events),
           (SELECT count(*) FROM tryon_sessions), (SELECT count(*) FROM tryon_looks)
"""
# whoever holds an advisory lock alone in this database: the active retention's own connection; a sweep shares one
LEADER = """
    SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND datname = current_database()
"""


class KilledError(BaseException):
    """The process is dead: nothing that it would do about it happens."""


@dataclass
class World:
    """A database and a bucket with sessions in them."""

    url: str
    database: PostgresDatabase
    store: S3ObjectStore
    keys: list[str] = field(default_factory=list)

    async def session(self, keep_seconds: int) -> list[str]:
        """A completed session; the keys of its objects, which are there first: a sweep may be under way."""
        announced, session_id = new_upload(purpose="tryon", expires_in_seconds=keep_seconds), str(uuid4())
        key, picture = photo_key(announced.id), tryon_key(session_id)
        await self.store.put(key, b"photo", "image/jpeg")
        await self.store.put(picture, b"picture", "image/webp")
        self.keys += [key, picture]
        async with self.database.transaction() as transaction:
            upload = await transaction.uploads.add(announced)
            await transaction.jobs.create(new_job(upload, id=session_id, kind=JobKind.RENDER_TRYON))
            await transaction.uploads.mark_received(upload.id, keep_seconds)
            session = NewTryOnSession(session_id, "visitor", key, LOOKS["berry"], keep_seconds)
            await transaction.tryon_sessions.add(session)
            await transaction.jobs.change(session_id, JobStatus.COMPLETED)
        return [key, picture]

    async def unfinished(self) -> str:
        """A photo that was sent two days ago and that nobody asked for; the key of its original."""
        announced = new_upload(expires_in_seconds=LONG_AGO)
        key = original_key(announced.id)
        await self.store.put(key, b"original", "image/jpeg")
        self.keys.append(key)
        async with self.database.transaction() as transaction:
            await transaction.uploads.add(announced)
        return key

    async def there(self) -> set[str]:
        """Those objects that are still in the bucket."""
        found = await asyncio.gather(*(self.store.head(key) for key in self.keys))
        return {key for key, facts in zip(self.keys, found, strict=True) if facts is not None}

    def rows(self) -> tuple[int, ...]:
        """How many rows uploads, jobs, steps, sessions and looks have."""
        return tuple(self.query(ROWS)[0])

    def query(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[int, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            # constants of this module
            return connection.execute(statement.encode(), parameters).fetchall()

    @asynccontextmanager
    async def retention(self, interval: float) -> AsyncIterator[Retention]:
        """The role with connections of its own, as another process has them."""
        async with PostgresDatabase(PostgresSettings(url=SecretStr(self.url))) as database:
            role = Retention(database, self.store, RetentionSettings(interval_seconds=interval))
            await role.start()
            try:
                yield role
            finally:
                await role.stop()


@pytest.fixture
async def world(fresh_database: str, s3_server: S3Settings) -> AsyncIterator[World]:
    store = S3ObjectStore(s3_server)
    async with PostgresDatabase(PostgresSettings(url=SecretStr(fresh_database))) as database:
        yield World(fresh_database, database, store)
    await store.close()


async def go_on() -> bool:
    return True


async def until_swept(world: World, rows: tuple[int, ...] = (0, 0, 0, 0, 0)) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while world.rows() != rows:  # noqa: ASYNC110 - rows of another connection
            await asyncio.sleep(0.02)


async def test_what_has_expired_goes_with_all_that_belongs_to_it(world: World) -> None:
    """Rows of five tables and the objects of a session and of an unfinished photo; another session stays whole."""
    await world.session(LONG_AGO)
    await world.unfinished()
    kept = await world.session(DAY)
    assert await sweep(world.database, world.store, go_on) == 2
    assert world.rows() == (1, 1, 2, 1, 1)
    assert await world.there() == set(kept)


class MortalStore(S3ObjectStore):
    """The process dies right before or right after its n-th deletion."""

    def __init__(self, settings: S3Settings, moment: int) -> None:
        super().__init__(settings)
        self._moment = moment

    async def delete(self, key: str) -> None:
        self._pass_by()
        await super().delete(key)
        self._pass_by()

    def _pass_by(self) -> None:
        self._moment -= 1
        if self._moment < 0:
            raise KilledError


@pytest.mark.parametrize("moment", range(0, 10, 3))
async def test_a_crash_between_objects_and_rows_repeats_harmlessly(
    world: World, s3_server: S3Settings, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Wherever it dies, each object that is left belongs to a row that is left, and the next sweep takes both."""
    monkeypatch.setattr(guarded, "AT_ONCE", 1)
    for _ in range(2):
        await world.session(LONG_AGO)
    kept = await world.session(DAY)
    mortal = MortalStore(s3_server, moment)
    with pytest.raises(KilledError):
        await sweep(world.database, mortal, go_on)
    await mortal.close()
    assert world.rows() == (3, 3, 6, 3, 3)
    async with world.database.reading() as reading:
        due = await reading.expiry.due(10)
    assert await world.there() - set(kept) <= {key for photo in due for key in objects_of(photo)}
    assert await sweep(world.database, world.store, go_on) == 2
    assert world.rows() == (1, 1, 2, 1, 1)
    assert await world.there() == set(kept)


async def test_two_sweeps_at_once_do_no_harm(world: World) -> None:
    """Each photo is counted by one of them, and nothing is left, though both work on the same."""
    for _ in range(6):
        await world.session(LONG_AGO)
    kept = await world.session(DAY)
    async with PostgresDatabase(PostgresSettings(url=SecretStr(world.url))) as other:
        gone = await asyncio.gather(sweep(world.database, world.store, go_on), sweep(other, world.store, go_on))
    assert sum(gone) == 6
    assert world.rows() == (1, 1, 2, 1, 1)
    assert await world.there() == set(kept)


async def test_one_of_two_is_active_until_it_is_cut_off(world: World) -> None:
    """It sweeps at once and then each interval; another one takes over when its connection is gone."""
    await world.session(LONG_AGO)
    async with world.retention(0.1), world.retention(0.1):
        await until_swept(world)
        await world.session(LONG_AGO)
        await until_swept(world)
        before = world.query(LEADER)
        assert len(before) == 1
        world.query("SELECT pg_terminate_backend(%s)", before[0])
        await world.session(LONG_AGO)
        await until_swept(world)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not (now := world.query(LEADER)) or now == before:  # noqa: ASYNC110 - rows of another connection
                await asyncio.sleep(0.02)
        assert len(now) == 1
    assert await world.there() == set()


async def test_a_standby_takes_over_where_the_active_one_stops(world: World) -> None:
    """Whatever the interval: it begins with a sweep of its own."""
    await world.session(LONG_AGO)
    async with world.retention(3600) as active:
        await until_swept(world)
        async with world.retention(3600):
            # the active one rests, and the standby does not sweep
            await world.session(LONG_AGO)
            await active.stop()
            await until_swept(world)


async def test_a_role_that_waits_for_its_interval_stops_at_once(world: World) -> None:
    """Nobody waits an hour for a process to end."""
    async with world.retention(3600) as role, asyncio.timeout(DEADLINE_SECONDS):
        await role.stop()
        await role.watch()


def test_the_table_is_the_contracts(world: World) -> None:
    """Columns and indexes by their names, types and order."""
    with psycopg.connect(world.url) as connection:
        columns = connection.execute(
            "SELECT column_name, data_type, character_maximum_length FROM information_schema.columns"
            " WHERE table_name = 'tryon_sessions'"
        ).fetchall()
        indexes = connection.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'tryon_sessions'").fetchall()
    moment = "timestamp with time zone"
    assert set(columns) == {
        ("id", "uuid", None),
        ("user_token", "character varying", 255),
        ("input_image_url", "text", None),
        ("output_image_url", "text", None),
        ("status", "text", None),
        ("error_reason", "text", None),
        ("expires_at", moment, None),
        ("created_at", moment, None),
        ("updated_at", moment, None),
    }
    indexed = {definition[definition.index("(") :] for (definition,) in indexes}
    assert indexed == {
        "(id)",
        "(user_token)",
        "(status)",
        "(created_at)",
        "(expires_at)",
        "(status, created_at)",
        "(expires_at, status)",
    }


async def test_the_sweep_reads_an_index(world: World) -> None:
    """However many photos are kept: what isn't due is not looked at."""
    async with world.database.transaction() as transaction:
        await transaction.uploads.add(new_upload(id=str(uuid4()), purpose="tryon", expires_in_seconds=DAY))
    with psycopg.connect(world.url) as connection:
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute(
            "EXPLAIN SELECT id FROM uploads WHERE (purpose = 'tryon' AND expires_at <= now())"
            " OR (purpose <> 'tryon' AND state = 'expected' AND expires_at <= now()) ORDER BY expires_at LIMIT 50"
        ).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert "uploads_of_tryons_by_expiry" in text
    assert "uploads_unfinished_by_expiry" in text
