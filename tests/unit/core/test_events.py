"""Events: their ids, their way onto a topic and back, and their published schemas."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_core import events
from mien_core.errors import Rejected
from mien_core.events import (
    FACTS,
    Event,
    Fact,
    JobFailed,
    erasure_requested,
    face_analysed,
    from_record,
    insight_requested,
    job_failed,
    media_erased,
    poster_rendered,
    poster_requested,
    to_record,
    try_on_rendered,
    try_on_requested,
    upload_received,
)

PUBLISHED = Path(__file__).parents[3] / "docs" / "events"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
RECEIVED = upload_received(str(uuid4()), str(uuid4()), TRACEPARENT)
REQUESTED = poster_requested(str(uuid4()), TRACEPARENT)
TRY_ON = try_on_requested(str(uuid4()), str(uuid4()), TRACEPARENT)
ERASURE = erasure_requested(str(uuid4()), TRACEPARENT)


@pytest.mark.parametrize(
    "event",
    [
        RECEIVED,
        face_analysed(RECEIVED, "face@sha256:ab"),
        job_failed(RECEIVED, "no_face"),
        REQUESTED,
        poster_rendered(REQUESTED, "composer/1"),
        job_failed(REQUESTED, "photo_expired"),
        ERASURE,
        media_erased(ERASURE),
        TRY_ON,
        try_on_rendered(TRY_ON, "face@sha256:ab"),
    ],
)
def test_an_event_survives_its_way_over_a_topic(event: Event) -> None:
    """What is decoded is what was encoded, to the last attribute."""
    record = to_record(event)
    assert from_record(record.headers, record.value) == event
    assert record.topic == event.data.topic
    assert record.key == str(event.upload_id or event.data.job_id).encode()


def test_what_is_about_no_photo_is_about_its_job() -> None:
    """Its key and its subject are the job's id, and it survives its way."""
    told = job_failed(RECEIVED, "no_face")
    photoless = told.model_copy(
        update={"subject": str(told.data.job_id), "data": JobFailed(upload_id=None, job_id=told.data.job_id, code="x")}
    )
    failed_again = job_failed(photoless, "no_credits")
    record = to_record(failed_again)
    assert from_record(record.headers, record.value) == failed_again
    assert record.key == failed_again.subject.encode() == str(told.data.job_id).encode()
    assert failed_again.upload_id is None


def test_an_insight_is_asked_for_by_its_job() -> None:
    """It says nothing of the user or of the diary, and the same job asks once."""
    job_id = str(uuid4())
    asked = insight_requested(job_id, TRACEPARENT)
    record = to_record(asked)
    assert from_record(record.headers, record.value) == asked
    assert (record.key, json.loads(record.value)) == (job_id.encode(), {"job_id": job_id})
    assert insight_requested(job_id).id == asked.id


def test_the_wire_format_is_cloudevents_in_binary_mode() -> None:
    """Attributes are ce_ headers, the value is the data alone, and another CloudEvents library finds what it needs."""
    record = to_record(RECEIVED)
    headers = dict(record.headers)
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_type"] == b"dev.mien.upload-received.v1"
    assert headers["ce_source"] == b"/mien"
    assert headers["ce_id"] == str(RECEIVED.id).encode()
    assert headers["ce_subject"] == str(RECEIVED.upload_id).encode()
    assert headers["content-type"] == b"application/json"
    assert headers["ce_traceparent"] == headers["traceparent"] == TRACEPARENT.encode()
    assert datetime.fromisoformat(headers["ce_time"].decode()) == RECEIVED.time
    assert json.loads(record.value) == {
        "upload_id": str(RECEIVED.upload_id),
        "job_id": str(RECEIVED.data.job_id),
    }


def test_the_same_cause_has_the_same_id() -> None:
    """A repeat is recognised; another cause, or another fact of the same cause, has another id."""
    upload_id, job_id = str(uuid4()), str(uuid4())
    first, again = upload_received(upload_id, job_id), upload_received(upload_id, job_id, TRACEPARENT)
    assert first.id == again.id
    assert upload_received(upload_id, str(uuid4())).id != first.id
    assert face_analysed(first, "a").id == face_analysed(again, "b").id
    assert face_analysed(first, "a").id != job_failed(first, "no_face").id


def test_a_job_that_fails_again_after_a_redrive_says_so_anew() -> None:
    """Another time is another fact with its own id; a repeat of the same time is not."""
    ids = [job_failed(RECEIVED, "no_face", redrives=times).id for times in (0, 0, 1, 1, 2)]
    assert ids[0] == ids[1] != ids[2] == ids[3] != ids[4] != ids[0]
    assert ids[0] == job_failed(RECEIVED, "no_face").id


def test_what_follows_keeps_the_trace_of_its_cause() -> None:
    """One photo, one trace, unless the new event names a span of its own."""
    assert face_analysed(RECEIVED, "a").traceparent == TRACEPARENT
    assert job_failed(RECEIVED, "no_face", "00-other").traceparent == "00-other"


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"ce_id": None}, "ce_id"),
        ({"ce_type": None, "ce_time": None}, "ce_type, ce_time"),
        ({"ce_specversion": b"0.3"}, "0.3"),
        ({"ce_type": b"dev.mien.upload-received.v9"}, "v9"),
        ({"ce_id": b"seven"}, "id"),
        ({"ce_time": b"yesterday"}, "time"),
        ({"ce_time": b"2026-11-20T10:00:00"}, "UTC offset"),
        ({"ce_source": b"\xff"}, "ce_source"),
        ({"content-type": b"application/avro"}, "avro"),
    ],
)
def test_wrong_attributes_are_refused_by_name(change: dict[str, bytes | None], names: str) -> None:
    """malformed_event says what is wrong."""
    record = to_record(RECEIVED)
    headers = [(name, value) for name, value in {**dict(record.headers), **change}.items() if value is not None]
    with pytest.raises(Rejected) as caught:
        from_record(headers, record.value)
    assert caught.value.code == "malformed_event"
    assert names in caught.value.detail


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"[]", b"{}", b'{"upload_id": "1", "job_id": "2"}'])
def test_wrong_data_is_refused(value: bytes | None) -> None:
    """Data that isn't its type's is malformed."""
    with pytest.raises(Rejected, match="malformed_event"):
        from_record(to_record(RECEIVED).headers, value)


@given(
    headers=st.lists(
        st.tuples(st.sampled_from([name for name, _ in to_record(RECEIVED).headers]) | st.text(), st.binary())
    ),
    value=st.none() | st.binary(),
)
def test_nothing_but_rejected_comes_out_of_garbage(headers: list[tuple[str, bytes]], value: bytes | None) -> None:
    """Whatever lies on a topic is an event or Rejected, never another exception."""
    good = [header for header in to_record(RECEIVED).headers if header[0] not in dict(headers)]
    with pytest.raises(Rejected, match="malformed_event"):
        from_record([*good, *headers], value)


def test_members_of_a_later_producer_are_ignored() -> None:
    """A compatible addition doesn't break those who read the older schema."""
    record = to_record(RECEIVED)
    value = json.dumps({**json.loads(record.value), "colour": "blue"}).encode()
    assert from_record(record.headers, value) == RECEIVED


def test_a_structured_time_keeps_its_instant() -> None:
    """Another producer's offset is understood."""
    record = to_record(RECEIVED)
    headers = {**dict(record.headers), "ce_time": b"2026-11-20T12:00:00+02:00"}
    assert from_record(headers.items(), record.value).time == datetime(2026, 11, 20, 10, tzinfo=UTC)


@pytest.mark.parametrize("fact", FACTS)
def test_the_published_schema_is_the_one_in_force(fact: type[Fact]) -> None:
    """docs/events holds what the code says; who changes a fact publishes another version instead."""
    published = json.loads((PUBLISHED / f"{fact.type}.json").read_text())
    assert published == events.published_schema(fact)


def test_no_schema_is_published_without_its_fact() -> None:
    """docs/events lists the types that exist, and only those."""
    assert {path.stem for path in PUBLISHED.glob("*.json")} == {fact.type for fact in FACTS}
