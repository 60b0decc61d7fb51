"""Skin Chapters: send a photo, get what it shows of the skin."""

import time
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import TypeAdapter

from mien_api import idempotency
from mien_api.consent import ConsentHeader, said
from mien_api.forms import OVERHEAD_BYTES, read_photo_form
from mien_api.preferences import applied, wait_seconds
from mien_api.problems import problem, problem_of_failed_job
from mien_api.routers.dependencies import SkinCaller, UsesSkinHandlers
from mien_api.schemas import UserId
from mien_api.skin_handlers import SkinHandlers
from mien_api.skin_schemas import SkinAnalysisBody, SkinForm, SkinJobBody, skin_analysis_body, skin_job_body
from mien_api.timing import server_timing
from mien_api.usage import note_job
from mien_core.errors import Rejected
from mien_core.model.platform import Analysis, Caller, Job, JobError, JobStatus
from mien_core.rules.uploads import MAX_BYTES

PATH: Final = "/v1/analyze/skin"
MAX_BODY_BYTES: Final = MAX_BYTES + OVERHEAD_BYTES

DEFAULT_WAIT_SECONDS: Final = 30.0
LONGEST_WAIT_SECONDS: Final = 120.0

_INVALID_IMAGE: Final = (400, "Invalid image format")
# Statuses and details that the contract fixes; what to do then stands in advice.
_FIXED: Final = {
    "not_an_image": _INVALID_IMAGE,
    "unsupported_image_format": _INVALID_IMAGE,
    "truncated_image": _INVALID_IMAGE,
    "image_too_complex": _INVALID_IMAGE,
    "metadata_too_large": _INVALID_IMAGE,
    "no_face": (400, "No face detected in the image"),
    "photo_too_large": (413, "The image is too large"),
}

_USER_ID: Final = TypeAdapter(UserId).json_schema()
_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "properties": {
                        "image": {"type": "string", "format": "binary", "description": "JPEG, PNG or WebP, 10 MB"},
                        "user_id": {**_USER_ID, "description": "whose history the result is saved to"},
                        "consent": {"type": "boolean", "description": "the person in the photo agreed"},
                    },
                }
            }
        },
    }
}

router = APIRouter(tags=["Skin Chapters"])


@router.post(
    PATH,
    response_model=SkinAnalysisBody,
    responses={202: {"model": SkinJobBody, "description": "Not ready within the wait; Location is the job."}},
    openapi_extra=_FORM,
)
async def analyze_skin(
    request: Request,
    caller: SkinCaller,
    handlers: UsesSkinHandlers,
    *,
    user_id: Annotated[UserId | None, Query(description="as the form's field")] = None,
    prefer: Annotated[str | None, Header(description="wait=N holds the request open up to N seconds")] = None,
    consent: ConsentHeader = None,
) -> Response:
    """Analyse the skin of the face in a photo."""
    started = time.perf_counter()
    wait = wait_seconds(prefer, DEFAULT_WAIT_SECONDS, LONGEST_WAIT_SECONDS)
    # read in here, so that nobody without a credential makes the process take a photo in
    form = await _form(request, user_id)
    try:
        job, analysis = await handlers.analyse(
            caller,
            form.image,
            user_id=form.user_id,
            consent=said(field=form.consent, header=consent),
            wait_seconds=wait,
        )
    except Rejected as error:
        if error.code not in _FIXED:
            raise
        return _refusal(request, JobError(error.code, error.detail))
    note_job(request, job.id)
    answer = await _answer(request, caller, handlers, job, analysis)
    answer.headers.update(applied(prefer, wait))
    if job.status is JobStatus.COMPLETED:
        answer.headers["Server-Timing"] = server_timing(job, started)
    return answer


@router.get(
    PATH + "/{analysis_id}",
    response_model=SkinAnalysisBody,
    responses={202: {"model": SkinJobBody, "description": "Not ready yet; Location is the job."}},
)
async def get_skin_analysis(
    request: Request, analysis_id: UUID, caller: SkinCaller, handlers: UsesSkinHandlers
) -> Response:
    """Look at an analysis: what POST would answer now."""
    return await _answer(request, caller, handlers, *await handlers.find(caller, str(analysis_id)))


async def _form(request: Request, user_id: str | None) -> SkinForm:
    """The form, with the user of the query where the form names none.

    Raises:
        RequestValidationError: with what is missing or wrong.
        Rejected: malformed_form, users_differ.
    """
    form = await read_photo_form(request, SkinForm)
    if user_id is None:
        return form
    if form.user_id not in {None, user_id}:
        raise Rejected("users_differ", "The query names another user than the form. Name one, or the same twice.")
    return form.model_copy(update={"user_id": user_id})


async def _answer(
    request: Request, caller: Caller, handlers: SkinHandlers, job: Job, analysis: Analysis | None
) -> Response:
    """The job's end, or the job where it has none yet."""
    if not job.status.ended:
        body = skin_job_body(await handlers.platform.job(caller, job.id))
        headers = {"Location": f"/jobs/{job.id}", "Retry-After": "1"}
        return Response(body.model_dump_json(), 202, headers, media_type="application/json")
    # what is returned here is an answer, and not raised: it is the same again under the same Idempotency-Key
    if job.error is not None:
        idempotency.needs_other_ids(request)
        return _refusal(request, job.error, analysis_id=job.id)
    if job.status is JobStatus.CANCELLED:
        detail = "The analysis was cancelled. Send the photo again, as another request, to have it analysed."
        return problem(request, "analysis_cancelled", HTTPStatus.CONFLICT, detail, analysis_id=job.id)
    shown = skin_analysis_body(job, await handlers.result(analysis))
    return Response(shown.model_dump_json(), media_type="application/json")


def _refusal(request: Request, error: JobError, **members: Any) -> Response:
    if error.code not in _FIXED:
        return problem_of_failed_job(request, error, **members)
    status, detail = _FIXED[error.code]
    return problem(request, error.code, status, detail, advice=error.detail, **members)
