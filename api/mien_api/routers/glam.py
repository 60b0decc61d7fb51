"""GlamAI: announce a photo, have it analysed, look at the result."""

import time
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from mien_api.consent import ConsentHeader, said
from mien_api.handlers import Handlers
from mien_api.preferences import applied, wait_seconds
from mien_api.problems import problem_of_failed_job
from mien_api.routers.dependencies import GlamCaller, JobCaller, UsesHandlers
from mien_api.schemas import (
    AnalysisBody,
    AnalyzeRequest,
    JobBody,
    RecommendationBody,
    UploadUrl,
    UploadUrlQuery,
    UploadUrlRequest,
    analysis_body,
    job_body,
)
from mien_api.scopes import require_scope
from mien_api.timing import server_timing
from mien_api.usage import note_job
from mien_core.errors import Conflict
from mien_core.model.platform import Caller, JobStatus

router = APIRouter(tags=["GlamAI"])

DEFAULT_WAIT_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 120.0


@router.post("/upload-url")
async def announce_upload(
    body: UploadUrlRequest, caller: JobCaller, handlers: UsesHandlers, consent: ConsentHeader = None
) -> UploadUrl:
    """Announce a photo and get the URL to PUT it to; the credential must cover what the photo is for."""
    return await _announced(body, caller, handlers, consent)


@router.get("/get-presigned-url")
async def announce_upload_by_query(
    announcement: Annotated[UploadUrlQuery, Query()],
    caller: JobCaller,
    handlers: UsesHandlers,
    response: Response,
    consent: ConsentHeader = None,
) -> UploadUrl:
    """Announce a photo as POST /upload-url does; for older clients, each call is another upload."""
    # a copy of the answer would send two photos to one place
    response.headers["Cache-Control"] = "no-store"
    return await _announced(announcement, caller, handlers, consent)


async def _announced(
    body: UploadUrlRequest | UploadUrlQuery, caller: Caller, handlers: Handlers, consent: ConsentHeader
) -> UploadUrl:
    require_scope(caller, body.purpose)
    upload, signed = await handlers.announce_upload(
        caller,
        content_type=body.content_type,
        content_length=body.content_length,
        purpose=body.purpose,
        user_id=body.user_id,
        consent=said(field=body.consent, header=consent),
    )
    return UploadUrl(
        upload_id=UUID(upload.id),
        upload_url=signed.url,
        method=signed.method,
        headers=dict(signed.headers),
        expires_in=handlers.upload_expires,
    )


@router.post(
    "/analyze",
    response_model=AnalysisBody,
    responses={202: {"model": JobBody, "description": "Not ready within the wait; Location is the job."}},
)
async def analyze(
    request: Request,
    body: AnalyzeRequest,
    caller: GlamCaller,
    handlers: UsesHandlers,
    prefer: Annotated[str | None, Header(description="wait=N holds the request open up to N seconds")] = None,
) -> Response:
    """Analyse an uploaded photo and recommend looks, or wait for what has begun already."""
    started = time.perf_counter()
    wait = wait_seconds(prefer, DEFAULT_WAIT_SECONDS, LONGEST_WAIT_SECONDS)
    job, result = await handlers.analyse(caller, str(body.upload_id), wait)
    note_job(request, job.id)
    headers = applied(prefer, wait)
    if result is None or result.pending is not None:
        under_way = job if result is None or result.pending is None else result.pending
        shown_job = job_body(await handlers.job(caller, under_way.id))
        headers |= {"Location": f"/jobs/{shown_job.id}", "Retry-After": "1"}
        return JSONResponse(shown_job.model_dump(mode="json", by_alias=True), 202, headers)
    if job.error is not None:
        return problem_of_failed_job(request, job.error, jobId=job.id, uploadId=job.upload_id)
    if job.status is JobStatus.CANCELLED:
        raise Conflict("analysis_cancelled", "The analysis was cancelled. Upload the photo again to have it analysed.")
    shown = analysis_body(job, result)
    headers["Server-Timing"] = server_timing(job, started)
    return Response(shown.model_dump_json(by_alias=True), media_type="application/json", headers=headers)


@router.get("/look/{upload_id}")
async def look(upload_id: UUID, caller: GlamCaller, handlers: UsesHandlers) -> AnalysisBody:
    """Look at an upload's analysis, as far as it has come."""
    return analysis_body(*await handlers.look(caller, str(upload_id)))


@router.get("/get-recommendation")
async def get_recommendation(
    upload_id: Annotated[UUID, Query(alias="uploadId", description="the photo")],
    caller: GlamCaller,
    handlers: UsesHandlers,
) -> RecommendationBody:
    """Read the looks that were recommended for an upload."""
    return RecommendationBody(upload_id=upload_id, recommendation=await handlers.recommendation(caller, str(upload_id)))
