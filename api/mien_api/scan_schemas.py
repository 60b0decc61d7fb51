"""A scan of a photo as Glow Cycle's frontend sends it and gets it; the field names are the contract's."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from mien_api.cycle_schemas import ScanBody, scan_body
from mien_api.days import Day
from mien_api.scan_handlers import ScanResult
from mien_api.schemas import JobBody, RequestSchema, Schema, UserId, job_body
from mien_core.model.platform import JobHistory

Points = Annotated[float, Field(ge=-100, le=100)]


class ScanOrder(RequestSchema):
    """Whose skin diary a photo is for, and for which day; without a date it is UTC's today."""

    user_id: UserId
    date: Day | None = None


class ScanUpload(ScanOrder):
    """A photo that was announced for the skin diary and has arrived."""

    upload_id: UUID


class ScanForm(ScanOrder):
    """A photo that comes along. consent: the person in the photo agreed to its analysis."""

    image: bytes
    consent: bool | None = None


class MetricChangesBody(Schema):
    """Points by which each metric is above the user's own mean; null where either isn't known."""

    radiance: Points | None
    moisture: Points | None
    texture: Points | None
    pores: Points | None
    dark_circles: Points | None


class ScanAnalysisBody(ScanBody):
    """A line of the skin diary that a photo gave; a metric that the photo can't show is null.

    change compares it with the user's earlier scans in the same phase of the cycle: null where the log doesn't tell the
    phase, or where there are none.
    """

    change: MetricChangesBody | None


class ScanJobBody(JobBody):
    """A job as /jobs shows it; scanId is where the answer is going to be."""

    scan_id: str


def scan_analysis_body(result: ScanResult) -> ScanAnalysisBody:
    """Show a scan of a photo."""
    changes = result.changes
    return ScanAnalysisBody(
        **scan_body(result.shown),
        change=changes
        and MetricChangesBody(
            radiance=changes.radiance,
            moisture=changes.moisture,
            texture=changes.texture,
            pores=changes.pores,
            dark_circles=changes.dark_circles,
        ),
    )


def scan_job_body(history: JobHistory) -> ScanJobBody:
    """Show a job that is under way."""
    return ScanJobBody(scan_id=history.job.id, **job_body(history).model_dump())
