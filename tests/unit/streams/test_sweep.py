"""One sweep over photos whose time is over, on memory adapters."""

import logging

import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.errors import Unavailable
from mien_core.model.keys import original_key, photo_key, tryon_key
from mien_core.model.platform import JobKind
from mien_streams import sweep as module
from mien_streams.sweep import sweep
from tests.makers import new_job, new_upload

LONG_AGO = -48 * 3600


async def go_on() -> bool:
    return True


async def session(database: MemoryDatabase, store: MemoryObjectStore, keep_seconds: int) -> tuple[str, str]:
    """A session with its photo and its picture; the upload's id and the job's."""
    async with database.transaction() as transaction:
        upload = await transaction.uploads.add(new_upload(purpose="tryon", expires_in_seconds=keep_seconds))
        job, _ = await transaction.jobs.create(new_job(upload, kind=JobKind.RENDER_TRYON))
        await transaction.uploads.mark_received(upload.id, keep_seconds)
    await store.put(photo_key(upload.id), b"photo", "image/jpeg")
    await store.put(tryon_key(job.id), b"picture", "image/webp")
    return upload.id, job.id


async def unfinished(database: MemoryDatabase, store: MemoryObjectStore, seconds: int) -> str:
    """A photo that was announced and sent, and that nobody asked for; its id."""
    async with database.transaction() as transaction:
        upload = await transaction.uploads.add(new_upload(expires_in_seconds=seconds))
    await store.put(original_key(upload.id), b"original", "image/jpeg")
    return upload.id


async def test_what_is_over_goes_and_all_else_stays(caplog: pytest.LogCaptureFixture) -> None:
    """Photos, pictures, originals and rows of what has expired; nothing of what hasn't; the log names what went."""
    database, store = MemoryDatabase(), MemoryObjectStore()
    over, over_job = await session(database, store, LONG_AGO)
    left = await unfinished(database, store, LONG_AGO)
    kept, kept_job = await session(database, store, 3600)
    fresh = await unfinished(database, store, 900)
    with caplog.at_level(logging.INFO, "mien_streams.sweep"):
        assert await sweep(database, store, go_on) == 2
    assert store.keys() == {photo_key(kept), tryon_key(kept_job), original_key(fresh)}
    assert set(database.state.uploads) == {kept, fresh}
    assert set(database.state.jobs) == {kept_job}
    deleted, went = [vars(record) for record in caplog.records]
    assert {photo_key(over), tryon_key(over_job), original_key(left)} <= set(deleted["keys"])
    assert set(went["uploads"]) == {over, left}
    assert went["sessions"] == [over_job]
    assert await sweep(database, store, go_on) == 0


async def test_a_sweep_takes_as_many_batches_as_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """And asks before each of them whether it may go on."""
    monkeypatch.setattr(module, "BATCH", 2)
    database, store = MemoryDatabase(), MemoryObjectStore()
    for _ in range(5):
        await session(database, store, LONG_AGO)
    allowed = iter([True, True, False])

    async def twice() -> bool:
        return next(allowed)

    assert await sweep(database, store, twice) == 4
    assert len(database.state.uploads) == 1
    assert await sweep(database, store, go_on) == 1
    assert store.keys() == frozenset()


async def test_while_the_store_is_away_no_row_goes() -> None:
    """What lies in the store belongs to a row, always; once the store is back the next sweep does it all."""
    database, store = MemoryDatabase(), MemoryObjectStore()
    await session(database, store, LONG_AGO)
    store.go_away()
    with pytest.raises(Unavailable, match="object_store_unavailable"):
        await sweep(database, store, go_on)
    assert len(database.state.uploads) == 1
    store.come_back()
    assert await sweep(database, store, go_on) == 1
    assert (store.keys(), database.state.uploads) == (frozenset(), {})
