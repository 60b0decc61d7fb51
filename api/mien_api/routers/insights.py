"""Glow Cycle: what a user is told of their own diary in words."""

import time
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Request, Response

from mien_api import idempotency
from mien_api.answers import private_json
from mien_api.cursors import DEFAULT_LIMIT, Cursor, Limit
from mien_api.insight_handlers import InsightHandlers, require_insight
from mien_api.insight_schemas import (
    InsightBody,
    InsightJobBody,
    InsightPage,
    InsightRequest,
    insight_body,
    insight_job_body,
    insight_page,
)
from mien_api.preferences import applied, wait_seconds
from mien_api.problems import problem, problem_of_failed_job
from mien_api.routers.dependencies import CycleCaller, handlers_of
from mien_api.schemas import UserId
from mien_api.timing import server_timing
from mien_api.usage import note_job
from mien_core.model.platform import JobStatus

PATH: Final = "/insights"

DEFAULT_WAIT_SECONDS: Final = 30.0
LONGEST_WAIT_SECONDS: Final = 120.0

router = APIRouter(tags=["Glow Cycle"])


async def _insight_handlers(request: Request) -> InsightHandlers:
    return InsightHandlers(handlers_of(request))


UsesInsights = Annotated[InsightHandlers, Depends(_insight_handlers)]


@router.post(
    PATH,
    response_model=InsightBody,
    responses={202: {"model": InsightJobBody, "description": "Not ready within the wait; Location is the job."}},
)
async def ask_for_insight(
    request: Request,
    body: InsightRequest,
    caller: CycleCaller,
    handlers: UsesInsights,
    prefer: Annotated[str | None, Header(description="wait=N holds the request open up to N seconds")] = None,
) -> Response:
    """Have a user's diary of some days put into words, by a language model or, where there is none, by rules."""
    started = time.perf_counter()
    wait = wait_seconds(prefer, DEFAULT_WAIT_SECONDS, LONGEST_WAIT_SECONDS)
    job, insight = await handlers.ask(caller, body.user_id, first=body.from_, last=body.to, wait_seconds=wait)
    note_job(request, job.id)
    headers = applied(prefer, wait)
    if not job.status.ended:
        shown_job = insight_job_body(await handlers.platform.job(caller, job.id))
        headers |= {"Location": f"/jobs/{job.id}", "Retry-After": "1"}
        return private_json(shown_job, HTTPStatus.ACCEPTED, headers)
    # what is returned here is an answer, and not raised: it is the same again under the same Idempotency-Key
    if job.error is not None:
        idempotency.needs_other_ids(request)
        return problem_of_failed_job(request, job.error, insightId=job.id)
    if job.status is JobStatus.CANCELLED:
        detail = "The insight was cancelled. Ask for another one."
        return problem(request, "insight_cancelled", HTTPStatus.CONFLICT, detail, insightId=job.id)
    headers["Server-Timing"] = server_timing(job, started)
    return private_json(insight_body(require_insight(insight)), headers=headers)


@router.get(PATH + "/{user_id}", response_model=InsightPage)
async def list_insights(
    user_id: UserId,
    caller: CycleCaller,
    handlers: UsesInsights,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Read a user's insights, newest first."""
    return private_json(insight_page(await handlers.insights(caller, user_id, cursor=cursor, limit=limit)))
