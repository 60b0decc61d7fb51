"""The erasure of users on a real database: whatever happens on its way, nothing is left, and nobody else is touched."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import ForeignKeyViolation
from pydantic import SecretStr

from mien_api.handlers import Handlers
from mien_api.privacy_handlers import PrivacyHandlers
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.adapters.postgres.translation import translated
from mien_core.adapters.s3 import S3ObjectStore
from mien_core.errors import Conflict, Missing
from mien_core.events import from_record, media_erased, to_record
from mien_core.intake import start_analysis
from mien_core.model.keys import original_key, photo_key
from mien_core.model.looks import NewLook
from mien_core.model.personal_data import PERSONAL_TABLES
from mien_core.model.platform import Caller, Job, JobError, JobStatus
from mien_core.model.privacy import Person
from mien_core.model.serving import FaceAnswer, FaceRequest
from mien_core.ports.database import Database
from mien_core.ports.objects import ObjectStore
from mien_core.settings import PostgresSettings, S3Settings
from mien_streams.delivery import Delivery
from mien_streams.edge import Edge
from mien_streams.handlers.analyse_face import AnalyseFace
from mien_streams.handlers.erase_user import EraseUser
from mien_streams.handlers.sweep_erased import SweepErased
from mien_streams.job_handler import JobHandler
from mien_streams.looks import Ranker, Recommending
from tests.makers import SIGNING_KEY, new_upload
from tests.mortal import Death, KilledError, MortalDatabase, MortalStore
from tests.people import PICTURES, Life, live_everywhere, naming, rows_of
from tests.unit.streams.stand_ins import ScriptedServing, answer, delivered

DEADLINE_SECONDS = 60.0
LATE_SECONDS = 900.0


@dataclass
class Bench:
    """A platform without its processes: what they would do is called."""

    url: str
    database: PostgresDatabase
    store: ObjectStore
    late_seconds: float = LATE_SECONDS

    @property
    def privacy(self) -> PrivacyHandlers:
        platform = Handlers(self.database, self.store, consent_required=False, upload_expires=900, download_expires=900)
        return PrivacyHandlers(platform)

    async def live(self, *who: str) -> Life:
        """Somebody with something in every table."""
        return await live_everywhere(self.url, self.database, self.store, *who)

    async def requested(self, person: Person) -> tuple[str, Delivery]:
        """Ask for an erasure; its job, and its event as it comes from the topic."""
        history = await self.privacy.erase(Caller(person.tenant, None), person.user_id)
        async with self.database.reading() as reading:
            rows = await reading.outbox.due(10_000)
        [record] = [row.record for row in rows if row.record.key == history.job.id.encode()]
        return history.job.id, delivered(record)

    async def carried_out(self, delivery: Delivery, database: Database | None = None) -> None:
        """Do what the agent does with the event."""
        database = database or self.database
        await Edge(
            database, JobHandler(database, EraseUser(database, self.store, self.late_seconds, SIGNING_KEY))
        ).process(delivery)

    async def swept(self, delivery: Delivery) -> None:
        """Do what follows when nothing can come any more."""
        event = media_erased(from_record(delivery.headers, delivery.value))
        await Edge(self.database, SweepErased(self.database, self.store)).process(delivered(to_record(event)))

    async def erased(self, person: Person) -> str:
        """All of it; the job."""
        job_id, delivery = await self.requested(person)
        await self.carried_out(delivery)
        await self.swept(delivery)
        return job_id

    async def job(self, job_id: str) -> Job:
        async with self.database.reading() as reading:
            job = await reading.jobs.get(job_id)
        assert job is not None
        return job


@pytest.fixture
async def bench(fresh_database: str) -> AsyncIterator[Bench]:
    async with PostgresDatabase(PostgresSettings(url=SecretStr(fresh_database))) as database:
        yield Bench(fresh_database, database, MemoryObjectStore())


def changed(before: dict[str, Sequence[str]], after: dict[str, Sequence[str]]) -> set[str]:
    """The tables that have lost a row, or have one that is new."""
    return {table for table in before if before[table] != after[table]}


async def test_everything_goes_and_nobody_else_is_touched(bench: Bench, s3_server: S3Settings) -> None:
    """On a real store, too: not a row and not an object is left; others of the tenant, and a namesake, keep theirs."""
    bench.store = store = S3ObjectStore(s3_server)
    namesake = Person("other", f"anna-{uuid4()}")
    others = [await bench.live(), await bench.live("other", namesake.user_id)]
    before = dict(rows_of(bench.url))
    anna = await bench.live("acme", namesake.user_id)
    job_id = await bench.erased(anna.person)

    assert (await bench.job(job_id)).status is JobStatus.COMPLETED
    assert naming(bench.url, anna.marks[1:]) == {}
    # what the erasure itself leaves: its job without a user, how it went, and that it was
    after = dict(rows_of(bench.url))
    own = {"jobs", "job_events", "erasures", "erasure_counts", "erasure_certificates", "audit_log", "inbox", "outbox"}
    # how often a tenant called is nobody's
    assert changed(before, after) <= {*own, "usage"}
    for table in own:
        assert set(before[table]) <= set(after[table])
        assert not [row for row in set(after[table]) - set(before[table]) if anna.person.user_id in row]
    assert await store.list(f"uploads/{anna.analysed}/") == []
    for other in others:
        assert len(await store.list(f"uploads/{other.analysed}/")) == PICTURES
        assert len(await store.list(f"uploads/{other.announced}/")) == 1
    await store.close()


async def test_there_was_something_in_every_table(bench: Bench) -> None:
    """What these tests erase is everything that there is: a table that is new needs a row in tests/people.py."""
    anna = await bench.live()
    async with bench.database.reading() as reading:
        remaining = await reading.personal_data.remaining(anna.person)
        shown = [await reading.personal_data.rows(table.name, anna.person, "", 9) for table in PERSONAL_TABLES]
    assert remaining.keys() == {table.name for table in PERSONAL_TABLES} - {"users"}
    assert all(shown)
    assert not [row for rows in shown for row in rows if "salt" in row.json]


async def test_what_was_done_is_on_record_by_pseudonym(bench: Bench) -> None:
    """Who knows the user finds that they were erased, and who asked for it."""
    anna = await bench.live()
    await bench.erased(anna.person)
    with psycopg.connect(bench.url) as connection:
        told = connection.execute("SELECT actor, action, subject FROM audit_log ORDER BY id").fetchall()
    assert told == [
        ("acme", "user.erasure_requested", anna.person.pseudonym),
        ("erase-user", "user.erased", anna.person.pseudonym),
    ]


async def test_killed_at_any_line_it_comes_to_the_same_end(bench: Bench) -> None:
    """The event is delivered again to a process that lives, and then nothing is left, in rows or objects."""
    death = Death()
    store = bench.store = MortalStore(death)
    # so that no later look makes good what an attempt has lost
    bench.late_seconds = 0.0
    lines, marks = 0, dict[str, int]()
    async with MortalDatabase(PostgresSettings(url=SecretStr(bench.url)), death) as mortal:
        for line in range(1, 200):
            life = await bench.live()
            marks |= dict.fromkeys(life.marks, line)
            job_id, delivery = await bench.requested(life.person)
            death.line, death.at = 0, line
            try:
                await bench.carried_out(delivery, mortal)
            except KilledError:
                lines = line
            finally:
                death.at = 0
            await bench.carried_out(delivery)
            await bench.swept(delivery)
            assert (await bench.job(job_id)).status is JobStatus.COMPLETED, f"killed at line {line}"
            assert not store.keys(), f"killed at line {line}"
            if lines < line:
                break
    found = naming(bench.url, list(marks))
    assert found == {}, f"killed at {[line for mark, line in marks.items() if mark in str(found)]}"
    # looking, beginning, cancelling, five tables, objects, their rows, the end: each a line before and after
    assert 40 <= lines < 199


async def test_two_at_once_are_one(bench: Bench) -> None:
    """Whoever asks meanwhile is given the same job; delivered twice at once, it is carried out once."""
    anna = await bench.live()
    caller = Caller("acme", None)
    asked = await asyncio.gather(*(bench.privacy.erase(caller, anna.person.user_id) for _ in range(5)))
    assert len({history.job.id for history in asked}) == 1
    _, delivery = await bench.requested(anna.person)
    await asyncio.gather(bench.carried_out(delivery), bench.carried_out(delivery))
    job = await bench.job(asked[0].job.id)
    assert job.status is JobStatus.COMPLETED
    with psycopg.connect(bench.url) as connection:
        told = connection.execute("SELECT action FROM audit_log ORDER BY id").fetchall()
        dead = connection.execute("SELECT count(*) FROM dead_letters").fetchone()
    assert told == [("user.erasure_requested",), ("user.erased",)]
    assert dead == (0,)


async def test_one_that_failed_is_asked_for_again(bench: Bench) -> None:
    """The user stays refused until another one, under a job of its own, has carried it out."""
    anna = await bench.live()
    failed, delivery = await bench.requested(anna.person)
    handler = JobHandler(bench.database, EraseUser(bench.database, bench.store, LATE_SECONDS, SIGNING_KEY))
    async with bench.database.transaction() as transaction:
        await handler.give_up(transaction, delivery, JobError("internal_error", "It failed."))
    with pytest.raises(Conflict, match="erasure_in_progress"):
        await uploaded(bench.database, anna.person)
    done = await bench.erased(anna.person)
    assert (done != failed, (await bench.job(done)).status) == (True, JobStatus.COMPLETED)
    assert (await bench.job(failed)).status is JobStatus.FAILED
    await uploaded(bench.database, anna.person)
    assert naming(bench.url, [anna.person.user_id]).keys() == {"users", "uploads"}


async def uploaded(database: Database, person: Person, **fields: object) -> str:
    async with database.transaction() as transaction:
        owner = {"tenant": person.tenant, "user_id": person.user_id}
        return (await transaction.uploads.add(new_upload(**owner, **fields))).id


class SlowServing(ScriptedServing):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def analyse(self, request: FaceRequest) -> FaceAnswer:
        self.asked.set()
        await self.may_answer.wait()
        return answer(request)


async def analysing(bench: Bench, person: Person, serving: ScriptedServing) -> tuple[Job, asyncio.Task[None]]:
    """A skin photo of the user's, at work."""
    upload_id = await uploaded(bench.database, person, purpose="skin")
    async with bench.database.transaction() as transaction:
        upload = await transaction.uploads.get(upload_id)
        assert upload is not None
        job = await start_analysis(transaction, upload)
        record = (await transaction.outbox.due(10_000))[-1].record
    agent = AnalyseFace(bench.database, serving, bench.store, Recommending(bench.database, Ranker()))
    handler = JobHandler(bench.database, agent)
    return job, asyncio.create_task(Edge(bench.database, handler).process(delivered(record)))


async def test_a_worker_that_comes_late_brings_nothing_back(bench: Bench) -> None:
    """Its job is gone, so its result is thrown away; what it wrote into the store goes when none can come any more."""
    anna, serving = await bench.live(), SlowServing()
    job, work = await analysing(bench, anna.person, serving)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await serving.asked.wait()
        _, delivery = await bench.requested(anna.person)
        await bench.carried_out(delivery)
        await bench.store.put(photo_key(job.photo_id), b"late", "image/jpeg")
        await bench.store.put(original_key(anna.announced), b"late", "image/jpeg")
        serving.may_answer.set()
        await work
    assert len(await bench.store.list("uploads/")) == 2
    await bench.swept(delivery)
    assert await bench.store.list("uploads/") == []
    assert naming(bench.url, (*anna.marks, job.id, job.photo_id)) == {}
    with psycopg.connect(bench.url) as connection:
        assert connection.execute("SELECT count(*) FROM dead_letters").fetchone() == (0,)


async def test_the_last_look_waits_until_nothing_can_come(bench: Bench) -> None:
    """MediaErased isn't published before the URLs that were handed out have expired."""
    anna = await bench.live()
    _, delivery = await bench.requested(anna.person)
    await bench.carried_out(delivery)
    with psycopg.connect(bench.url) as connection:
        [(seconds,)] = connection.execute(
            "SELECT extract(epoch FROM available_at - created_at)::float8 FROM outbox WHERE topic LIKE '%media-erased%'"
        ).fetchall()
    assert LATE_SECONDS - 60 < seconds <= LATE_SECONDS


async def test_work_that_ends_meanwhile_is_cancelled_and_no_bug(bench: Bench) -> None:
    """Between the request and its beginning, a result about the user can't be saved; nobody has to look at why."""
    person, serving = Person("acme", "anna"), SlowServing()
    job, work = await analysing(bench, person, serving)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await serving.asked.wait()
        await bench.requested(person)
        serving.may_answer.set()
        await work
    assert (await bench.job(job.id)).status is JobStatus.CANCELLED
    async with bench.database.reading() as reading:
        assert await reading.dead_letters.count() == 0
        assert await reading.skin_analyses.of_user("acme", "anna") == []


async def test_what_was_written_just_before_is_waited_for(bench: Bench) -> None:
    """A transaction that is about to commit something about the user is found by the second look, not missed by it."""
    anna = await bench.live()
    values = (uuid4(), anna.person.tenant, anna.person.user_id)
    insert = "INSERT INTO looks (id, tenant, user_id, name, presets, products) VALUES (%s, %s, %s, 'Late', '[]', '[]')"
    with psycopg.connect(bench.url) as writer, psycopg.connect(bench.url, autocommit=True) as watcher:
        writer.execute(insert, values)
        job_id, delivery = await bench.requested(anna.person)
        work = asyncio.create_task(bench.carried_out(delivery))
        async with asyncio.timeout(DEADLINE_SECONDS):
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            while watcher.execute(waiting).fetchone() == (0,):  # noqa: ASYNC110 - the server's state has no event
                await asyncio.sleep(0.01)
            writer.commit()
            await work
    assert (await bench.job(job_id)).status is JobStatus.COMPLETED
    assert naming(bench.url, [anna.person.user_id]) == {}


async def test_who_was_seen_before_the_erasure_is_refused_after_it(bench: Bench) -> None:
    """Somebody who noted the user long ago, and only now writes, finds no user to write about."""
    anna = await bench.live()
    with psycopg.connect(bench.url) as writer:
        writer.execute("INSERT INTO users (tenant, id) VALUES ('acme', 'x') ON CONFLICT DO NOTHING")
        await bench.erased(anna.person)
        with pytest.raises(Conflict, match="erasure_in_progress"), translated():
            writer.execute(
                "INSERT INTO periods (id, tenant, user_id, date, symptoms) VALUES (%s, %s, %s, now(), '{}')",
                (uuid4(), anna.person.tenant, anna.person.user_id),
            )
        writer.rollback()
        with pytest.raises(ForeignKeyViolation):
            writer.execute(
                "INSERT INTO jobs (id, tenant, user_id, kind, deadline_at) VALUES (%s, %s, %s, 'analyse-face', now())",
                (uuid4(), anna.person.tenant, anna.person.user_id),
            )


async def test_a_user_may_come_back(bench: Bench) -> None:
    """As somebody new: what they do then is theirs, and nothing of before is."""
    anna = await bench.live()
    await bench.erased(anna.person)
    again = await bench.live(anna.person.tenant, anna.person.user_id)
    async with bench.database.reading() as reading:
        assert {one.upload_id for one in await reading.personal_data.media(again.person, "", 9)} == {
            again.analysed,
            again.announced,
            None,
        }
    assert naming(bench.url, anna.marks[1:]) == {}


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_of_before_survives_a_race(bench: Bench, seed: int) -> None:
    """Uploads, analyses and diaries go on all the while: what is left was written after the end, about somebody new."""
    chance = random.Random(seed)  # noqa: S311 - a race that can be run again
    anna, eve = await bench.live(), await bench.live()
    over = asyncio.Event()
    refused = 0

    async def write(person: Person) -> None:
        nonlocal refused
        while not over.is_set():
            await asyncio.sleep(chance.random() / 100)
            try:
                await act(bench, person, chance.choice(["look", "upload", "analysis"]))
            except Conflict:
                refused += 1

    writers = [asyncio.create_task(write(person)) for person in (anna.person, eve.person) for _ in range(4)]
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.sleep(chance.random() / 20)
        job_id, delivery = await bench.requested(anna.person)
        while not refused:  # noqa: ASYNC110 - the writers meet the erasure when they do
            await asyncio.sleep(0)
        await bench.carried_out(delivery)
        over.set()
        await asyncio.gather(*writers)
    assert (await bench.job(job_id)).status is JobStatus.COMPLETED
    with psycopg.connect(bench.url) as connection:
        for table in ("looks", "uploads", "jobs", "users"):
            column = "id" if table == "users" else "user_id"
            early = f"""
                SELECT count(*) FROM {table}, erasures
                WHERE {table}.{column} = %s AND created_at < ended_at
            """  # noqa: S608 - names from here
            assert connection.execute(early, (anna.person.user_id,)).fetchone() == (0,), table
    assert naming(bench.url, anna.marks[1:]).keys() <= {"erased_media"}
    assert {"uploads", "looks", "journal_entries"} <= naming(bench.url, [eve.person.user_id]).keys()


async def act(bench: Bench, person: Person, what: str) -> None:
    """Do something in a user's name."""
    if what == "look":
        async with bench.database.transaction() as transaction:
            look = NewLook(str(uuid4()), person.tenant, person.user_id, None, "Evening", (), ())
            await transaction.looks.add(look)
        return
    upload_id = await uploaded(bench.database, person)
    await bench.store.put(original_key(upload_id), b"photo", "image/jpeg")
    if what == "analysis":
        try:
            async with bench.database.transaction() as transaction:
                upload = await transaction.uploads.get(upload_id)
                if upload is not None:
                    await start_analysis(transaction, upload)
        except Missing:
            # erased between the look and the work
            return
