"""What every adapter holds about a user and forgets of them: the same suite runs against Postgres and memory."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.errors import Conflict
from mien_core.model.keys import upload_prefix
from mien_core.model.personal_data import PERSONAL_TABLES
from mien_core.model.platform import Caller, JobKind, NewJob
from mien_core.model.privacy import Erasure, Media, Person, pseudonym
from mien_core.ports.database import Database
from tests.makers import new_upload
from tests.people import SHARED_TABLES, Life, live

ANNA = Person("acme", "anna")


async def lives(database: Database) -> tuple[Life, list[Life]]:
    """Anna, and those who are not: others of her tenant, and somebody of her name in another one."""
    store = MemoryObjectStore()
    anna = await live(database, store, *("acme", "anna"))
    return anna, [await live(database, store, *who) for who in (("acme", "eve"), ("other", "anna"))]


async def shown(database: Database, person: Person) -> dict[str, list[dict[str, Any]]]:
    """All rows of a user, read one by one."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table in PERSONAL_TABLES:
        after, found[table.name] = "", []
        while True:
            async with database.reading() as reading:
                rows = await reading.personal_data.rows(table.name, person, after, 1)
            if not rows:
                break
            found[table.name].append(json.loads(rows[0].json))
            after = rows[0].position
    return found


async def opened(database: Database, person: Person = ANNA, job_id: str | None = None) -> Erasure:
    """Begin an erasure, with its job."""
    async with database.transaction() as transaction:
        erasure = await transaction.erasures.begin(job_id or str(uuid4()), person)
        await transaction.jobs.create(NewJob(erasure.job_id, "acme", None, JobKind.ERASE_USER, None, 600))
        return erasure


async def all_media(database: Database, person: Person, late_seconds: float = 0) -> list[Media]:
    """Read page by page."""
    found: list[Media] = []
    while True:
        async with database.reading() as reading:
            after = found[-1].position if found else ""
            page = await reading.personal_data.media(person, after, 2, late_seconds)
        found += page
        if len(page) < 2:
            return found


async def test_every_row_about_a_user_is_shown_once(database: Database) -> None:
    """In pages of one; nobody else's, and nothing of a tenant's user of the same name."""
    anna, others = await lives(database)
    found = await shown(database, anna.person)
    counts = {table: len(rows) for table, rows in found.items() if rows}
    assert counts.keys() == SHARED_TABLES
    assert counts == dict.fromkeys(counts, 1) | {"uploads": 2, "jobs": 3, "job_events": 4}
    assert {row["id"] for row in found["uploads"]} == {anna.analysed, anna.announced}
    assert sorted(row["consent"] for row in found["uploads"]) == ["attested", "given"]
    assert {row["id"] for row in found["jobs"]} == set(anna.jobs)
    assert {row["job_id"] for row in found["job_events"]} == set(anna.jobs)
    assert not {"key", "value", "headers"} & found["dead_letters"][0].keys()
    text = json.dumps(found)
    assert not [mark for other in others for mark in other.marks[1:] if mark in text]


async def test_media_are_uploads_and_jobs_without_one(database: Database) -> None:
    """Each with the jobs that made objects of it, in an order that pages can go on in."""
    anna, _ = await lives(database)
    media = await all_media(database, anna.person)
    assert sorted(filter(None, (one.upload_id for one in media))) == sorted([anna.analysed, anna.announced])
    assert {job_id for one in media for job_id, _ in one.jobs} == set(anna.jobs)
    assert [one.position for one in media] == sorted({one.position for one in media})
    assert sorted(prefix for one in media for prefix in one.prefixes) == sorted(
        map(upload_prefix, (anna.analysed, anna.announced))
    )


async def test_what_a_job_made_elsewhere_lies_under_its_own_id() -> None:
    """A poster's and a try-on's pictures are found, whichever job made them."""
    made = Media("0x", "x", (("a", JobKind.ANALYSE_FACE), ("b", JobKind.ERASE_USER)), is_late=False)
    assert made.prefixes == ("uploads/x/", "tryons/b", "posters/b")


async def test_media_that_moved_a_moment_ago_are_late(database: Database) -> None:
    """Objects of them may still come for so many seconds, and after these none."""
    anna, _ = await lives(database)
    assert all(one.is_late for one in await all_media(database, anna.person, late_seconds=3600))
    assert not any(one.is_late for one in await all_media(database, anna.person, late_seconds=0))


async def test_rows_and_media_go_and_nobody_elses(database: Database) -> None:
    """In batches; what names their ids goes with them; then nothing is left, and the others have what they had."""
    anna, others = await lives(database)
    kept = [await shown(database, other.person) for other in others]
    async with database.reading() as reading:
        assert sorted(await reading.personal_data.open_jobs(anna.person, 9)) == sorted(anna.jobs[1:])
        assert len(await reading.personal_data.open_jobs(anna.person, 1)) == 1
        remaining = await reading.personal_data.remaining(anna.person)
    assert remaining.keys() == SHARED_TABLES - {"users"}
    removed: Counter[str] = Counter()
    while True:
        async with database.transaction() as transaction:
            rows = await transaction.personal_data.remove_rows(anna.person, 1)
        assert sum(rows.values()) == bool(rows)
        if not rows:
            break
        removed += Counter(rows)
    for one in await all_media(database, anna.person):
        async with database.transaction() as transaction:
            rows = await transaction.personal_data.remove_media(anna.person, [one])
        assert rows
        removed += Counter(rows)
    # the letter of no job names an upload
    assert removed == Counter(remaining) + Counter({"dead_letters": 1, "outbox": 4, "usage_jobs": 1})
    async with database.transaction() as transaction:
        assert await transaction.personal_data.remaining(anna.person) == {}
        await transaction.personal_data.remove_user(anna.person)
    assert await shown(database, anna.person) == {table.name: [] for table in PERSONAL_TABLES}
    assert [await shown(database, other.person) for other in others] == kept
    async with database.transaction() as transaction:
        letters = await transaction.dead_letters.select()
    assert len(letters) == 2 * len(others)


async def test_another_users_media_stay_though_they_are_named(database: Database) -> None:
    """Media are removed as somebody's; who isn't that one loses no photo."""
    anna, others = await lives(database)
    async with database.transaction() as transaction:
        await transaction.personal_data.remove_media(others[0].person, await all_media(database, anna.person))
    async with database.reading() as reading:
        assert await reading.uploads.get(anna.analysed) is not None
        assert await reading.jobs.get(anna.jobs[2]) is not None


async def test_an_erasure_is_opened_once(database: Database) -> None:
    """Of many at once one begins it and all are told the same; a repeat under its own id finds it, ended or not."""
    ids = [str(uuid4()) for _ in range(5)]
    begun = await asyncio.gather(*(opened(database, job_id=job_id) for job_id in ids))
    assert len({erasure.job_id for erasure in begun}) == 1
    async with database.transaction() as transaction:
        await transaction.erasures.end(begun[0].job_id)
    ended = await opened(database, job_id=begun[0].job_id)
    assert (ended.job_id, ended.person, ended.pseudonym) == (begun[0].job_id, None, ANNA.pseudonym)
    again = await opened(database)
    assert (again.job_id not in ids, again.person) == (True, ANNA)


async def test_nothing_is_written_about_who_is_being_erased(database: Database) -> None:
    """Each way of noting the user is a Conflict as long as it lasts; for others, and afterwards, it is none."""
    erasure = await opened(database)
    uploadless = NewJob(str(uuid4()), "acme", "anna", JobKind.ANALYSE_FACE, None, 600)
    for attempt in range(3):
        with pytest.raises(Conflict, match="erasure_in_progress"):
            async with database.transaction() as transaction:
                if attempt == 0:
                    await transaction.users.note("acme", "anna")
                elif attempt == 1:
                    await transaction.uploads.add(new_upload(user_id="anna"))
                else:
                    await transaction.jobs.create(uploadless)
    async with database.transaction() as transaction:
        await transaction.users.note("acme", "eve")
        await transaction.users.note("other", "anna")
        await transaction.uploads.add(new_upload())
        await transaction.erasures.end(erasure.job_id)
    async with database.transaction() as transaction:
        assert (await transaction.uploads.add(new_upload(user_id="anna"))).user_id == "anna"
        assert (await transaction.jobs.create(uploadless))[1]


async def test_what_may_come_late_is_watched_until_it_was_looked_at(database: Database) -> None:
    """Each prefix once, for the longest of their times, by erasure."""
    one, other = await opened(database), await opened(database, Person("acme", "eve"))
    async with database.transaction() as transaction:
        assert await transaction.erasures.seconds_watched(one.job_id) == 0
        await transaction.erasures.watch(one.job_id, ["uploads/b/", "uploads/a/"], 1000)
        await transaction.erasures.watch(one.job_id, ["uploads/b/"], 2000)
        await transaction.erasures.watch(other.job_id, ["uploads/c/"], 9000)
    async with database.transaction() as transaction:
        assert await transaction.erasures.watched(one.job_id, 9) == ["uploads/a/", "uploads/b/"]
        assert await transaction.erasures.watched(one.job_id, 1) == ["uploads/a/"]
        assert 1000 < await transaction.erasures.seconds_watched(one.job_id) <= 2000
        await transaction.erasures.unwatch(one.job_id, ["uploads/a/", "uploads/c/"])
    async with database.reading() as reading:
        assert await reading.erasures.watched(one.job_id, 9) == ["uploads/b/"]
        assert await reading.erasures.watched(other.job_id, 9) == ["uploads/c/"]
        assert await reading.erasures.get(str(uuid4())) is None


def test_whose_an_erasure_was_is_known_to_who_knows_the_user() -> None:
    """The user by their own id, the tenant all of its own, nobody else."""
    erasure = Erasure("job", "acme", None, pseudonym("acme", "anna"), datetime.now(UTC))
    seers = [Caller("acme", "anna"), Caller("acme", None), Caller("acme", "eve"), Caller("other", "anna")]
    assert [caller.may_see(erasure.as_seen_by(caller)) for caller in seers] == [True, True, False, False]
    assert "anna" not in erasure.pseudonym
