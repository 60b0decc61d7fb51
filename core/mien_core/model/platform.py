"""The nouns of the platform: whose photo it is, the work on it, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol, TypeVar

from mien_core.errors import Missing
from mien_core.model.face import FaceReport
from mien_core.model.serving import PhotoFacts
from mien_core.model.skin import Condition, MeasureName, SkinReport, SkinType

# what a photo may be announced for
AnnouncedPurpose = Literal["glam", "skin", "cycle", "poster"]
# a try-on's photo comes with its session
Purpose = AnnouncedPurpose | Literal["tryon"]
Consent = Literal["attested", "given"]


class Owned(Protocol):
    """Whatever belongs to a tenant and perhaps to one of its users."""

    @property
    def tenant(self) -> str:
        """The tenant."""

    @property
    def user_id(self) -> str | None:
        """The user, within the tenant."""


AnyOwned = TypeVar("AnyOwned", bound=Owned)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. user_id None means that the credential speaks for the whole tenant."""

    tenant: str
    user_id: str | None
    scopes: frozenset[str] = frozenset()

    def may_see(self, thing: Owned) -> bool:
        """Tell whether the thing is within the caller's tenant, and the caller's own if the caller is one user."""
        return thing.tenant == self.tenant and self.user_id in {None, thing.user_id}


def require_owned(thing: AnyOwned | None, caller: Caller, what: str) -> AnyOwned:
    """Give the thing back if the caller may see it.

    Raises:
        Missing: <what>_not_found, the same whether it doesn't exist or is another's, so that nobody can probe.
    """
    if thing is None or not caller.may_see(thing):
        raise Missing(f"{what}_not_found", f"There is no such {what}. Check the id and the credential.")
    return thing


def require_user(caller: Caller, user_id: str) -> str:
    """Give the user's id back if the caller may act for that user: a user for themselves, a tenant for its users.

    Raises:
        Missing: user_not_found.
    """
    if caller.user_id not in {None, user_id}:
        raise Missing("user_not_found", "There is no such user. Check the id and the credential.")
    return user_id


def user_of(caller: Caller, named: str | None) -> str | None:
    """The user for whom something is done: who is named, if the caller may act for them, else the caller themselves.

    Raises:
        Missing: user_not_found.
    """
    return caller.user_id if named is None else require_user(caller, named)


class UploadState(StrEnum):
    """expected: the row exists, the bytes perhaps not yet; received: work on them has begun."""

    EXPECTED = "expected"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class NewUpload:
    """An upload to be announced. content_length is in bytes.

    pixel_digest is PhotoFacts.pixel_digest where the photo came through the API's own door, and None where only
    serving is going to open it.
    """

    id: str
    tenant: str
    user_id: str | None
    purpose: Purpose
    content_type: str
    content_length: int
    consent: Consent
    expires_in_seconds: int
    pixel_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """An announced photo. Its bytes are in S3, see keys.

    expires_at is when the announcement ends, and once the bytes are there, when they may no longer be worked on.
    """

    id: str
    tenant: str
    user_id: str | None
    purpose: Purpose
    content_type: str
    content_length: int
    consent: Consent
    state: UploadState
    created_at: datetime
    expires_at: datetime
    pixel_digest: str | None = None


class JobKind(StrEnum):
    """What kinds of work there are."""

    ANALYSE_FACE = "analyse-face"
    WRITE_INSIGHT = "write-insight"
    RENDER_POSTER = "render-poster"
    ERASE_USER = "erase-user"
    RENDER_TRYON = "render-tryon"
    RECOMMEND_LOOKS = "recommend-looks"


class JobStatus(StrEnum):
    """The life of every job: created, processing, then one of three ends."""

    CREATED = "created"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Tell whether nothing can follow."""
        return self in {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}


# the ends that leave nothing to pay for
WITHOUT_RESULT = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed: a stable code for programs, a detail for people."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be created; deadline_seconds after its creation it ends failed. upload_id is None if it has no photo."""

    id: str
    tenant: str
    user_id: str | None
    kind: JobKind
    upload_id: str | None
    deadline_seconds: int


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work and its state.

    timings are milliseconds by hop, in the order in which they happened. redrives counts how often people had it begun
    again after it had failed.
    """

    id: str
    tenant: str
    user_id: str | None
    kind: JobKind
    upload_id: str | None
    status: JobStatus
    error: JobError | None
    timings: dict[str, float]
    created_at: datetime
    updated_at: datetime
    deadline_at: datetime
    redrives: int

    @property
    def photo_id(self) -> str:
        """The upload's id, where only jobs with one can be.

        Raises:
            TypeError: the job has none: who made it has a bug.
        """
        if self.upload_id is None:
            raise TypeError(f"A job of kind {self.kind} needs an upload; {self.id} has none.")
        return self.upload_id


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One step in a job's life; seq counts from 1 without gaps. A policy may forget the first ones, never the last."""

    job_id: str
    seq: int
    status: JobStatus
    at: datetime


@dataclass(frozen=True, slots=True)
class JobHistory:
    """A job and all its steps, as of one moment: the last step's status is the job's."""

    job: Job
    steps: tuple[JobEvent, ...]

    @property
    def seq(self) -> int:
        """The last step's; 0 where there is none."""
        return self.steps[-1].seq if self.steps else 0


@dataclass(frozen=True, slots=True)
class NewAnalysis:
    """What an analysis found, to be saved.

    skin and etag are None in analyses from before skin was measured; mask_keys is empty there.
    """

    upload_id: str
    job_id: str
    tenant: str
    user_id: str | None
    model_revision: str
    etag: str | None
    report: FaceReport
    skin: SkinReport | None
    photo: PhotoFacts
    annotated_key: str
    mask_keys: Mapping[MeasureName, str]


@dataclass(frozen=True, slots=True)
class Analysis(NewAnalysis):
    """A saved analysis."""

    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewSkinAnalysis:
    """A line in a user's history of skin analyses, to be saved; id is the job's."""

    id: str
    tenant: str
    user_id: str
    skin_type: SkinType | None
    conditions: tuple[Condition, ...]
    skin_score: int
    recommended_chapter: int


@dataclass(frozen=True, slots=True)
class SkinAnalysis(NewSkinAnalysis):
    """A saved line; it outlives its photo and goes with its user."""

    created_at: datetime


@dataclass(frozen=True, slots=True)
class User:
    """A person whom a tenant named, or who came with a token. email is unique within the tenant."""

    tenant: str
    id: str
    email: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key to be saved: only the SHA-256 (hex) of the secret is ever kept."""

    id: str
    tenant: str
    owner: str
    scopes: frozenset[str]
    secret_hash: str


@dataclass(frozen=True, slots=True)
class ApiKey(NewApiKey):
    """A saved key."""

    created_at: datetime
    revoked_at: datetime | None
