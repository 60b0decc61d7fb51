"""Runs of retention on a real database: exactly the list goes, whatever happens, and nothing that is held."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr

from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.adapters.s3 import S3ObjectStore
from mien_core.errors import Unavailable
from mien_core.model.data_classes import DataClass
from mien_core.model.holds import NewLegalHold
from mien_core.model.keys import photo_key
from mien_core.model.retention import ItemState, RunLimits, RunMode, RunState
from mien_core.ports.objects import ObjectStore
from mien_core.settings import PostgresSettings, S3Settings
from mien_streams.retention import Retention, RetentionSettings
from mien_streams.retention_runs import RetentionRuns
from tests.makers import new_upload
from tests.mortal import Death, KilledError, MortalDatabase, MortalStore
from tests.people import live
from tests.retention import PHOTOS, approve, asked, listed, rows_of, run_of, worked_off

DEADLINE_SECONDS = 60.0
ALL_AT_ONCE = RunLimits(rows_per_second=100_000, objects_per_second=100_000, max_percent=100)
PHOTO_ROWS = rows_of(DataClass.PHOTOS)
_UPLOADS = """
    INSERT INTO uploads
    (id, tenant, user_id, purpose, content_type, content_length, consent, state, created_at, expires_at)
    SELECT gen_random_uuid(), 'acme', 'user-' || number %% 100, 'glam', 'image/jpeg', 5, 'given', 'received',
           now() + %(ahead)s::interval, now()
    FROM generate_series(1, %(count)s) AS number RETURNING id::text
"""


@dataclass
class World:
    """A database, and a store for photos."""

    url: str
    database: PostgresDatabase
    store: ObjectStore

    @property
    def runs(self) -> RetentionRuns:
        return RetentionRuns(self.database, self.store)

    def query(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    async def photos(self, count: int, ahead: str = "-1 second") -> list[str]:
        """Uploads of a second ago, or as far ahead as is said, with their photos; the photos' keys."""
        self.query(
            "INSERT INTO users (tenant, id) SELECT 'acme', 'user-' || number FROM generate_series(0, 99) AS number"
            " ON CONFLICT DO NOTHING"
        )
        keys = [photo_key(upload_id) for (upload_id,) in self.query(_UPLOADS, {"count": count, "ahead": ahead})]
        for start in range(0, count, 50):
            await asyncio.gather(*(self.store.put(key, b"photo", "image/jpeg") for key in keys[start : start + 50]))
        return keys

    async def stored(self) -> set[str]:
        return set(await self.store.list("uploads/"))


@pytest.fixture
async def world(fresh_database: str) -> AsyncIterator[World]:
    async with PostgresDatabase(PostgresSettings(url=SecretStr(fresh_database))) as database:
        yield World(fresh_database, database, MemoryObjectStore())


@asynccontextmanager
async def uploads_going_on(world: World) -> AsyncIterator[list[str]]:
    """Photos come all the while; their keys."""
    came: list[str] = []
    over = asyncio.Event()

    async def come() -> None:
        while not over.is_set():
            upload = new_upload()
            async with world.database.transaction() as transaction:
                await transaction.uploads.add(upload)
            await world.store.put(photo_key(upload.id), b"photo", "image/jpeg")
            came.append(photo_key(upload.id))
            await asyncio.sleep(0)

    task = asyncio.create_task(come())
    try:
        yield came
    finally:
        over.set()
        await task


async def list_approve_delete(world: World, count: int) -> None:
    keys = await world.photos(count)
    async with uploads_going_on(world) as came:
        dry = await asked(world.database, PHOTOS, mode=RunMode.DRY_RUN, limits=ALL_AT_ONCE)
        run_id = await asked(world.database, PHOTOS, mode=RunMode.REQUIRE_APPROVAL, limits=ALL_AT_ONCE)
        # those that came in the blink of an eye before the question are due as well
        began = time.monotonic()
        await worked_off(world.runs)
        listing = time.monotonic() - began
        assert (await run_of(world.database, run_id)).state is RunState.PROPOSED
        on_list = {item.name for item in await listed(world.database, run_id)}
        before = set(came)
        await approve(world.database, run_id)
        began = time.monotonic()
        await worked_off(world.runs)
        deleting = time.monotonic() - began
        print(f"{len(on_list)} objects: listed twice in {listing:.1f} s, deleted in {deleting:.1f} s")  # noqa: T201 - figures
        while len(came) < len(before) + 10:  # noqa: ASYNC110 - they come by themselves
            await asyncio.sleep(0.01)
    run = await run_of(world.database, run_id)
    assert run.state is RunState.DONE
    assert (run.totals.deleted, run.totals.skipped, run.totals.held) == (len(on_list), 0, 0)
    assert set(keys) <= on_list
    assert {item.name for item in await listed(world.database, dry)} <= on_list
    assert on_list - set(keys) <= set(came)
    assert {item.state for item in await listed(world.database, run_id)} == {ItemState.DELETED}
    assert await world.stored() == set(keys) ^ set(came) ^ on_list


async def test_exactly_the_list_goes_while_uploads_go_on(world: World) -> None:
    """10,000 objects are listed, approved and deleted; what came meanwhile stays, to the last object."""
    await list_approve_delete(world, 10_000)


@pytest.fixture
async def on_s3(fresh_database: str, s3_server: S3Settings) -> AsyncIterator[World]:
    store = S3ObjectStore(s3_server)
    # others have photos there, too, which belong to no row here
    await store.erase("uploads/")
    async with PostgresDatabase(PostgresSettings(url=SecretStr(fresh_database))) as database:
        yield World(fresh_database, database, store)
    await store.close()


async def test_exactly_the_list_goes_in_a_real_bucket(on_s3: World, request: pytest.FixtureRequest) -> None:
    """The same with a real object store: 10,000 with --long, else some hundreds."""
    await list_approve_delete(on_s3, 10_000 if request.config.getoption("--long") else 300)


async def test_what_a_dry_run_lists_is_what_an_enforced_run_deletes(world: World) -> None:
    """Row by row, of all classes that a user leaves something of; and the dry run deletes nothing."""
    await live(world.database, world.store, "acme", "anna")
    rules = [rows_of(each, timedelta()) for each in DataClass if each is not DataClass.DERIVED_IMAGES]
    # the photo last: all else goes with it
    rules = sorted(rules, key=lambda rule: rule.data_class is DataClass.PHOTOS)
    rules = [rule for rule in rules if rule.data_class not in {DataClass.OUTBOX, DataClass.JOB_EVENTS}]
    dry = await asked(world.database, *rules, PHOTOS, mode=RunMode.DRY_RUN)
    await worked_off(world.runs)
    before = world.query("SELECT (SELECT count(*) FROM uploads), (SELECT count(*) FROM journal_entries)")
    enforced = await asked(world.database, *rules, PHOTOS, limits=ALL_AT_ONCE)
    await worked_off(world.runs)
    names = [{(item.rule, item.name) for item in await listed(world.database, run_id)} for run_id in (dry, enforced)]
    assert before == [(2, 1)]
    assert names[0] == names[1]
    assert len(names[0]) >= 9


async def test_killed_at_any_line_it_comes_to_the_same_end(
    world: World, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Another process goes on: the same list, each thing on it deleted once, one record of it, nothing else gone.

    At every line with --long, else at every fifth.
    """
    for constant in ("LISTED_AT_ONCE", "DELETED_AT_ONCE"):
        monkeypatch.setattr(f"mien_streams.retention_runs.{constant}", 1)
    death = Death()
    world.store = MortalStore(death)
    lines = 0
    async with MortalDatabase(PostgresSettings(url=SecretStr(world.url)), death) as mortal:
        for line in range(1, 200, 1 if request.config.getoption("--long") else 5):
            keys = await world.photos(2)
            run_id = await asked(world.database, PHOTOS, PHOTO_ROWS, limits=ALL_AT_ONCE)
            [late] = await world.photos(1, "1 second")
            death.line, death.at = 0, line
            try:
                await worked_off(RetentionRuns(mortal, world.store))
            except KilledError:
                lines = line
            finally:
                death.at = 0
            await worked_off(world.runs)
            run = await run_of(world.database, run_id)
            names = {item.name for item in await listed(world.database, run_id)}
            rows = {key.removesuffix("/photo") for key in keys}
            records = world.query("SELECT count(*) FROM audit_log WHERE subject LIKE %s", (f"{run_id}%",))
            assert run.state is RunState.DONE, f"killed at line {line}"
            assert names == {*keys, *rows}, f"killed at line {line}"
            assert [(one.listed, one.deleted, one.skipped) for one in run.counts] == [(2, 2, 0)] * 2, f"line {line}"
            assert await world.stored() == {late}, f"killed at line {line}"
            assert records == [(1,)], f"killed at line {line}"
            # what is left of this line is not the next one's
            world.query("TRUNCATE uploads CASCADE")
            await world.store.erase("uploads/")
            if lines < line:
                break
    # listing, and deleting one by one: each a line before and after
    assert 50 <= lines < 199


async def held(world: World, user_id: str | None, *classes: DataClass) -> None:
    """Have a legal hold stand."""
    hold = NewLegalHold(str(uuid4()), "case-7", "acme", user_id, frozenset(classes), "A lawsuit.")
    async with world.database.transaction() as transaction:
        await transaction.holds.place(hold)


async def test_nothing_under_hold_ever_goes(world: World) -> None:
    """Neither rows nor objects, of a user or a tenant, by class or wholly, also when the hold comes after the list."""
    anna, eve = [await live(world.database, world.store, "acme", name) for name in ("anna", "eve")]
    await held(world, "anna", DataClass.JOURNAL, DataClass.PHOTOS)
    rules = (rows_of(DataClass.JOURNAL), rows_of(DataClass.PERIODS), PHOTOS, PHOTO_ROWS)
    run_id = await asked(world.database, *rules, limits=ALL_AT_ONCE)
    runs = world.runs
    while (await run_of(world.database, run_id)).state is RunState.LISTING:
        await runs.advance()
    await held(world, "eve", DataClass.ANALYSES)
    await worked_off(runs)
    run = await run_of(world.database, run_id)
    assert [(one.deleted, one.held) for one in run.counts] == [(1, 1), (2, 0), (1, 1), (0, 2)]
    assert [item.reason for item in await listed(world.database, run_id) if item.state is ItemState.HELD] == [
        "legal_hold"
    ] * 4
    assert {photo_key(anna.analysed)} == await world.stored() & {photo_key(anna.analysed), photo_key(eve.analysed)}
    assert world.query("SELECT user_id FROM journal_entries") == [("anna",)]
    assert world.query("SELECT count(*) FROM analyses") == [(2,)]


class SlowStore(MemoryObjectStore):
    """Deletes objects when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_delete = asyncio.Event(), asyncio.Event()

    async def erase_objects(self, keys: Sequence[str]) -> None:
        self.asked.set()
        await self.may_delete.wait()
        await super().erase_objects(keys)


async def test_a_hold_waits_for_the_batch_at_hand(world: World) -> None:
    """It isn't written while somebody who didn't see it deletes objects; whatever comes after it is kept."""
    store = world.store = SlowStore()
    await world.photos(100)
    run_id = await asked(world.database, PHOTOS, limits=replace(ALL_AT_ONCE, objects_per_second=50))
    runs = world.runs
    while (await run_of(world.database, run_id)).state is RunState.LISTING:
        await runs.advance()
    waiting = b"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

    async def hold() -> None:
        # who waits too long is told to ask again
        while True:
            with contextlib.suppress(Unavailable):
                return await held(world, None, DataClass.PHOTOS)

    async with asyncio.timeout(DEADLINE_SECONDS):
        batch = asyncio.create_task(runs.advance())
        await store.asked.wait()
        holding = asyncio.create_task(hold())
        with psycopg.connect(world.url, autocommit=True) as watcher:
            while watcher.execute(waiting).fetchone() == (0,):  # noqa: ASYNC110 - the server's state has no event
                await asyncio.sleep(0.01)
        assert not holding.done()
        assert len(store.keys()) == 100
        store.may_delete.set()
        await batch
        await holding
        await worked_off(runs)
    run = await run_of(world.database, run_id)
    assert (run.totals.deleted, run.totals.held, len(store.keys())) == (50, 50, 50)


async def test_a_hold_of_a_tenant_keeps_what_is_nobodys(world: World) -> None:
    """A dead letter that says only in its bytes whose it is may be the one that is held."""
    life = await live(world.database, world.store, "acme", "anna")
    await held(world, None, DataClass.DEAD_LETTERS)
    run_id = await asked(world.database, rows_of(DataClass.DEAD_LETTERS), PHOTO_ROWS, limits=ALL_AT_ONCE)
    await worked_off(world.runs)
    run = await run_of(world.database, run_id)
    assert [(one.deleted, one.held) for one in run.counts] == [(0, 2), (0, 1)]
    assert photo_key(life.analysed) in await world.stored()


async def until_ended(world: World, run_id: str) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (await run_of(world.database, run_id)).state.ended:  # noqa: ASYNC110 - another task's work
            await asyncio.sleep(0.05)


async def test_the_role_carries_out_what_is_asked_for(world: World) -> None:
    """Beside its sweep, by the one that is active, within its interval, and within the rates that were asked for."""
    await world.photos(20)
    limits = replace(ALL_AT_ONCE, objects_per_second=10)
    async with PostgresDatabase(PostgresSettings(url=SecretStr(world.url))) as other:
        roles = [Retention(each, world.store, RetentionSettings()) for each in (world.database, other)]
        for role in roles:
            await role.start()
        try:
            loop = asyncio.get_running_loop()
            began = loop.time()
            run_id = await asked(world.database, PHOTOS, limits=limits)
            await until_ended(world, run_id)
        finally:
            for role in roles:
                await role.stop()
    # the second ten wait for the first ten's second
    assert loop.time() - began >= 1.0
    assert await world.stored() == set()


class BuggyStore(MemoryObjectStore):
    """Meets a bug in each deletion of an object."""

    async def erase_objects(self, keys: Sequence[str]) -> None:
        raise AssertionError(keys)


async def test_a_bug_ends_the_run_and_not_the_role(world: World) -> None:
    """The run is failed, with a word for it, and the next one is carried out."""
    world.store = BuggyStore()
    await world.photos(1)
    bad = await asked(world.database, PHOTOS, limits=ALL_AT_ONCE)
    good = await asked(world.database, PHOTO_ROWS, limits=ALL_AT_ONCE)
    role = Retention(world.database, world.store, RetentionSettings())
    await role.start()
    try:
        await until_ended(world, good)
    finally:
        await role.stop()
    run = await run_of(world.database, bad)
    assert (run.state, run.reason, run.totals.deleted) == (RunState.FAILED, "internal_error", 0)
    assert (await run_of(world.database, good)).totals.deleted == 1


async def test_a_run_is_on_record(world: World) -> None:
    """With its counts, once it has ended, and before that once it is proposed; without a user's name."""
    await world.photos(3)
    run_id = await asked(world.database, PHOTOS, mode=RunMode.REQUIRE_APPROVAL, limits=ALL_AT_ONCE)
    await worked_off(world.runs)
    await approve(world.database, run_id)
    await worked_off(world.runs)
    told = world.query("SELECT actor, action, subject FROM audit_log ORDER BY id")
    assert told == [
        ("retention", "retention_run.proposed", f"{run_id} listed=3 deleted=0 held=0 skipped=0"),
        ("retention", "retention_run.done", f"{run_id} listed=3 deleted=3 held=0 skipped=0"),
    ]
    assert "user-" not in json.dumps([str(item) for item in await listed(world.database, run_id)])
