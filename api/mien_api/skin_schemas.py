"""What Skin Chapters' frontend sends and gets, in its snake_case; the field names are the contract's."""

from datetime import datetime

from pydantic import BaseModel

from mien_api.schemas import JobFields, UserId, job_body
from mien_api.skin_handlers import SkinResult
from mien_core.model.face import NOTICE, Quality
from mien_core.model.platform import Job, JobHistory
from mien_core.model.skin import AbstentionReason, Condition, MeasureName, SkinType
from mien_core.rules.skin import require_conclusion


class SkinForm(BaseModel):
    """The form that a photo comes with. consent: the person in the photo agreed to its analysis."""

    image: bytes
    user_id: UserId | None = None
    consent: bool | None = None


class MetricsBody(BaseModel):
    """0-100, more is better; null where the photo can't show it. moisture is read off the skin's surface."""

    radiance: float | None
    moisture: float | None
    texture: float | None
    pores: float | None
    dark_circles: float | None


class AbstentionBody(BaseModel):
    """What the photo can't show, why, and what to do about it; condition is null where none rests on the measure."""

    measure: MeasureName
    condition: Condition | None
    reason: AbstentionReason
    advice: str


class SkinAnalysisBody(BaseModel):
    """A skin analysis. skin_type is null where the photo shows nothing that decides it."""

    skin_type: SkinType | None
    conditions: list[Condition]
    skin_score: int
    recommended_chapter: int
    analysis_id: str
    created_at: datetime
    probabilities: dict[Condition, float]
    abstained: list[AbstentionBody]
    metrics: MetricsBody
    masks: dict[MeasureName, str]
    annotated_url: str
    quality: Quality
    model_revision: str
    notice: str = NOTICE


def skin_analysis_body(job: Job, result: SkinResult) -> SkinAnalysisBody:
    """Show a completed analysis."""
    skin, face = result.skin, result.analysis.report.face
    conclusion = require_conclusion(skin, face.quality)
    return SkinAnalysisBody(
        skin_type=skin.skin_type,
        conditions=list(conclusion.conditions),
        skin_score=conclusion.skin_score,
        recommended_chapter=conclusion.recommended_chapter,
        analysis_id=job.id,
        created_at=result.analysis.created_at,
        probabilities={one.condition: one.probability for one in skin.probabilities},
        abstained=[AbstentionBody(**one.model_dump()) for one in skin.abstained],
        metrics=MetricsBody(**skin.metrics.model_dump()),
        masks=dict(result.masks),
        annotated_url=result.annotated,
        quality=face.quality,
        model_revision=result.analysis.model_revision,
    )


class SkinJobBody(JobFields):
    """A job as /jobs shows it, in this application's style; analysis_id is where the answer is going to be."""

    analysis_id: str


def skin_job_body(history: JobHistory) -> SkinJobBody:
    """Show a job that is under way."""
    return SkinJobBody(analysis_id=history.job.id, **job_body(history).model_dump())
