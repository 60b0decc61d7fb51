"""What every adapter lists and deletes by classes of data: the same suite runs against Postgres and memory."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.model.data_classes import DataClass
from mien_core.model.keys import annotated_key, mask_key, original_key, photo_key, poster_key, tryon_key
from mien_core.model.objects import StoredObject
from mien_core.model.platform import JobError, JobKind, JobStatus, NewJob
from mien_core.model.posters import Design, NewPoster
from mien_core.model.retention import ItemState, Place, RetentionRule, RunMode, RunState, Store
from mien_core.model.tryon import NewTryOnSession
from mien_core.ports.database import Database
from mien_core.rules.jobs import as_of
from mien_core.rules.retention import stopped
from mien_core.rules.tryon import LOOKS
from mien_streams.retention_runs import RetentionRuns
from tests.makers import new_job, new_upload
from tests.people import Life, live
from tests.retention import PHOTOS, asked, listed, rows_of, run_of, run_request, worked_off

DERIVED = RetentionRule(Store.S3, DataClass.DERIVED_IMAGES, timedelta())
HOUR = timedelta(hours=1)


class Everything:
    """Somebody with something of every class, all of whose work has ended."""

    def __init__(self, life: Life, session: str, tryon: str, poster: str) -> None:
        self.life, self.session, self.tryon, self.poster = life, session, tryon, poster


async def everything(database: Database, store: MemoryObjectStore, tenant: str = "acme") -> Everything:
    life = await live(database, store, tenant, "anna")
    tenant, user_id = life.person.tenant, life.person.user_id
    async with database.transaction() as transaction:
        for job_id in life.jobs[1:]:
            await transaction.jobs.change(job_id, JobStatus.COMPLETED)
        photo = await transaction.uploads.add(new_upload(tenant=tenant, user_id=user_id, purpose="tryon"))
        session, _ = await transaction.jobs.create(new_job(photo, kind=JobKind.RENDER_TRYON))
        keys = photo_key(photo.id), tryon_key(session.id)
        await transaction.tryon_sessions.add(NewTryOnSession(session.id, "visitor", keys[0], LOOKS["berry"], 3600))
        await transaction.jobs.change(session.id, JobStatus.COMPLETED)
        poster, _ = await transaction.jobs.create(
            NewJob(str(uuid4()), tenant, user_id, JobKind.RENDER_POSTER, None, 600)
        )
        design = Design("T", "A door.", "drama", "noir", "2:3", None)
        await transaction.posters.add(NewPoster(poster.id, tenant, user_id, design, b"\x00"))
        await transaction.jobs.change(poster.id, JobStatus.COMPLETED)
    for key in (*keys, poster_key(poster.id)):
        await store.put(key, b"picture", "image/png")
    return Everything(life, session.id, photo.id, poster.id)


def stored(store: MemoryObjectStore) -> frozenset[str]:
    return store.keys()


async def names(database: Database, data_class: DataClass, tenant: str = "acme") -> set[str]:
    """What is there of a class: the list of a run that only lists."""
    run_id = await asked(database, rows_of(data_class), mode=RunMode.DRY_RUN, tenants=(tenant,))
    await worked_off(RetentionRuns(database, MemoryObjectStore()))
    return {item.name for item in await listed(database, run_id)}


def of_rows(one: Everything, data_class: DataClass) -> set[str] | int:
    """Which rows a class has, by name where the test made their ids, else how many."""
    life = one.life
    known: dict[DataClass, set[str] | int] = {
        DataClass.PHOTOS: {f"uploads/{upload}" for upload in (life.analysed, life.announced, one.tryon)},
        DataClass.ANALYSES: {f"analyses/{life.analysed}", f"skin_analyses/{life.jobs[0]}"},
        DataClass.LOOKS: 2,
        DataClass.TRYON_SESSIONS: {f"tryon_sessions/{one.session}"},
        DataClass.POSTERS: {f"user_poster_history/{one.poster}"},
        DataClass.JOB_EVENTS: {f"job_events/{job}/1" for job in (*life.jobs, one.session, one.poster)},
    }
    return known.get(data_class, 1)


# Records name no tenant, and those here are not due before their time: see the next test.
@pytest.mark.parametrize("data_class", sorted(set(DataClass) - {DataClass.DERIVED_IMAGES, DataClass.OUTBOX}))
async def test_each_class_goes_by_itself(database: Database, data_class: DataClass) -> None:
    """All its rows of the tenant are listed, and gone afterwards; whatever is another tenant's stays."""
    store = MemoryObjectStore()
    one, other = await everything(database, store), await everything(database, store, "other")
    before = {each: await names(database, each, "other") for each in DataClass if each is not DataClass.DERIVED_IMAGES}
    run_id = await asked(database, rows_of(data_class), tenants=("acme",), limits=unlimited())
    await worked_off(RetentionRuns(database, store))
    run, items = await run_of(database, run_id), await listed(database, run_id)
    expected = of_rows(one, data_class)
    assert expected == (len(items) if isinstance(expected, int) else {item.name for item in items})
    assert {item.tenant for item in items} == {"acme"}
    assert {item.state for item in items} == {ItemState.DELETED}
    counts = run.totals
    assert (run.state, counts.total >= counts.listed, counts.listed) == (RunState.DONE, True, len(items))
    assert (counts.deleted, counts.held, counts.skipped) == (len(items), 0, 0)
    assert await names(database, data_class) == set()
    after = {each: await names(database, each, "other") for each in before}
    assert after == before
    assert other.life.analysed in str(after[DataClass.PHOTOS])


def unlimited() -> object:
    return replace(run_request().limits, max_percent=100)


async def test_records_that_wait_for_a_broker_go_from_their_time_on(database: Database) -> None:
    """A record that is to be published later is not old yet, however long ago it was written."""
    one = await everything(database, MemoryObjectStore())
    run_id = await asked(database, rows_of(DataClass.OUTBOX), limits=unlimited())
    await worked_off(RetentionRuns(database, MemoryObjectStore()))
    async with database.transaction() as transaction:
        left = await transaction.outbox.due(100)
    run = await run_of(database, run_id)
    # those of live(), which are for an hour from now, and none of those that its jobs left
    assert run.totals.total - run.totals.deleted == 2
    assert left == []
    assert one.life.analysed not in {row.record.key.decode() for row in left}


async def test_rows_take_their_objects_along(database: Database) -> None:
    """A photo's pictures, a session's and a poster's go before their rows; objects of others stay."""
    store = MemoryObjectStore()
    one = await everything(database, store)
    kept = await everything(database, store, "other")
    rules = [rows_of(each) for each in (DataClass.TRYON_SESSIONS, DataClass.POSTERS, DataClass.PHOTOS)]
    await asked(database, *rules, tenants=("acme",), limits=unlimited())
    await worked_off(RetentionRuns(database, store))
    assert not [key for key in stored(store) if one.life.analysed in key or one.session in key or one.poster in key]
    assert len([key for key in stored(store) if kept.life.analysed in key]) == 3
    assert {tryon_key(kept.session), poster_key(kept.poster), photo_key(kept.tryon)} < stored(store)
    async with database.reading() as reading:
        assert await reading.jobs.get(one.session) is None
        assert await reading.jobs.get(kept.session) is not None


async def test_objects_of_a_class_go_and_their_rows_stay(database: Database) -> None:
    """Photos without what was made of them, then that; whatever belongs to no row is left to whoever wrote it."""
    store = MemoryObjectStore()
    one = await everything(database, store)
    orphan = photo_key(str(uuid4()))
    for key in (orphan, "assets/1.png", f"uploads/{one.life.analysed}"):
        await store.put(key, b"x", "image/png")
    photos = await asked(database, PHOTOS, limits=unlimited())
    await worked_off(RetentionRuns(database, store))
    expected = {photo_key(one.life.analysed), original_key(one.life.announced), photo_key(one.tryon)}
    assert {item.name for item in await listed(database, photos)} == expected
    run = await run_of(database, photos)
    assert (run.totals.total, run.totals.deleted, run.totals.size) == (
        3,
        3,
        5 + len("picture") + len("RIFF original") + 3,
    )
    assert not expected & stored(store)
    derived = await asked(database, DERIVED, limits=unlimited())
    await worked_off(RetentionRuns(database, store))
    made = {annotated_key(one.life.analysed), mask_key(one.life.analysed, "radiance")}
    made |= {tryon_key(one.session), poster_key(one.poster)}
    assert {item.name for item in await listed(database, derived)} == made
    assert stored(store) == {orphan, "assets/1.png", f"uploads/{one.life.analysed}"}
    assert len(await names(database, DataClass.PHOTOS)) == 3


async def test_what_comes_after_the_question_is_not_on_the_list(database: Database) -> None:
    """The list is about what was there when it was asked for, though listing begins later."""
    store = MemoryObjectStore()
    await everything(database, store)
    run_id = await asked(database, rows_of(DataClass.PHOTOS), PHOTOS, limits=unlimited())
    late = await everything(database, store, "late")
    await worked_off(RetentionRuns(database, store))
    assert not [item for item in await listed(database, run_id) if item.tenant == "late"]
    assert photo_key(late.life.analysed) in stored(store)


@pytest.mark.parametrize(
    "rule", [rows_of(DataClass.PHOTOS, HOUR), replace(PHOTOS, ttl=HOUR), replace(PHOTOS, grace=HOUR)]
)
async def test_what_is_young_is_not_due(database: Database, rule: RetentionRule) -> None:
    """It is counted, and not listed, until ttl and grace are over."""
    store = MemoryObjectStore()
    await everything(database, store)
    run_id = await asked(database, rule)
    await worked_off(RetentionRuns(database, store))
    run = await run_of(database, run_id)
    assert (run.state, run.totals.total, run.totals.listed) == (RunState.DONE, 3, 0)


async def test_what_is_worked_on_is_left(database: Database) -> None:
    """A photo with an open job is not listed; one on which work began since then is left, with the reason."""
    store = MemoryObjectStore()
    life = await live(database, store)
    run_id = await asked(database, PHOTOS, rows_of(DataClass.PHOTOS), mode=RunMode.DRY_RUN)
    runs = RetentionRuns(database, store)
    await worked_off(runs)
    assert {item.name for item in await listed(database, run_id)} == {
        photo_key(life.analysed),
        f"uploads/{life.analysed}",
    }
    enforced = await asked(database, PHOTOS, rows_of(DataClass.PHOTOS), limits=unlimited())
    while (await run_of(database, enforced)).state is RunState.LISTING:
        await runs.advance()
    async with database.transaction() as transaction:
        upload = await transaction.uploads.get(life.analysed)
        assert upload is not None
        await transaction.jobs.create(new_job(upload, kind=JobKind.RECOMMEND_LOOKS))
    await worked_off(runs)
    told = {(item.state, item.reason) for item in await listed(database, enforced)}
    assert told == {(ItemState.SKIPPED, "not_due")}
    assert photo_key(life.analysed) in stored(store)


async def test_what_is_gone_meanwhile_is_said_to_be(database: Database) -> None:
    """Between list and deletion the user erased themselves: skipped, and not counted as deleted by the run."""
    store = MemoryObjectStore()
    one = await everything(database, store)
    run_id = await asked(database, rows_of(DataClass.JOURNAL), PHOTOS, limits=unlimited())
    runs = RetentionRuns(database, store)
    while (await run_of(database, run_id)).state is RunState.LISTING:
        await runs.advance()
    async with database.transaction() as transaction:
        while await transaction.personal_data.remove_rows(one.life.person, 100):
            pass
        media = await transaction.personal_data.media(one.life.person, "", 100)
        await transaction.personal_data.remove_media(one.life.person, media)
    await worked_off(runs)
    run = await run_of(database, run_id)
    assert (run.totals.listed, run.totals.deleted, run.totals.skipped) == (4, 0, 4)
    assert {item.reason for item in await listed(database, run_id)} == {"gone"}


async def test_a_job_whose_first_steps_are_forgotten_goes_on(database: Database) -> None:
    """Its last step stays, so that it is what it was; what comes next has the number after that one's."""
    async with database.transaction() as transaction:
        upload = await transaction.uploads.add(new_upload())
        job, _ = await transaction.jobs.create(new_job(upload))
        await transaction.jobs.change(job.id, JobStatus.PROCESSING)
        await transaction.jobs.change(job.id, JobStatus.FAILED, error=JobError("no_face", "There is no face."))
    await asked(database, rows_of(DataClass.JOB_EVENTS), limits=unlimited())
    await worked_off(RetentionRuns(database, MemoryObjectStore()))
    async with database.transaction() as transaction:
        [left] = await transaction.jobs.histories([job.id])
        await transaction.jobs.reopen(job.id, 600)
        [on] = await transaction.jobs.histories([job.id])
    assert ([(step.seq, step.status) for step in left.steps], left.seq) == ([(3, JobStatus.FAILED)], 3)
    assert [(step.seq, step.status) for step in on.steps] == [(3, JobStatus.FAILED), (4, JobStatus.CREATED)]
    assert (as_of(on, 3).job.status, as_of(on, 1), as_of(on, 4)) == (JobStatus.FAILED, on, on)


async def test_a_run_is_asked_for_once(database: Database) -> None:
    """A second time it is the run that it was, whatever has become of it, and whatever is asked for by its id then."""
    request = run_request(rows_of(DataClass.LOOKS), mode=RunMode.DRY_RUN, tenants=("acme",))
    async with database.transaction() as transaction:
        first = await transaction.retention_runs.add(request)
    assert (first.request, first.state, first.place) == (request, RunState.LISTING, Place())
    await worked_off(RetentionRuns(database, MemoryObjectStore()))
    async with database.transaction() as transaction:
        again = await transaction.retention_runs.add(replace(request, mode=RunMode.ENFORCE))
    assert again == await run_of(database, request.id)
    assert (again.state, again.request, again.as_of) == (RunState.DONE, request, first.as_of)


async def test_the_oldest_run_comes_first_and_a_policys_newest(database: Database) -> None:
    """Runs wait for each other; of a policy one reads its runs backwards, in pages."""
    policy = str(uuid4())
    ids = [await asked(database, policy_id=policy) for _ in range(3)]
    await asked(database)
    async with database.reading() as reading:
        found = await reading.retention_runs.next()
        newest = await reading.retention_runs.of_policy(policy, None, 2)
        rest = await reading.retention_runs.of_policy(policy, newest[-1].as_of, 2)
        assert await reading.retention_runs.get(str(uuid4())) is None
        assert await reading.retention_runs.get("no-id") is None
    assert found is not None
    assert (found.id, [run.id for run in (*newest, *rest)]) == (ids[0], ids[::-1])


async def test_lists_are_forgotten_long_after_their_runs(database: Database) -> None:
    """The counts stay; a list of a run that has not ended, or has a moment ago, stays as well."""
    await everything(database, MemoryObjectStore())
    done = await asked(database, rows_of(DataClass.PHOTOS), mode=RunMode.DRY_RUN)
    await worked_off(RetentionRuns(database, MemoryObjectStore()))
    soon = datetime.now(UTC) + HOUR
    async with database.transaction() as transaction:
        assert await transaction.retention_runs.forget(soon - 2 * HOUR, 100) == 0
        assert await transaction.retention_runs.forget(soon, 2) == 2
        assert await transaction.retention_runs.forget(soon, 100) == 1
    assert await listed(database, done) == []
    assert (await run_of(database, done)).totals.listed == 3


async def test_proposals_that_nobody_may_approve_any_more_are_found(database: Database) -> None:
    """And no others: neither those that can be, nor those that were stopped."""
    await everything(database, MemoryObjectStore())
    rule = rows_of(DataClass.PHOTOS)
    over = await asked(database, rule, mode=RunMode.REQUIRE_APPROVAL, proposal_ttl=timedelta())
    await asked(database, rule, mode=RunMode.REQUIRE_APPROVAL)
    gone = await asked(database, rule, mode=RunMode.REQUIRE_APPROVAL, proposal_ttl=timedelta())
    await worked_off(RetentionRuns(database, MemoryObjectStore()))
    async with database.transaction() as transaction:
        run = await transaction.retention_runs.lock(gone)
        assert run is not None
        await transaction.retention_runs.save(stopped(run, "asked", await transaction.now()))
    async with database.reading() as reading:
        assert await reading.retention_runs.expired(10) == [over]


async def test_items_are_as_their_objects_were(database: Database) -> None:
    """Size and tenant are noted; an object that comes twice to the list's door is on it once."""
    store = MemoryObjectStore()
    one = await everything(database, store)
    run_id = await asked(database, PHOTOS)
    async with database.transaction() as transaction:
        run = await transaction.retention_runs.lock(run_id)
        assert run is not None
        counts = await transaction.retention_runs.list_objects(run, [StoredObject(photo_key(one.tryon), 7)], 10)
        none = await transaction.retention_runs.list_objects(run, [], 10)
    assert (counts.total, counts.listed, counts.size, none.total) == (1, 1, 7, 0)
    [item] = await listed(database, run_id)
    assert (item.name, item.size, item.tenant, item.state) == (photo_key(one.tryon), 7, "acme", ItemState.LISTED)
