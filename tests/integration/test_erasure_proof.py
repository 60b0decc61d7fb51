"""What proves an erasure, and what keeps one from being carried out, on a real database."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.audit_command import verify
from mien_core.certificate.document import SignedStatement
from mien_core.certificate.signing import verified
from mien_core.errors import Conflict
from mien_core.model.data_classes import DataClass
from mien_core.model.keys import photo_key
from mien_core.model.personal_data import PERSONAL_TABLES
from mien_core.model.platform import Caller, JobStatus
from mien_core.model.privacy import Person
from mien_core.ports.database import Transaction
from mien_core.settings import PostgresSettings
from tests.contract.test_holds import lifted, new_hold, placed
from tests.integration.test_erasure import Bench, uploaded
from tests.makers import SIGNING_KEY
from tests.people import Life, naming

DEADLINE_SECONDS = 60.0


@pytest.fixture
async def bench(fresh_database: str) -> AsyncIterator[Bench]:
    async with PostgresDatabase(PostgresSettings(url=SecretStr(fresh_database))) as database:
        yield Bench(fresh_database, database, MemoryObjectStore())


async def certificate_of(bench: Bench, person: Person, job_id: str) -> SignedStatement:
    """What the user gets, verified as they would."""
    text = await bench.privacy.certificate(Caller(person.tenant, None), person.user_id, job_id)
    return verified(text, SIGNING_KEY.public, person)


async def test_the_certificate_says_what_was_deleted(bench: Bench) -> None:
    """Every row that was there, by table, every object, and two rows of the audit log that are still in it."""
    anna = await bench.live()
    await bench.live()
    own = naming(bench.url, anna.marks)
    objects = [key for key in await bench.store.list("") if any(mark in key for mark in anna.marks)]
    job_id = await bench.erased(anna.person)
    certificate = await certificate_of(bench, anna.person, job_id)
    # each row that names the user or their things was counted, and nothing else, save that work under way was cancelled
    cancelled = {"job_events": 2}
    assert certificate.deleted.rows == {
        table: len(rows) + cancelled.get(table, 0) for table, rows in own.items() if table != "users"
    }
    assert certificate.deleted.objects == len(objects) > 3
    assert set(certificate.second_scan.tables) == {table.name for table in PERSONAL_TABLES}
    links = (certificate.audit.requested, certificate.audit.erased)
    assert await verify(bench.database, {link.position: bytes.fromhex(link.hash) for link in links}) is not None
    assert anna.person.user_id not in json.dumps(certificate.model_dump())


async def test_nobody_else_gets_it(bench: Bench) -> None:
    """Another user of the tenant, another tenant, a job that is none, one that has not ended: there is none."""
    anna = await bench.live()
    job_id, delivery = await bench.requested(anna.person)
    with pytest.raises(Exception, match="certificate_not_found"):
        await certificate_of(bench, anna.person, job_id)
    await bench.carried_out(delivery)
    for person in (Person("acme", "eve"), Person("other", anna.person.user_id)):
        with pytest.raises(Exception, match="certificate_not_found"):
            await certificate_of(bench, person, job_id)
    assert (await certificate_of(bench, anna.person, job_id)).job_id == job_id


async def test_who_is_held_is_not_erased(bench: Bench) -> None:
    """Whatever of theirs is held: the request is refused, and the user goes on as before; lifted, it is carried out."""
    anna = await bench.live()
    for classes in ((), (DataClass.LOOKS,)):
        hold = await placed(bench.database, new_hold(anna.person, *classes))
        with pytest.raises(Conflict, match="legal_hold"):
            await bench.privacy.erase(Caller("acme", None), anna.person.user_id)
        await uploaded(bench.database, anna.person)
        await lifted(bench.database, hold)
    job_id = await bench.erased(anna.person)
    assert (await bench.job(job_id)).status is JobStatus.COMPLETED


class Watched(PostgresDatabase):
    """The real one; something is told of each moment before and after a unit of work, and before its commit."""

    passing: Callable[[], None] = staticmethod(lambda: None)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self.passing()
        async with super().transaction() as transaction:
            yield transaction
            self.passing()
        self.passing()


class WatchedStore(MemoryObjectStore):
    """Tells of each moment before and after an object goes, and lets others go on there."""

    passing: Callable[[], None] = staticmethod(lambda: None)

    async def erase(self, prefix: str) -> int:
        self.passing()
        await asyncio.sleep(0)
        erased = await super().erase(prefix)
        self.passing()
        return erased


class Kept:
    """What there was of a user when their hold was written."""

    def __init__(self, bench: Bench, life: Life) -> None:
        self._bench, self._life = bench, life
        self.rows: dict[str, int] = {}
        self.objects: list[str] = []

    async def hold(self) -> None:
        await placed(self._bench.database, new_hold(self._life.person))
        self.rows, self.objects = await self.now()

    async def now(self) -> tuple[dict[str, int], list[str]]:
        """How many rows of which tables, and which objects."""
        async with self._bench.database.reading() as reading:
            rows = dict(await reading.personal_data.remaining(self._life.person))
        objects = [key for key in await self._bench.store.list("") if any(mark in key for mark in self._life.marks)]
        return rows, objects


async def test_a_hold_wins_at_any_moment(bench: Bench) -> None:
    """Written at each line of an erasure's way: what was there then stays, and the job says why, or it was over."""
    store = bench.store = WatchedStore()
    bench.late_seconds = 0.0
    statuses: list[JobStatus] = []
    async with Watched(PostgresSettings(url=SecretStr(bench.url))) as watched:
        for line in range(1, 200):
            life = await bench.live()
            kept = Kept(bench, life)
            job_id, delivery = await bench.requested(life.person)
            passed, tasks = 0, list[asyncio.Task[None]]()

            def pass_by(at: int = line, kept: Kept = kept, tasks: list[asyncio.Task[None]] = tasks) -> None:
                nonlocal passed
                passed += 1
                if passed == at:
                    tasks.append(asyncio.create_task(kept.hold()))

            watched.passing = store.passing = pass_by
            async with asyncio.timeout(DEADLINE_SECONDS):
                await bench.carried_out(delivery, watched)
                await asyncio.gather(*tasks)
            watched.passing = store.passing = lambda: None
            if not tasks:
                break
            assert await kept.now() == (kept.rows, kept.objects), f"held at line {line}"
            job = await bench.job(job_id)
            statuses.append(job.status)
            if job.status is JobStatus.FAILED:
                assert job.error is not None
                assert job.error.code == "legal_hold"
                # let in again, as whoever waits for the hold's end must be
                await uploaded(bench.database, life.person)
            else:
                assert kept.rows == {}, f"held at line {line}"
    assert len(statuses) >= 20
    assert set(statuses) == {JobStatus.COMPLETED, JobStatus.FAILED}
    # a hold that was written early has kept something
    assert statuses[0] is JobStatus.FAILED


async def test_objects_that_are_held_stay_where_they_are(bench: Bench) -> None:
    """Before the first of them goes, the hold is asked for, though no row was looked at yet."""
    anna = await bench.live()
    _, delivery = await bench.requested(anna.person)
    await placed(bench.database, new_hold(anna.person, DataClass.DERIVED_IMAGES))
    before = await bench.store.list("")
    await bench.carried_out(delivery)
    assert await bench.store.list("") == before
    assert photo_key(anna.analysed) in before
