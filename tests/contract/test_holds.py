"""What legal holds promise of every adapter: the same suite runs against Postgres and memory."""

from collections.abc import Awaitable, Callable
from datetime import date
from uuid import uuid4

import pytest

from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.errors import Conflict
from mien_core.model.cycle import DiaryMetrics, JournalContent, NewJournalEntry, NewPeriod, NewSkinScan
from mien_core.model.data_classes import DataClass
from mien_core.model.holds import NewLegalHold
from mien_core.model.platform import Caller
from mien_core.model.privacy import Person
from mien_core.ports.database import Database, Transaction
from tests.makers import new_dead_letter, new_upload
from tests.people import live

ANNA = Person("acme", "anna")
EVE = Person("acme", "eve")
TODAY = date(2026, 11, 21)
METRICS = DiaryMetrics(radiance=1.0, moisture=None, texture=None, pores=None, dark_circles=None)


def new_hold(person: Person | None = ANNA, *classes: DataClass, **fields: object) -> NewLegalHold:
    """A hold on a user, or on the tenant acme."""
    values = {
        "id": str(uuid4()),
        "name": "case-7",
        "tenant": person.tenant if person else "acme",
        "user_id": person.user_id if person else None,
        "data_classes": frozenset(classes) or None,
        "reason": "A lawsuit.",
        "case_reference": "7/26",
        **fields,
    }
    return NewLegalHold(**values)  # type: ignore[arg-type]  # what a test says of it


async def placed(database: Database, hold: NewLegalHold) -> NewLegalHold:
    async with database.transaction() as transaction:
        await transaction.holds.place(hold)
    return hold


async def lifted(database: Database, hold: NewLegalHold) -> None:
    async with database.transaction() as transaction:
        assert await transaction.holds.release(hold.id) is not None


async def test_a_hold_is_read_as_it_was_written(database: Database) -> None:
    """All that was said of it, and since when it holds; what nobody wrote isn't there."""
    hold = new_hold(ANNA, DataClass.PHOTOS, DataClass.JOURNAL)
    async with database.transaction() as transaction:
        written = await transaction.holds.place(hold)
        now = await transaction.now()
    async with database.reading() as reading:
        assert await reading.holds.get(hold.id) == written
        assert await reading.holds.standing("", 9) == [written]
        assert await reading.holds.standing(hold.id, 9) == []
        assert await reading.holds.get(str(uuid4())) is None
    assert written.data_classes == frozenset({DataClass.PHOTOS, DataClass.JOURNAL})
    assert (written.user_id, written.pseudonym, written.released_at) == ("anna", ANNA.pseudonym, None)
    assert written.created_at <= now


async def test_written_again_it_holds_since_it_was_first_written(database: Database) -> None:
    """Whoever repeats themselves changes nothing, save what people say about it."""
    hold = await placed(database, new_hold())
    async with database.reading() as reading:
        first = await reading.holds.get(hold.id)
    again = new_hold(id=hold.id, reason="Another word for it.", name="renamed", case_reference=None)
    await placed(database, again)
    async with database.reading() as reading:
        known = await reading.holds.get(hold.id)
    assert first is not None
    assert known is not None
    assert (known.created_at, known.reason, known.name) == (first.created_at, "Another word for it.", "renamed")


@pytest.mark.parametrize("other", [new_hold(EVE), new_hold(None), new_hold(ANNA, DataClass.LOOKS)])
async def test_what_a_hold_covers_never_changes(database: Database, other: NewLegalHold) -> None:
    """One that became smaller would release something in passing."""
    hold = await placed(database, new_hold(ANNA, DataClass.PHOTOS))
    with pytest.raises(Conflict, match="hold_differs"):
        await placed(database, NewLegalHold(hold.id, *(getattr(other, name) for name in NewLegalHold.__slots__[1:])))


async def test_a_lifted_hold_keeps_nothing_and_names_nobody(database: Database) -> None:
    """Lifted twice it is lifted once; written again it is refused, for there may be gaps in what it kept."""
    hold = await placed(database, new_hold())
    await lifted(database, hold)
    async with database.transaction() as transaction:
        released = await transaction.holds.get(hold.id)
        assert await transaction.holds.release(hold.id) == released
        assert await transaction.holds.release(str(uuid4())) is None
        assert not await transaction.holds.held(ANNA)
        assert await transaction.holds.standing("", 9) == []
    assert released is not None
    assert released.released_at is not None
    assert (released.user_id, released.pseudonym) == (None, ANNA.pseudonym)
    with pytest.raises(Conflict, match="hold_released"):
        await placed(database, hold)


async def test_a_hold_covers_whom_it_names_and_what_it_names(database: Database) -> None:
    """A user's own covers nobody else; a tenant's covers all of its users; a class's covers no other class."""
    hold = await placed(database, new_hold(ANNA, DataClass.PHOTOS))
    async with database.reading() as reading:
        held = reading.holds.held
        assert await held(ANNA)
        assert await held(ANNA, DataClass.PHOTOS, DataClass.LOOKS)
        assert not await held(ANNA, DataClass.LOOKS)
        assert not await held(EVE)
        assert not await held(Person("other", "anna"))
    await lifted(database, hold)
    await placed(database, new_hold(None, DataClass.JOURNAL))
    async with database.reading() as reading:
        assert await reading.holds.held(ANNA, DataClass.JOURNAL)
        assert await reading.holds.held(EVE)
        assert not await reading.holds.held(Person("other", "eve"))


Doing = Callable[[Transaction], Awaitable[object]]


async def refused(database: Database, doing: Doing) -> None:
    """It is said to be under a hold, and nothing has changed."""
    with pytest.raises(Conflict, match="legal_hold"):
        async with database.transaction() as transaction:
            await doing(transaction)


async def done(database: Database, doing: Doing) -> object:
    async with database.transaction() as transaction:
        return await doing(transaction)


async def test_what_users_delete_or_write_over_is_kept(database: Database) -> None:
    """A journal's entry, a day, a scan: as long as they are held, and by a hold on their own class alone."""
    caller, entry, scan = Caller("acme", "anna"), str(uuid4()), str(uuid4())
    content = JournalContent(TODAY, "calm", 70.0, "As it was.", (), 3)
    day = NewPeriod(
        id=str(uuid4()), tenant="acme", user_id="anna", date=TODAY, cycle_length=None, flow="light", symptoms=()
    )
    other_day = NewPeriod(
        id=str(uuid4()), tenant="acme", user_id="anna", date=TODAY, cycle_length=None, flow="heavy", symptoms=()
    )
    async with database.transaction() as transaction:
        await transaction.journal.add(NewJournalEntry(entry, "acme", "anna", content))
        await transaction.periods.log(day)
        await transaction.skin_scans.add(NewSkinScan(scan, "acme", "anna", TODAY, METRICS, None))
    rewritten = JournalContent(TODAY, "calm", 70.0, "As it never was.", (), 3)
    changes: list[tuple[DataClass, Doing]] = [
        (DataClass.JOURNAL, lambda transaction: transaction.journal.rewrite(caller, entry, rewritten, None)),
        (DataClass.JOURNAL, lambda transaction: transaction.journal.remove(caller, entry, None)),
        (DataClass.PERIODS, lambda transaction: transaction.periods.log(other_day)),
        (DataClass.PERIODS, lambda transaction: transaction.periods.remove(caller, day.id)),
        (DataClass.SKIN_SCANS, lambda transaction: transaction.skin_scans.remove(caller, scan)),
    ]
    for data_class, doing in changes:
        hold = await placed(database, new_hold(ANNA, data_class))
        await refused(database, doing)
        await lifted(database, hold)
    elsewhere = await placed(database, new_hold(ANNA, DataClass.PHOTOS))
    # what changes nothing is no change
    await done(database, lambda transaction: transaction.journal.add(NewJournalEntry(entry, "acme", "anna", content)))
    await done(database, lambda transaction: transaction.periods.log(day))
    for _, doing in changes:
        assert await done(database, doing)
    await lifted(database, elsewhere)


async def test_dead_letters_are_kept(database: Database) -> None:
    """Those of a held user's jobs, and those of no job that name what is the user's; others go."""
    anna = await live(database, MemoryObjectStore(), "acme", "anna")
    await live(database, MemoryObjectStore(), "acme", "eve")
    async with database.transaction() as transaction:
        await transaction.dead_letters.add(new_dead_letter(offset=1, value=b"malformed"))
        letters = await transaction.dead_letters.select()
    await placed(database, new_hold(ANNA, DataClass.DEAD_LETTERS))
    for letter in letters:
        if letter.job_id in anna.jobs or anna.announced.encode() in letter.value:
            await refused(database, lambda transaction, of=letter.id: transaction.dead_letters.remove(of))  # type: ignore[misc]
        else:
            await done(database, lambda transaction, of=letter.id: transaction.dead_letters.remove(of))  # type: ignore[misc]
    async with database.reading() as reading:
        assert await reading.dead_letters.count() == 2


@pytest.mark.parametrize("data_class", [None, DataClass.DERIVED_IMAGES, DataClass.JOB_EVENTS])
async def test_an_erasure_takes_nothing_that_is_held(database: Database, data_class: DataClass | None) -> None:
    """Neither rows, nor uploads with all that hangs on them, nor the user, whatever asks for it."""
    anna = await live(database, MemoryObjectStore(), "acme", "anna")
    eve = await live(database, MemoryObjectStore(), "acme", "eve")
    await placed(database, new_hold(ANNA, *([data_class] if data_class else [])))
    async with database.reading() as reading:
        before = await reading.personal_data.remaining(ANNA)
        media = await reading.personal_data.media(ANNA, "", 9)
        others = await reading.personal_data.media(eve.person, "", 9)
    await refused(database, lambda transaction: transaction.personal_data.remove_media(ANNA, media))
    if data_class is None:
        await refused(database, lambda transaction: transaction.personal_data.remove_rows(ANNA, 9))
    assert await done(database, lambda transaction: transaction.personal_data.remove_media(eve.person, others))
    async with database.reading() as reading:
        assert await reading.personal_data.remaining(anna.person) == before


async def test_what_has_expired_is_passed_by_while_it_is_held(database: Database) -> None:
    """It is in no sweep's list, and goes with the first one after the hold was lifted."""
    held, free = (new_upload(purpose="tryon", user_id=user, expires_in_seconds=-9999) for user in ("anna", "eve"))
    async with database.transaction() as transaction:
        for upload in (held, free):
            await transaction.uploads.add(upload)
    hold = await placed(database, new_hold(ANNA, DataClass.PHOTOS))
    async with database.transaction() as transaction:
        await transaction.holds.guard()
        assert [photo.upload_id for photo in await transaction.expiry.due(9)] == [free.id]
        assert await transaction.expiry.remove([held.id, free.id]) == [free.id]
    await lifted(database, hold)
    async with database.transaction() as transaction:
        assert await transaction.expiry.remove([held.id]) == [held.id]
