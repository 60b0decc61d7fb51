"""Glow Cycle: a photo becomes a line of the skin diary."""

import time
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import TypeAdapter

from mien_api import idempotency
from mien_api.answers import private_json
from mien_api.consent import ConsentHeader, said
from mien_api.days import Day
from mien_api.forms import OVERHEAD_BYTES, read_photo_form, validated
from mien_api.preferences import applied, wait_seconds
from mien_api.problems import problem, problem_of_failed_job
from mien_api.routers.dependencies import CycleCaller, skin_handlers_of
from mien_api.scan_handlers import ScanHandlers, ScanResult, require_scan
from mien_api.scan_schemas import (
    ScanAnalysisBody,
    ScanForm,
    ScanJobBody,
    ScanUpload,
    scan_analysis_body,
    scan_job_body,
)
from mien_api.schemas import UserId
from mien_api.timing import server_timing
from mien_api.usage import note_job
from mien_core.errors import Rejected
from mien_core.model.platform import Caller, Job, JobStatus
from mien_core.rules.uploads import MAX_BYTES

PATH: Final = "/skin/analyze"
MAX_BODY_BYTES: Final = MAX_BYTES + OVERHEAD_BYTES

DEFAULT_WAIT_SECONDS: Final = 30.0
LONGEST_WAIT_SECONDS: Final = 120.0

_JSON_BYTES: Final = 16 * 1024
_JSON: Final = "application/json"
_BODIES: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image", "userId"],
                    "properties": {
                        "image": {"type": "string", "format": "binary", "description": "JPEG, PNG or WebP, 10 MB"},
                        "userId": {**TypeAdapter(UserId).json_schema(), "description": "whose skin diary it is"},
                        # without null, which no form can say
                        "date": TypeAdapter(Day).json_schema(),
                        "consent": {"type": "boolean", "description": "the person in the photo agreed"},
                    },
                }
            },
            _JSON: {"schema": ScanUpload.model_json_schema()},
        },
    }
}

router = APIRouter(tags=["Glow Cycle"])


async def _scan_handlers(request: Request) -> ScanHandlers:
    handlers = await skin_handlers_of(request)
    return ScanHandlers(handlers.platform, handlers.door)


UsesScans = Annotated[ScanHandlers, Depends(_scan_handlers)]


@router.post(
    PATH,
    response_model=ScanAnalysisBody,
    responses={202: {"model": ScanJobBody, "description": "Not ready within the wait; Location is the job."}},
    openapi_extra=_BODIES,
)
async def analyze_scan(
    request: Request,
    caller: CycleCaller,
    handlers: UsesScans,
    prefer: Annotated[str | None, Header(description="wait=N holds the request open up to N seconds")] = None,
    consent: ConsentHeader = None,
) -> Response:
    """Write a line into the skin diary that a photo gives: one that comes along, or one that was uploaded."""
    started = time.perf_counter()
    wait = wait_seconds(prefer, DEFAULT_WAIT_SECONDS, LONGEST_WAIT_SECONDS)
    # read in here, so that nobody without a credential makes the process take a photo in
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == _JSON:
        order = validated(ScanUpload, await _read_json(request))
        job, result = await handlers.analyse_upload(
            caller, str(order.upload_id), user_id=order.user_id, day=order.date, wait_seconds=wait
        )
    else:
        form = await read_photo_form(request, ScanForm)
        agreed = said(field=form.consent, header=consent)
        job, result = await handlers.analyse_photo(
            caller, form.image, user_id=form.user_id, day=form.date, consent=agreed, wait_seconds=wait
        )
    note_job(request, job.id)
    answer = await _answer(request, caller, handlers, job, result)
    answer.headers.update(applied(prefer, wait))
    if job.status is JobStatus.COMPLETED:
        answer.headers["Server-Timing"] = server_timing(job, started)
    return answer


@router.get(
    PATH + "/{scan_id}",
    response_model=ScanAnalysisBody,
    responses={202: {"model": ScanJobBody, "description": "Not ready yet; Location is the job."}},
)
async def get_scan(request: Request, scan_id: UUID, caller: CycleCaller, handlers: UsesScans) -> Response:
    """Look at a scan of a photo: what POST would answer now."""
    return await _answer(request, caller, handlers, *await handlers.find(caller, str(scan_id)))


async def _read_json(request: Request) -> bytes:
    """The body as it came.

    Raises:
        Rejected: request_too_large; only a photo may be as large as the path allows.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _JSON_BYTES:
            detail = f"A JSON body may have {_JSON_BYTES:,} bytes here. Send photos as multipart/form-data."
            raise Rejected("request_too_large", detail)
    return bytes(body)


async def _answer(
    request: Request, caller: Caller, handlers: ScanHandlers, job: Job, result: ScanResult | None
) -> Response:
    """The job's end, or the job where it has none yet."""
    if not job.status.ended:
        body = scan_job_body(await handlers.platform.job(caller, job.id))
        return private_json(body, HTTPStatus.ACCEPTED, {"Location": f"/jobs/{job.id}", "Retry-After": "1"})
    # what is returned here is an answer, and not raised: it is the same again under the same Idempotency-Key
    if job.error is not None:
        idempotency.needs_other_ids(request)
        return problem_of_failed_job(request, job.error, scanId=job.id)
    if job.status is JobStatus.CANCELLED:
        detail = "The analysis was cancelled. Send the photo again, as another request, to have it analysed."
        return problem(request, "analysis_cancelled", HTTPStatus.CONFLICT, detail, scanId=job.id)
    return private_json(scan_analysis_body(require_scan(result)))
