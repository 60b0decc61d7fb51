"""What the frontends send and get, in GlamAI's camelCase; the field names are the contract's."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

from mien_api.handlers import Result
from mien_core.model.face import NOTICE, Face, Tone
from mien_core.model.platform import AnnouncedPurpose, Job, JobHistory, JobStatus
from mien_core.model.recommendations import Recommendation
from mien_core.model.skin import Condition, SkinReport, SkinType
from mien_core.rules.skin import conclusion_of
from mien_core.rules.uploads import CONTENT_TYPES, MAX_BYTES

UserId = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# For strict integers, after their limits: 12 and 12.0 are the same number in JSON; "12" is a text, and true is neither.
WHOLE: Final = BeforeValidator(_whole)
# "yes" and 1 are no answers to a question
Flag = Annotated[bool, Field(strict=True)]


class Schema(BaseModel):
    """camelCase outside, snake_case inside."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class RequestSchema(Schema):
    """What a client sends: read by its documented names alone. Another field is one that the contract doesn't have."""

    model_config = ConfigDict(populate_by_name=False)


class UploadUrlRequest(RequestSchema):
    """Announces a photo: contentLength is its exact size in bytes."""

    # what is not among them, or larger, is refused with a code of its own
    content_type: str = Field(examples=["image/jpeg"], json_schema_extra={"enum": list(CONTENT_TYPES)})
    content_length: Annotated[int, Field(strict=True, gt=0), WHOLE] = Field(
        examples=[204_800], json_schema_extra={"maximum": MAX_BYTES}
    )
    purpose: AnnouncedPurpose = "glam"
    user_id: UserId | None = None
    consent: Flag | None = Field(default=None, description="The person in the photo agreed to its analysis.")


class UploadUrlQuery(RequestSchema):
    """Announces a photo in a URL, where all is text. What may be left out can't be null there."""

    content_type: str = Field(
        description="the photo's type", examples=["image/jpeg"], json_schema_extra={"enum": list(CONTENT_TYPES)}
    )
    content_length: int = Field(
        gt=0, description="its exact size in bytes", examples=[204_800], json_schema_extra={"maximum": MAX_BYTES}
    )
    purpose: AnnouncedPurpose = Field(default="glam", description="what it is for")
    user_id: UserId | SkipJsonSchema[None] = Field(default=None, description="whose it is", examples=["anna"])
    consent: bool | SkipJsonSchema[None] = Field(
        default=None, description="whether the person in the photo agreed to its analysis", examples=[True]
    )


class UploadUrl(Schema):
    """Where to send the bytes: method and headers exactly as given, within expiresIn seconds."""

    upload_id: UUID
    upload_url: str
    method: str = Field(examples=["PUT"])
    headers: dict[str, str]
    expires_in: int


class AnalyzeRequest(RequestSchema):
    """Asks for the analysis of an uploaded photo."""

    upload_id: UUID


class ErrorInfo(Schema):
    """Why work failed: a stable code and a detail for people."""

    code: str
    detail: str


class SkinPart(Schema):
    """What the photo shows of the skin.

    What it can't show is in abstained. skinType is null where nothing decides it, skinScore and recommendedChapter
    where none of the conditions can be seen.
    """

    skin_type: SkinType | None
    conditions: list[Condition]
    probabilities: dict[Condition, float]
    abstained: list[Condition]
    skin_score: int | None
    recommended_chapter: int | None


class AnalysisBody(Schema):
    """The analysis of an upload; a part that doesn't exist (yet) is null.

    status is completed once nothing more will come. jobId is the job that analyses the face; where looks are
    recommended by a job of their own, that one ends later, and whatever becomes of it changes no other part.
    """

    upload_id: str
    job_id: str
    status: JobStatus
    created_at: datetime
    model_revision: str | None
    face: Face | None
    tone: Tone | None
    skin: SkinPart | None
    recommendation: Recommendation | None
    annotated_url: str | None
    error: ErrorInfo | None
    notice: str = NOTICE


class RecommendationBody(Schema):
    """What was recommended for an upload; null while there is nothing, and for good if nothing came of it."""

    upload_id: UUID
    recommendation: Recommendation | None


class JobStep(Schema):
    """One step of a job; seq counts from 1 without gaps."""

    seq: int
    status: JobStatus
    at: datetime


class JobFields(BaseModel):
    """A job: its state, its steps and the milliseconds spent at each hop so far."""

    id: str
    kind: str
    status: JobStatus
    upload_id: str | None
    created_at: datetime
    updated_at: datetime
    error: ErrorInfo | None
    timings: dict[str, float]
    steps: list[JobStep]


class JobBody(Schema, JobFields):
    """A job as /jobs shows it."""


def analysis_body(job: Job, result: Result) -> AnalysisBody:
    """Show an analysis as far as it has come."""
    analysis = result.analysis
    return AnalysisBody(
        upload_id=job.photo_id,
        job_id=job.id,
        status=JobStatus.PROCESSING if result.pending else job.status,
        created_at=job.created_at,
        model_revision=analysis.model_revision if analysis else None,
        face=analysis.report.face if analysis else None,
        tone=analysis.report.tone if analysis else None,
        skin=_skin_part(analysis.skin) if analysis and analysis.skin else None,
        recommendation=result.recommendation,
        annotated_url=result.annotated if analysis else None,
        error=_error(job),
    )


def _skin_part(report: SkinReport) -> SkinPart:
    conclusion = conclusion_of(report)
    return SkinPart(
        skin_type=report.skin_type,
        conditions=list(conclusion.conditions) if conclusion else [],
        probabilities={one.condition: one.probability for one in report.probabilities},
        abstained=list(report.abstained_conditions),
        skin_score=conclusion.skin_score if conclusion else None,
        recommended_chapter=conclusion.recommended_chapter if conclusion else None,
    )


def job_body(history: JobHistory) -> JobBody:
    """Show a job."""
    job = history.job
    return JobBody(
        id=job.id,
        kind=job.kind,
        status=job.status,
        upload_id=job.upload_id,
        created_at=job.created_at,
        updated_at=job.updated_at,
        error=_error(job),
        timings=job.timings,
        steps=[JobStep(seq=event.seq, status=event.status, at=event.at) for event in history.steps],
    )


def _error(job: Job) -> ErrorInfo | None:
    return ErrorInfo(code=job.error.code, detail=job.error.detail) if job.error else None
