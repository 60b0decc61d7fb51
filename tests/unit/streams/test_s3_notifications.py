"""What happens on S3's notifications."""

import asyncio
import json
from typing import Any

import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Rejected
from mien_core.events import UploadReceived
from mien_core.model.platform import UploadState
from mien_core.ports.messages import Record
from mien_streams.delivery import Delivery
from mien_streams.edge import Edge
from mien_streams.handlers.s3_notifications import TOPIC, S3Notifications
from tests.makers import new_upload
from tests.unit.streams.stand_ins import DEADLINE_SECONDS, delivered, emitted, some_id, uploaded


def notification(*keys: str, event: str = "ObjectCreated:Put") -> Delivery:
    records = [
        {"eventVersion": "2.2", "eventSource": "aws:s3", "eventName": event, "s3": {"object": {"key": key, "size": 1}}}
        for key in keys
    ]
    return _raw({"Records": records})


def _raw(value: Any) -> Delivery:
    return delivered(Record(TOPIC, b"", json.dumps(value).encode(), ()))


def original(upload_id: str) -> str:
    return f"uploads/{upload_id}/original"


@pytest.mark.parametrize(
    "event", ["ObjectCreated:Put", "s3:ObjectCreated:Put", "ObjectCreated:CompleteMultipartUpload"]
)
async def test_an_original_of_glam_starts_the_analysis(event: str) -> None:
    """The upload is received, its job and event are there."""
    database = MemoryDatabase()
    upload = await uploaded(database)
    await S3Notifications(database).handle(notification(original(upload.id), event=event))
    assert database.state.uploads[upload.id].state is UploadState.RECEIVED
    [emitted_event] = await emitted(database)
    assert isinstance(emitted_event.data, UploadReceived)
    assert str(emitted_event.upload_id) == upload.id


async def test_a_url_encoded_key_is_understood() -> None:
    """AWS encodes keys as in a form."""
    database = MemoryDatabase()
    upload = await uploaded(database)
    await S3Notifications(database).handle(notification(f"uploads%2F{upload.id}%2Foriginal"))
    assert len(await emitted(database)) == 1


async def test_duplicates_start_it_once() -> None:
    """Twice in one message, twice in two messages: one job."""
    database = MemoryDatabase()
    upload = await uploaded(database)
    handler = S3Notifications(database)
    await handler.handle(notification(original(upload.id), original(upload.id)))
    await handler.handle(notification(original(upload.id)))
    assert len(database.state.jobs) == 1
    assert len(await emitted(database)) == 1


@pytest.mark.parametrize(
    "key",
    [
        "uploads/{}/photo",
        "uploads/{}/annotated.png",
        "uploads/{}/masks/acne.png",
        "uploads/{}/original.bak",
        "other/{}/original",
        "{}",
    ],
)
async def test_other_objects_start_nothing(key: str) -> None:
    """Only originals do."""
    database = MemoryDatabase()
    upload = await uploaded(database)
    await S3Notifications(database).handle(notification(key.format(upload.id)))
    assert database.state.jobs == {}


async def test_something_shaped_like_an_id_is_ignored_at_once() -> None:
    """Thirty-six dashes are no upload, and nothing to wait for."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        await S3Notifications(MemoryDatabase()).handle(notification(original("-" * 36)))


@pytest.mark.parametrize("event", ["ObjectRemoved:Delete", "s3:ObjectTagging:Put"])
async def test_other_events_start_nothing(event: str) -> None:
    """Only creations do."""
    database = MemoryDatabase()
    upload = await uploaded(database)
    await S3Notifications(database).handle(notification(original(upload.id), event=event))
    assert database.state.jobs == {}


@pytest.mark.parametrize("purpose", ["skin", "cycle", "poster"])
async def test_other_purposes_wait_for_their_call(purpose: str) -> None:
    """A notification alone starts glam only."""
    database = MemoryDatabase()
    upload = await uploaded(database, purpose=purpose)
    await S3Notifications(database).handle(notification(original(upload.id)))
    assert database.state.jobs == {}


async def test_the_stores_test_message_is_harmless() -> None:
    """S3 sends one without records when notifications are set up."""
    await S3Notifications(MemoryDatabase()).handle(_raw({"Service": "S3", "Event": "s3:TestEvent"}))


@pytest.mark.parametrize("value", [b"", b"\xff", b"[]", b'{"Records": [{}]}', b'{"Records": {"s3": 1}}'])
async def test_what_is_no_notification_is_rejected(value: bytes) -> None:
    """It becomes a dead letter, by the code malformed_notification."""
    with pytest.raises(Rejected, match="malformed_notification"):
        await S3Notifications(MemoryDatabase()).handle(delivered(Record(TOPIC, b"", value, ())))


async def test_a_notification_that_comes_before_its_row_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row's transaction may commit after the store spoke."""
    monkeypatch.setattr("mien_streams.edge.IN_PLACE_SECONDS", DEADLINE_SECONDS)
    database = MemoryDatabase()
    announced = new_upload()
    edge = Edge(database, S3Notifications(database))
    handling = asyncio.create_task(edge.process(notification(original(announced.id))))
    await asyncio.sleep(0)
    async with database.transaction() as transaction:
        await transaction.uploads.add(announced)
    await handling
    assert len(database.state.jobs) == 1


@pytest.mark.usefixtures("impatient")
async def test_a_row_that_is_late_is_waited_for_without_holding_others_up() -> None:
    """The notification comes again after 5 s and after a minute; those beside it in the message begin at once."""
    database = MemoryDatabase()
    upload, late = await uploaded(database), new_upload()
    edge = Edge(database, S3Notifications(database))
    message = notification(original(late.id), original(upload.id))
    for attempt in (b"2", b"3"):
        await edge.process(message)
        [again] = [row.record for _, row in database.state.outbox.values() if row.record.topic == TOPIC]
        assert ("mien-attempt", attempt) in again.headers
        message = delivered(again)
        database.state.outbox.clear()
        assert len(database.state.jobs) == 1
    async with database.transaction() as transaction:
        await transaction.uploads.add(late)
    await edge.process(message)
    assert len(database.state.jobs) == 2


@pytest.mark.usefixtures("impatient")
async def test_an_orphan_is_dropped_in_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """An object that nobody announced is named in the log and leaves no dead letter: nobody could do anything."""
    database, orphan = MemoryDatabase(), some_id()
    edge = Edge(database, S3Notifications(database))
    message = notification(original(orphan))
    for _ in range(2):
        await edge.process(message)
        [(_, row)] = database.state.outbox.values()
        message = delivered(row.record)
        database.state.outbox.clear()
    await edge.process(message)
    assert not database.state.outbox
    assert not database.state.dead_letters
    assert orphan in caplog.records[-1].getMessage()
