"""The agents that erase users, on the in-memory platform."""

from uuid import uuid4

import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.events import MediaErased, erasure_requested, from_record, media_erased, to_record
from mien_core.model.platform import JobKind, JobStatus, NewJob
from mien_core.model.privacy import Person
from mien_streams.delivery import Delivery
from mien_streams.edge import Edge
from mien_streams.handlers.erase_user import EraseUser
from mien_streams.handlers.sweep_erased import SweepErased
from mien_streams.job_handler import JobHandler
from tests.makers import SIGNING_KEY
from tests.people import Life, live
from tests.unit.streams.stand_ins import delivered, job

ANNA = Person("acme", "anna")


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


async def requested(database: MemoryDatabase, person: Person = ANNA) -> tuple[str, Delivery]:
    job_id = str(uuid4())
    async with database.transaction() as transaction:
        await transaction.erasures.begin(job_id, person)
        await transaction.audit_log.add("acme", "user.erasure_requested", person.pseudonym)
        await transaction.jobs.create(NewJob(job_id, person.tenant, None, JobKind.ERASE_USER, None, 600))
    return job_id, delivered(to_record(erasure_requested(job_id)))


def erasing(database: MemoryDatabase, store: MemoryObjectStore, late_seconds: float = 0) -> Edge:
    return Edge(database, JobHandler(database, EraseUser(database, store, late_seconds, SIGNING_KEY)))


async def anna_and_eve(database: MemoryDatabase, store: MemoryObjectStore) -> tuple[Life, Life]:
    return await live(database, store, "acme", "anna"), await live(database, store, "acme", "eve")


async def test_a_user_is_erased(database: MemoryDatabase) -> None:
    """Rows, objects and what names them are gone, the job is done, and MediaErased says so; others keep theirs."""
    store = MemoryObjectStore()
    _, eve = await anna_and_eve(database, store)
    job_id, delivery = await requested(database)
    await erasing(database, store).process(delivery)
    assert (await job(database, job_id)).status is JobStatus.COMPLETED
    state = database.state
    assert state.users.keys() == {("acme", "eve")}
    assert state.uploads.keys() == {eve.analysed, eve.announced}
    assert state.jobs.keys() == {*eve.jobs, job_id}
    assert len(store.keys()) == 4
    events = [row.record for _, row in state.outbox.values() if row.record.topic == MediaErased.topic]
    [event] = [from_record(record.headers, record.value) for record in events]
    assert str(event.data.job_id) == job_id


async def test_whoever_waits_for_the_users_work_is_told(
    database: MemoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs are cancelled before anything goes, so that none of them is taken up or finished any more."""
    store = MemoryObjectStore()
    anna, _ = await anna_and_eve(database, store)
    statuses: list[JobStatus] = []

    async def erase(_prefix: str) -> int:
        statuses.extend(database.state.jobs[job_id].status for job_id in anna.jobs)
        return 0

    monkeypatch.setattr(store, "erase", erase)
    _, delivery = await requested(database)
    await erasing(database, store).process(delivery)
    assert set(statuses) == {JobStatus.COMPLETED, JobStatus.CANCELLED}


@pytest.mark.usefixtures("impatient")
async def test_while_the_store_is_away_nothing_is_forgotten(database: MemoryDatabase) -> None:
    """The rows that know of objects stay, the user stays refused, and the next attempt ends it."""
    store = MemoryObjectStore()
    anna, _ = await anna_and_eve(database, store)
    job_id, delivery = await requested(database)
    store.go_away()
    await erasing(database, store).process(delivery)
    assert not (await job(database, job_id)).status.ended
    assert {anna.analysed, anna.announced} <= database.state.uploads.keys()
    store.come_back()
    await erasing(database, store).process(delivery)
    assert (await job(database, job_id)).status is JobStatus.COMPLETED
    assert not {anna.analysed, anna.announced} & database.state.uploads.keys()


async def test_what_may_come_late_is_swept_afterwards(database: MemoryDatabase) -> None:
    """Objects that came after their erasure go with MediaErased, once: a repeat finds nothing to do."""
    store = MemoryObjectStore()
    anna, eve = await anna_and_eve(database, store)
    job_id, delivery = await requested(database)
    await erasing(database, store, late_seconds=900).process(delivery)
    late = [f"uploads/{anna.announced}/original", f"uploads/{eve.announced}/photo"]
    for key in late:
        await store.put(key, b"late", "image/jpeg")
    event = media_erased(from_record(delivery.headers, delivery.value))
    for _ in range(2):
        await Edge(database, SweepErased(database, store)).process(delivered(to_record(event)))
        assert set(late) & store.keys() == {late[1]}
    assert not database.state.erased_media
    assert job_id in database.state.jobs


async def test_an_erasure_that_is_over_erases_nobody(database: MemoryDatabase) -> None:
    """Begun again after another one was asked for, it fails, and whoever the user is by then keeps what they have."""
    store = MemoryObjectStore()
    job_id, delivery = await requested(database)
    async with database.transaction() as transaction:
        await transaction.erasures.end(job_id)
    anna, _ = await anna_and_eve(database, store)
    await erasing(database, store).process(delivery)
    error = (await job(database, job_id)).error
    assert error is not None
    assert error.code == "erasure_superseded"
    assert anna.analysed in database.state.uploads


async def test_another_event_is_no_order_to_sweep(database: MemoryDatabase) -> None:
    """It becomes a dead letter, as everywhere."""
    await Edge(database, SweepErased(database, MemoryObjectStore())).process(
        delivered(to_record(erasure_requested(str(uuid4()))))
    )
    [letter] = database.state.dead_letters.values()
    assert letter.code == "malformed_event"
