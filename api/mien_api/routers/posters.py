"""The Movie Poster Generator: accounts, posters and their history."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from mien_api import idempotency
from mien_api.answers import private_json
from mien_api.cursors import DEFAULT_LIMIT, Cursor, Limit
from mien_api.poster_handlers import Made, PosterHandlers
from mien_api.poster_schemas import (
    AccountBody,
    HistoryPage,
    NewAccountBody,
    OrderBody,
    PosterBody,
    account_body,
    history_page,
    poster_body,
)
from mien_api.preferences import applied, wait_seconds
from mien_api.problems import problem, problem_of_failed_job
from mien_api.routers.dependencies import PosterCaller
from mien_api.schemas import UserId
from mien_api.usage import note_job
from mien_core.model.platform import Caller, JobStatus

PATH: Final = "/movie-poster-api-design"

DEFAULT_WAIT_SECONDS: Final = 30.0
LONGEST_WAIT_SECONDS: Final = 120.0

# A GET that spends must come here each time, and its answer has a URL in it that expires.
_NO_STORE: Final = {"Cache-Control": "no-store"}

router = APIRouter(tags=["Posters"])


async def _poster_handlers(request: Request) -> PosterHandlers:
    handlers: PosterHandlers = request.app.state.poster_handlers
    return handlers


UsesPosters = Annotated[PosterHandlers, Depends(_poster_handlers)]
Prefer = Annotated[str | None, Header(description="wait=N holds the request open up to N seconds")]
Whose = Annotated[UserId | None, Query(description="whose; a token may leave it out")]


@router.post(
    "/user",
    response_model=AccountBody,
    status_code=HTTPStatus.CREATED,
    responses={200: {"model": AccountBody, "description": "The account is there already."}},
)
async def create_user(body: NewAccountBody, caller: PosterCaller, handlers: UsesPosters) -> Response:
    """Have an account, with its first credits; what is said of its user is noted, also later."""
    account, is_new = await handlers.open_account(caller, body.user_id, email=body.email, name=body.name)
    return private_json(account_body(account), HTTPStatus.CREATED if is_new else HTTPStatus.OK)


@router.get("/user", response_model=AccountBody)
async def get_user(caller: PosterCaller, handlers: UsesPosters, user_id: Whose = None) -> Response:
    """Read an account: its credits and its plan."""
    return private_json(account_body(await handlers.account(caller, user_id)))


@router.get(
    PATH,
    response_model=PosterBody,
    responses={202: {"model": PosterBody, "description": "Not ready within the wait; Location is the job."}},
)
async def get_poster(
    request: Request,
    order: Annotated[OrderBody, Query()],
    caller: PosterCaller,
    handlers: UsesPosters,
    prefer: Prefer = None,
) -> Response:
    """Make a poster for one credit; the same user and parameters within an hour are the same poster."""
    return await _made(request, order, caller, handlers, prefer)


@router.post(
    PATH,
    response_model=PosterBody,
    responses={202: {"model": PosterBody, "description": "Not ready within the wait; Location is the job."}},
)
async def make_poster(
    request: Request, order: OrderBody, caller: PosterCaller, handlers: UsesPosters, prefer: Prefer = None
) -> Response:
    """Make a poster for one credit, as GET does; with an Idempotency-Key also a repeat after the hour costs nothing."""
    return await _made(request, order, caller, handlers, prefer)


@router.get("/history", response_model=HistoryPage)
async def list_posters(
    caller: PosterCaller,
    handlers: UsesPosters,
    user_id: Whose = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Read a user's posters, newest first."""
    page, urls = await handlers.history(caller, user_id, cursor=cursor, limit=limit)
    return private_json(history_page(page, urls), headers=_NO_STORE)


async def _made(
    request: Request, order: OrderBody, caller: Caller, handlers: PosterHandlers, prefer: str | None
) -> Response:
    wait = wait_seconds(prefer, DEFAULT_WAIT_SECONDS, LONGEST_WAIT_SECONDS)
    made = await handlers.make(caller, order.user_id, order.design(), wait)
    note_job(request, made.job.id)
    answer = _answer(request, made)
    answer.headers.update(_NO_STORE)
    answer.headers.update(applied(prefer, wait))
    return answer


def _answer(request: Request, made: Made) -> Response:
    """The job's end, or the poster as it is where its job has none yet."""
    job = made.job
    if not job.status.ended:
        headers = {"Location": f"/jobs/{job.id}", "Retry-After": "1"}
        return private_json(poster_body(made), HTTPStatus.ACCEPTED, headers)
    # what is returned here is an answer, and not raised: it is the same again under the same Idempotency-Key
    if job.error is not None:
        idempotency.needs_other_ids(request)
        return problem_of_failed_job(request, job.error, job_id=job.id)
    if job.status is JobStatus.CANCELLED:
        detail = "The poster was cancelled, and its credit given back. Ask for it again, as another request."
        return problem(request, "poster_cancelled", HTTPStatus.CONFLICT, detail, job_id=job.id)
    return private_json(poster_body(made))
