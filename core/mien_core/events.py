"""Facts: what happened, in the past tense, immutable and versioned; and their way onto a topic and back.

On a topic an event is a CloudEvents 1.0 message in Kafka's binary mode: the attributes are headers (ce_id, ce_type,
...), the value is the data as JSON. Data holds opaque ids only, so nothing on a topic ever needs erasing. A published
schema is never edited; another version is another type on another topic.
"""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from mien_core.errors import Rejected
from mien_core.ports.messages import Record

SOURCE = "/mien"
CONTENT_TYPE: Literal["application/json"] = "application/json"

# what event ids are derived in; changing it would give every repeated event a new id
_ID_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "events.mien.dev")

# the attributes that a message must carry, beside content-type; names as the CloudEvents Kafka binding has them
_REQUIRED_HEADERS = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time")


class Fact(BaseModel):
    """What an event says: each names its job_id, and upload_id if it is about a photo.

    Members that a later, compatible producer added are ignored.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    topic: ClassVar[str]


class UploadReceived(Fact):
    """The bytes of a photo are in the object store and a job for them exists."""

    type: ClassVar[str] = "dev.mien.upload-received.v1"
    topic: ClassVar[str] = "mien.upload-received.v1"

    upload_id: uuid.UUID
    job_id: uuid.UUID


class FaceAnalysed(Fact):
    """The face of a photo was analysed and the analysis is saved."""

    type: ClassVar[str] = "dev.mien.face-analysed.v1"
    topic: ClassVar[str] = "mien.face-analysed.v1"

    upload_id: uuid.UUID
    job_id: uuid.UUID
    model_revision: str


class LooksRequested(Fact):
    """Looks are to be recommended for an analysed photo, and a job for them exists."""

    type: ClassVar[str] = "dev.mien.looks-requested.v1"
    topic: ClassVar[str] = "mien.looks-requested.v1"

    upload_id: uuid.UUID
    job_id: uuid.UUID


class LooksRecommended(Fact):
    """Looks were recommended for a photo and are saved. The job is the one that they were made by."""

    type: ClassVar[str] = "dev.mien.looks-recommended.v1"
    topic: ClassVar[str] = "mien.looks-recommended.v1"

    upload_id: uuid.UUID
    job_id: uuid.UUID
    engine: str


class JobFailed(Fact):
    """A job ended without a result; code is stable, and says why. Not every job is about a photo."""

    type: ClassVar[str] = "dev.mien.job-failed.v2"
    topic: ClassVar[str] = "mien.job-failed.v2"

    upload_id: uuid.UUID | None
    job_id: uuid.UUID
    code: str


class InsightRequested(Fact):
    """A user wants to be told of their diary in words, and a job for it exists."""

    type: ClassVar[str] = "dev.mien.insight-requested.v1"
    topic: ClassVar[str] = "mien.insight-requested.v1"

    job_id: uuid.UUID


class PosterRequested(Fact):
    """A poster is to be made: its job exists and is paid for."""

    type: ClassVar[str] = "dev.mien.poster-requested.v1"
    topic: ClassVar[str] = "mien.poster-requested.v1"

    job_id: uuid.UUID


class ErasureRequested(Fact):
    """All that is held about a user is to be erased; whose it is stands in the database alone."""

    type: ClassVar[str] = "dev.mien.erasure-requested.v1"
    topic: ClassVar[str] = "mien.erasure-requested.v1"

    job_id: uuid.UUID


class PosterRendered(Fact):
    """A poster was made and lies in the object store; engine tells what made it."""

    type: ClassVar[str] = "dev.mien.poster-rendered.v1"
    topic: ClassVar[str] = "mien.poster-rendered.v1"

    job_id: uuid.UUID
    engine: str


class MediaErased(Fact):
    """A user's photos and pictures were erased, and nothing that was handed out can bring one any more."""

    type: ClassVar[str] = "dev.mien.media-erased.v1"
    topic: ClassVar[str] = "mien.media-erased.v1"

    job_id: uuid.UUID


class TryOnRequested(Fact):
    """A photo is in the object store that a look is to be put on, and the job for it exists."""

    type: ClassVar[str] = "dev.mien.try-on-requested.v1"
    topic: ClassVar[str] = "mien.try-on-requested.v1"

    upload_id: uuid.UUID
    job_id: uuid.UUID


class TryOnRendered(Fact):
    """The look is on the photo, and the picture is in the object store."""

    type: ClassVar[str] = "dev.mien.try-on-rendered.v1"
    topic: ClassVar[str] = "mien.try-on-rendered.v1"

    upload_id: uuid.UUID
    job_id: uuid.UUID
    model_revision: str


AnyFact = (
    UploadReceived
    | FaceAnalysed
    | LooksRequested
    | LooksRecommended
    | JobFailed
    | InsightRequested
    | PosterRequested
    | PosterRendered
    | ErasureRequested
    | MediaErased
    | TryOnRequested
    | TryOnRendered
)

FACTS: tuple[type[AnyFact], ...] = (
    UploadReceived,
    FaceAnalysed,
    LooksRequested,
    LooksRecommended,
    JobFailed,
    InsightRequested,
    PosterRequested,
    PosterRendered,
    ErasureRequested,
    MediaErased,
    TryOnRequested,
    TryOnRendered,
)
TOPICS: tuple[str, ...] = tuple(fact.topic for fact in FACTS)

_FACT_OF_TYPE = {fact.type: fact for fact in FACTS}


class Event(BaseModel):
    """A fact in its envelope: the CloudEvents attributes, and the W3C traceparent of whatever caused it."""

    model_config = ConfigDict(frozen=True)

    id: uuid.UUID
    source: str = SOURCE
    type: str
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"] = CONTENT_TYPE
    traceparent: str | None = None
    data: AnyFact

    @field_validator("time")
    @classmethod
    def _aware(cls, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise ValueError("time needs a UTC offset")
        return value

    @property
    def upload_id(self) -> uuid.UUID | None:
        """The photo that it is about; None if it is about none."""
        return upload_id if isinstance(upload_id := getattr(self.data, "upload_id", None), uuid.UUID) else None


def upload_received(upload_id: str, job_id: str, traceparent: str | None = None) -> Event:
    """Say that the upload's bytes are there. Its cause is the job, which exists once for an upload."""
    data = UploadReceived(upload_id=uuid.UUID(upload_id), job_id=uuid.UUID(job_id))
    return _event(data, job_id, traceparent)


def face_analysed(cause: Event, model_revision: str, traceparent: str | None = None) -> Event:
    """Say that the upload of cause (an UploadReceived) was analysed."""
    data = FaceAnalysed(upload_id=cause.upload_id, job_id=cause.data.job_id, model_revision=model_revision)
    return _event(data, str(cause.id), traceparent or cause.traceparent)


def looks_requested(upload_id: str, job_id: str, traceparent: str | None = None) -> Event:
    """Say that looks are to be recommended. Its cause is the job, which exists once for an upload."""
    data = LooksRequested(upload_id=uuid.UUID(upload_id), job_id=uuid.UUID(job_id))
    return _event(data, job_id, traceparent)


def looks_recommended(cause: Event, engine: str, traceparent: str | None = None) -> Event:
    """Say that looks were recommended by the job which cause (an UploadReceived or a LooksRequested) began."""
    data = LooksRecommended(upload_id=cause.upload_id, job_id=cause.data.job_id, engine=engine)
    return _event(data, str(cause.id), traceparent or cause.traceparent)


def job_failed(cause: Event, code: str, traceparent: str | None = None, redrives: int = 0) -> Event:
    """Say that the job which cause began has failed; after each of its redrives anew."""
    data = JobFailed(upload_id=cause.upload_id, job_id=cause.data.job_id, code=code)
    origin = f"{cause.id}\n{redrives}" if redrives else str(cause.id)
    return _event(data, origin, traceparent or cause.traceparent)


def insight_requested(job_id: str, traceparent: str | None = None) -> Event:
    """Say that an insight is wanted. Its cause is the job, which exists once for an insight."""
    return _event(InsightRequested(job_id=uuid.UUID(job_id)), job_id, traceparent)


def poster_requested(job_id: str, traceparent: str | None = None) -> Event:
    """Say that a poster is to be made. Its cause is the job."""
    return _event(PosterRequested(job_id=uuid.UUID(job_id)), job_id, traceparent)


def poster_rendered(cause: Event, engine: str, traceparent: str | None = None) -> Event:
    """Say that the poster of cause (a PosterRequested) was made."""
    data = PosterRendered(job_id=cause.data.job_id, engine=engine)
    return _event(data, str(cause.id), traceparent or cause.traceparent)


def erasure_requested(job_id: str, traceparent: str | None = None) -> Event:
    """Say that a user is to be erased. Its cause is the job."""
    return _event(ErasureRequested(job_id=uuid.UUID(job_id)), job_id, traceparent)


def media_erased(cause: Event, traceparent: str | None = None) -> Event:
    """Say that the media of whom cause (an ErasureRequested) is about were erased."""
    return _event(MediaErased(job_id=cause.data.job_id), str(cause.id), traceparent or cause.traceparent)


def try_on_requested(upload_id: str, job_id: str, traceparent: str | None = None) -> Event:
    """Say that a look is to be put on the upload's photo. Its cause is the job, which exists once for an upload."""
    data = TryOnRequested(upload_id=uuid.UUID(upload_id), job_id=uuid.UUID(job_id))
    return _event(data, job_id, traceparent)


def try_on_rendered(cause: Event, model_revision: str, traceparent: str | None = None) -> Event:
    """Say that the picture of cause (a TryOnRequested) is there."""
    data = TryOnRendered(upload_id=cause.upload_id, job_id=cause.data.job_id, model_revision=model_revision)
    return _event(data, str(cause.id), traceparent or cause.traceparent)


def _event(data: AnyFact, cause: str, traceparent: str | None) -> Event:
    about = data.job_id if (upload_id := getattr(data, "upload_id", None)) is None else upload_id
    return Event(
        # the same cause gives the same id, so that a repeat is recognised as one
        id=uuid.uuid5(_ID_NAMESPACE, f"{data.type}\n{cause}"),
        type=data.type,
        subject=str(about),
        time=datetime.now(UTC),
        traceparent=traceparent,
        data=data,
    )


def to_record(event: Event) -> Record:
    """Encode an event for its topic.

    The key is the upload's id, or the job's where there is no upload: what concerns one photo stays in order.
    """
    headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", str(event.id)),
        ("ce_source", event.source),
        ("ce_type", event.type),
        ("ce_subject", event.subject),
        ("ce_time", event.time.isoformat()),
        ("content-type", event.datacontenttype),
    ]
    if event.traceparent is not None:
        headers.append(("ce_traceparent", event.traceparent))
        # instrumented clients look for the bare name
        headers.append(("traceparent", event.traceparent))
    return Record(
        topic=event.data.topic,
        key=event.subject.encode(),
        value=event.data.model_dump_json().encode(),
        headers=tuple((name, value.encode()) for name, value in headers),
    )


def from_record(headers: Iterable[tuple[str, bytes | None]], value: bytes | None) -> Event:
    """Decode what lies on a topic.

    Raises:
        Rejected: malformed_event, its detail naming what is wrong.
    """
    attributes = _attributes(headers)
    missing = [name for name in _REQUIRED_HEADERS if name not in attributes]
    if missing:
        raise _malformed(f"the headers {', '.join(missing)} are missing")
    if attributes["ce_specversion"] != "1.0":
        raise _malformed(f"ce_specversion is {attributes['ce_specversion']!r}, not 1.0")
    content_type = attributes.get("content-type", CONTENT_TYPE).partition(";")[0].strip().lower()
    if content_type != CONTENT_TYPE:
        raise _malformed(f"content-type is {content_type!r}, not {CONTENT_TYPE}")
    fact = _FACT_OF_TYPE.get(attributes["ce_type"])
    if fact is None:
        raise _malformed(f"ce_type {attributes['ce_type']!r} is not known")
    if value is None:
        raise _malformed("it has no value")
    try:
        data = fact.model_validate_json(value)
    except ValidationError as error:
        raise _malformed(f"its data is not a {fact.__name__}: {_first(error)}") from None
    try:
        return Event.model_validate(
            {
                "id": attributes["ce_id"],
                "source": attributes["ce_source"],
                "type": attributes["ce_type"],
                "subject": attributes.get("ce_subject", ""),
                "time": attributes["ce_time"],
                "traceparent": attributes.get("ce_traceparent", attributes.get("traceparent")),
                "data": data,
            }
        )
    except ValidationError as error:
        raise _malformed(f"its attributes are wrong: {_first(error)}") from None


def published_schema(fact: type[Fact]) -> dict[str, Any]:
    """Give the JSON Schema of a fact's data, as docs/events holds it."""
    schema = fact.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": fact.type, **schema}


def _attributes(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    attributes = {}
    for name, value in headers:
        try:
            attributes[name.lower()] = (value or b"").decode()
        except UnicodeDecodeError:
            raise _malformed(f"the header {name} is not UTF-8") from None
    return attributes


def _first(error: ValidationError) -> str:
    part = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(step) for step in part["loc"])
    return f"{place}: {part['msg']}" if place else part["msg"]


def _malformed(what: str) -> Rejected:
    return Rejected("malformed_event", f"The message is not an event: {what}. Look at the producer of its topic.")
