"""What every adapter keeps of diaries and looks: the same suite runs against Postgres and memory."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from mien_core.model import looks
from mien_core.model.cycle import (
    EVERY_DAY,
    Days,
    DiaryMetrics,
    DiaryPosition,
    JournalContent,
    JournalEntry,
    NewJournalEntry,
    NewPeriod,
    NewSkinScan,
    Period,
    SkinScan,
    position_of,
)
from mien_core.model.looks import NewLook, Preset, Product, Shade
from mien_core.model.platform import Caller
from mien_core.ports.database import Database, Transaction
from mien_core.rules.cycle.days import LOOK_BACK
from tests.makers import new_upload

TODAY = date(2026, 11, 20)
ANNA, TENANT, STRANGER = Caller("acme", "anna"), Caller("acme", None), Caller("other", "anna")
UNKNOWN = ["6f9619ff-8b86-d011-b42d-00cf4fc964ff", "not-an-id", ""]


def said(day: date = TODAY, **fields: Any) -> JournalContent:
    """What somebody says of a day."""
    defaults: dict[str, Any] = {"mood": None, "energy": None, "text": "", "tags": (), "cycle_day": None}
    return JournalContent(date=day, **{**defaults, **fields})


async def written(database: Database, content: JournalContent, user_id: str = "anna") -> JournalEntry:
    async with database.transaction() as transaction:
        return await transaction.journal.add(NewJournalEntry(str(uuid4()), "acme", user_id, content))


async def bled(database: Database, day: date, user_id: str = "anna", **fields: Any) -> tuple[Period, bool]:
    defaults: dict[str, Any] = {"cycle_length": None, "flow": None, "symptoms": ()}
    async with database.transaction() as transaction:
        new = NewPeriod(id=str(uuid4()), tenant="acme", user_id=user_id, date=day, **{**defaults, **fields})
        return await transaction.periods.log(new)


async def scanned(database: Database, day: date, user_id: str = "anna") -> SkinScan:
    metrics = DiaryMetrics(radiance=62.5, moisture=None, texture=0.0, pores=100.0, dark_circles=1 / 3)
    async with database.transaction() as transaction:
        return await transaction.skin_scans.add(NewSkinScan(str(uuid4()), "acme", user_id, day, metrics, None))


async def test_a_journal_entry_comes_back_as_it_was_written(database: Database) -> None:
    """Every field survives, also marks that turn the direction of writing; the first version is 1."""
    content = said(
        mood="\u200f\u05d0\u05d1", energy=70.25, text="100 % \\ 'done';\n--\u202e", tags=("b", "a", "b c"), cycle_day=3
    )
    entry = await written(database, content)
    async with database.reading() as reading:
        assert await reading.journal.get(entry.id) == entry
    assert (entry.tenant, entry.user_id, entry.content, entry.version) == ("acme", "anna", content, 1)
    assert entry.created_at == entry.updated_at


async def test_what_was_saved_before_is_what_it_is(database: Database) -> None:
    """Another attempt with the same id gets the entry, line or look as it is by now, and adds none."""
    entry, scan = await written(database, said(text="First.")), await scanned(database, TODAY)
    saved = NewLook(str(uuid4()), "acme", "anna", None, "Soft evening", (), ())
    async with database.transaction() as transaction:
        rewritten = await transaction.journal.rewrite(ANNA, entry.id, said(text="Second."), None)
        kept = await transaction.looks.add(saved)
    async with database.transaction() as transaction:
        again = NewJournalEntry(entry.id, entry.tenant, entry.user_id, entry.content)
        assert await transaction.journal.add(again) == rewritten
        line = NewSkinScan(scan.id, scan.tenant, scan.user_id, scan.date, scan.metrics, scan.cycle_day)
        assert await transaction.skin_scans.add(line) == scan
        assert await transaction.looks.add(saved) == kept
    async with database.reading() as reading:
        of_anna: dict[str, Any] = {"days": EVERY_DAY, "after": None, "limit": 9}
        assert await reading.journal.of_user("acme", "anna", tag=None, **of_anna) == [rewritten]
        assert await reading.skin_scans.of_user("acme", "anna", **of_anna) == [scan]
        assert await reading.looks.of_user("acme", "anna", after=None, limit=9) == [kept]


async def test_writing_anew_replaces_all_and_counts(database: Database) -> None:
    """The new content stands alone, the version is one more, the entry keeps its place and its maker."""
    entry = await written(database, said(mood="tired", energy=10, tags=("x",)))
    async with database.transaction() as transaction:
        new = await transaction.journal.rewrite(ANNA, entry.id, said(TODAY - timedelta(1), text="Better."), None)
    assert new is not None
    assert (new.content, new.version) == (said(TODAY - timedelta(1), text="Better."), 2)
    assert (new.id, new.user_id, new.created_at) == (entry.id, entry.user_id, entry.created_at)
    assert new.updated_at >= entry.updated_at
    async with database.reading() as reading:
        assert await reading.journal.get(entry.id) == new


@pytest.mark.parametrize(
    ("caller", "versions", "allowed"),
    [
        (ANNA, None, True),
        (ANNA, {1}, True),
        (TENANT, {7, 1}, True),
        (ANNA, {2}, False),
        (ANNA, set(), False),
        (STRANGER, None, False),
        (Caller("acme", "berta"), {1}, False),
        (Caller("other", None), {1}, False),
    ],
)
async def test_only_a_named_version_of_ones_own_is_written_over(
    database: Database, caller: Caller, versions: set[int] | None, *, allowed: bool
) -> None:
    """Another version, another user's and another tenant's entry are neither rewritten nor deleted."""
    entry = await written(database, said())
    async with database.transaction() as transaction:
        new = await transaction.journal.rewrite(caller, entry.id, said(text="mine"), versions)
        assert (new is not None) == allowed
        if not allowed:
            assert await transaction.journal.get(entry.id) == entry
            assert not await transaction.journal.remove(caller, entry.id, versions)
            assert await transaction.journal.get(entry.id) == entry
    async with database.transaction() as transaction:
        current = None if versions is None else {2}
        assert await transaction.journal.remove(caller, entry.id, current) == allowed
        assert (await transaction.journal.get(entry.id) is None) == allowed


async def test_of_many_who_write_over_one_version_one_wins(database: Database) -> None:
    """Twenty at once that name the same version: one is saved, and it is what stands there."""
    entry = await written(database, said())

    async def rewrite(number: int) -> JournalEntry | None:
        async with database.transaction() as transaction:
            return await transaction.journal.rewrite(ANNA, entry.id, said(text=str(number)), {1})

    results = await asyncio.gather(*(rewrite(number) for number in range(20)))
    [winner] = [result for result in results if result is not None]
    async with database.reading() as reading:
        assert await reading.journal.get(entry.id) == winner
    assert winner.version == 2


async def test_writing_and_deleting_one_version_at_once_do_not_both_succeed(database: Database) -> None:
    """Either the new words stand there, or nothing does and nobody was told that theirs would."""
    for _ in range(5):
        entry = await written(database, said())

        async def rewrite(entry_id: str = entry.id) -> bool:
            async with database.transaction() as transaction:
                return await transaction.journal.rewrite(ANNA, entry_id, said(text="new"), {1}) is not None

        async def remove(entry_id: str = entry.id) -> bool:
            async with database.transaction() as transaction:
                return await transaction.journal.remove(ANNA, entry_id, {1})

        was_rewritten, was_removed = await asyncio.gather(rewrite(), remove())
        assert was_rewritten != was_removed
        async with database.reading() as reading:
            assert (await reading.journal.get(entry.id) is not None) == was_rewritten


@pytest.mark.parametrize("unknown", UNKNOWN)
async def test_unknown_ids_find_and_change_nothing(database: Database, unknown: str) -> None:
    """Also those that can't be ids."""
    async with database.transaction() as transaction:
        assert await transaction.journal.get(unknown) is None
        assert await transaction.journal.rewrite(TENANT, unknown, said(), None) is None
        assert not await transaction.journal.remove(TENANT, unknown, None)
        assert not await transaction.periods.remove(TENANT, unknown)
        assert not await transaction.skin_scans.remove(TENANT, unknown)
        assert await transaction.skin_scans.get(unknown) is None
        assert await transaction.photo_days.of_upload(unknown) is None


async def test_a_day_is_logged_once(database: Database) -> None:
    """A second log of a day replaces what the first said and keeps its id; another user's day is another's."""
    first, first_is_new = await bled(database, TODAY, cycle_length=29, flow="light", symptoms=("cramps",))
    second, second_is_new = await bled(database, TODAY, flow="heavy")
    _, others_is_new = await bled(database, TODAY, "berta")
    assert (first_is_new, second_is_new, others_is_new) == (True, False, True)
    assert (second.id, second.created_at) == (first.id, first.created_at)
    assert (first.cycle_length, first.flow, first.symptoms) == (29, "light", ("cramps",))
    assert (second.cycle_length, second.flow, second.symptoms) == (None, "heavy", ())
    async with database.reading() as reading:
        assert await reading.periods.of_user("acme", "anna", days=EVERY_DAY, after=None, limit=9) == [second]


async def test_twenty_who_log_a_day_at_once_make_one_row(database: Database) -> None:
    """One of them is told that it is new; all are told the same id."""
    results = await asyncio.gather(*(bled(database, TODAY) for _ in range(20)))
    assert len({period.id for period, _ in results}) == 1
    assert sum(is_new for _, is_new in results) == 1


async def test_logged_days_are_told_within_bounds(database: Database) -> None:
    """Oldest first, both ends included, nobody else's."""
    for day in (3, 1, 2, 9):
        await bled(database, date(2026, 11, day))
    await bled(database, date(2026, 11, 4), "berta")
    async with database.reading() as reading:
        days = await reading.periods.days("acme", "anna", Days(date(2026, 11, 2), date(2026, 11, 9)))
        every = await reading.periods.days("acme", "anna", EVERY_DAY)
        assert await reading.periods.days("other", "anna", EVERY_DAY) == []
    assert days == [date(2026, 11, day) for day in (2, 3, 9)]
    assert every == [date(2026, 11, day) for day in (1, 2, 3, 9)]


async def test_days_are_the_logs_whatever_was_read_before(database: Database) -> None:
    """Asked for after an entry or a line, they are what the log has by then, also within a unit of work."""
    start = TODAY - LOOK_BACK
    for day in (start, TODAY, TODAY + timedelta(days=1), start - timedelta(days=1)):
        await bled(database, day)
    await bled(database, TODAY - timedelta(days=1), "bea")
    entry, scan = await written(database, said()), await scanned(database, TODAY)
    days = Days(start, TODAY)
    async with database.reading() as reading:
        assert await reading.journal.get(entry.id) == entry
        assert await reading.periods.days("acme", "anna", days) == [start, TODAY]
        assert await reading.periods.days("acme", "bea", days) == [TODAY - timedelta(days=1)]
        assert await reading.periods.days("other", "anna", days) == []
        assert await reading.periods.days("acme", "anna", Days(None, start)) == [start - timedelta(days=1), start]
    additions: list[Callable[[Transaction], Awaitable[Any]]] = [
        lambda diaries: diaries.journal.add(NewJournalEntry(str(uuid4()), "acme", "anna", said())),
        lambda diaries: diaries.skin_scans.add(NewSkinScan(str(uuid4()), "acme", "anna", TODAY, scan.metrics, None)),
        lambda diaries: diaries.journal.rewrite(ANNA, entry.id, said(), None),
    ]
    for add in additions:
        between = NewPeriod(str(uuid4()), "acme", "anna", TODAY - timedelta(days=3), None, None, ())
        async with database.transaction() as transaction:
            await add(transaction)
            assert await transaction.periods.days("acme", "anna", days) == [start, TODAY]
            await transaction.periods.log(between)
            assert await transaction.periods.days("acme", "anna", days) == [start, between.date, TODAY]
            await add(transaction)
            assert await transaction.periods.days("acme", "anna", days) == [start, between.date, TODAY]
            assert await transaction.periods.remove(ANNA, between.id)
            assert await transaction.periods.days("acme", "anna", days) == [start, TODAY]


async def test_only_ones_own_days_and_scans_are_deleted(database: Database) -> None:
    """Another tenant's and another user's stay."""
    period, _ = await bled(database, TODAY)
    scan = await scanned(database, TODAY)
    for caller, allowed in ((STRANGER, False), (Caller("acme", "berta"), False), (ANNA, True), (ANNA, False)):
        async with database.transaction() as transaction:
            assert await transaction.periods.remove(caller, period.id) == allowed
            assert await transaction.skin_scans.remove(caller, scan.id) == allowed


async def test_a_scan_comes_back_as_it_was_added(database: Database) -> None:
    """Every digit survives, and so does what isn't known."""
    scan = await scanned(database, TODAY)
    async with database.reading() as reading:
        assert await reading.skin_scans.of_user("acme", "anna", days=EVERY_DAY, after=None, limit=9) == [scan]
        assert await reading.skin_scans.get(scan.id) == scan
    assert scan.metrics == DiaryMetrics(62.5, None, 0.0, 100.0, 1 / 3)


async def test_a_photo_is_for_the_day_that_was_saved_first(database: Database) -> None:
    """Whoever asks again with another day changes nothing; another photo's day is its own."""
    async with database.transaction() as transaction:
        first, second = [await transaction.uploads.add(new_upload(purpose="cycle")) for _ in range(2)]
        await transaction.photo_days.add(first.id, TODAY)
        await transaction.photo_days.add(first.id, TODAY - timedelta(days=1))
    async with database.transaction() as transaction:
        await transaction.photo_days.add(first.id, TODAY - timedelta(days=2))
    async with database.reading() as reading:
        assert await reading.photo_days.of_upload(first.id) == TODAY
        assert await reading.photo_days.of_upload(second.id) is None


Lister = Callable[[Database, Days, DiaryPosition | None, int], Any]


async def _journal(database: Database, days: Days, after: DiaryPosition | None, limit: int) -> list[JournalEntry]:
    async with database.reading() as reading:
        return await reading.journal.of_user("acme", "anna", days=days, tag=None, after=after, limit=limit)


async def _periods(database: Database, days: Days, after: DiaryPosition | None, limit: int) -> list[Period]:
    async with database.reading() as reading:
        return await reading.periods.of_user("acme", "anna", days=days, after=after, limit=limit)


async def _scans(database: Database, days: Days, after: DiaryPosition | None, limit: int) -> list[SkinScan]:
    async with database.reading() as reading:
        return await reading.skin_scans.of_user("acme", "anna", days=days, after=after, limit=limit)


@pytest.mark.parametrize("listing", [_journal, _periods, _scans])
async def test_lists_by_day_are_newest_first_and_go_on_anywhere(database: Database, listing: Lister) -> None:
    """Pages of any size, laid together, are the whole list; within bounds of days, and without anybody else's."""
    days = [TODAY - timedelta(days=number) for number in (3, 0, 7, 1, 2)]
    for day in [*days, TODAY, TODAY]:
        for user_id in ("anna", "berta"):
            if listing is _journal:
                await written(database, said(day), user_id)
            elif listing is _scans:
                await scanned(database, day, user_id)
            else:
                await bled(database, day, user_id)
    whole = await listing(database, EVERY_DAY, None, 100)
    assert len(whole) == (5 if listing is _periods else 7)
    assert {one.user_id for one in whole} == {"anna"}
    assert [position_of(one) for one in whole] == sorted((position_of(one) for one in whole), reverse=True)
    for size in (1, 2, 3):
        paged: list[Any] = []
        for _ in whole:
            page = await listing(database, EVERY_DAY, position_of(paged[-1]) if paged else None, size)
            assert len(page) <= size
            paged += page
        assert paged == whole
    within = Days(TODAY - timedelta(days=3), TODAY - timedelta(days=1))
    assert {one.date for one in await listing(database, within, None, 100)} == set(days) & {
        TODAY - timedelta(days=number) for number in (1, 2, 3)
    }
    assert await listing(database, Days(TODAY, TODAY - timedelta(days=1)), None, 100) == []


async def test_the_journal_is_filtered_by_tag(database: Database) -> None:
    """A whole tag in its own case, not a part of one; the other entries are left out before pages are cut."""
    for number, tags in enumerate([("sleep", "work"), ("Sleep",), (), ("sleepless",), ("sleep",)]):
        await written(database, said(TODAY - timedelta(days=number), tags=tags))
    async with database.reading() as reading:
        found = await reading.journal.of_user("acme", "anna", days=EVERY_DAY, tag="sleep", after=None, limit=2)
        none = await reading.journal.of_user("acme", "anna", days=EVERY_DAY, tag="{sleep}", after=None, limit=2)
    assert [one.date for one in found] == [TODAY, TODAY - timedelta(days=4)]
    assert none == []


async def test_looks_come_back_as_they_were_saved_newest_first(database: Database) -> None:
    """Presets and products survive; pages laid together are the user's whole list, in a tenant's own."""
    preset = Preset(category="lipstick", color="#A4414b", finish="satin", intensity=0.7, asset_id=None)
    shade = Shade(name="Rosewood ✓", hex="#A4414B")
    product = Product(product_id="lip-017", name="It's", shade=shade, url="https://a.test/?b=1", reason="\u200f\u05db")
    saved = []
    for number, (tenant, user_id) in enumerate([("acme", "anna")] * 3 + [("acme", "berta"), ("other", "anna")]):
        upload_id = str(uuid4()) if number else None
        new = NewLook(str(uuid4()), tenant, user_id, upload_id, f"look {number}", (preset,) * number, (product,))
        async with database.transaction() as transaction:
            saved.append(await transaction.looks.add(new))
    async with database.reading() as reading:
        whole = await reading.looks.of_user("acme", "anna", after=None, limit=10)
        paged = await reading.looks.of_user("acme", "anna", after=None, limit=2)
        paged += await reading.looks.of_user("acme", "anna", after=looks.position_of(paged[-1]), limit=2)
    assert whole == paged == sorted(saved[:3], key=looks.position_of, reverse=True)
    assert {look.presets for look in whole} == {(), (preset,), (preset, preset)}
    assert {look.products for look in whole} == {(product,)}
