"""GlamAI's saved looks."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from mien_api.cursors import DEFAULT_LIMIT, Cursor, Limit
from mien_api.looks_handlers import LookHandlers
from mien_api.looks_schemas import LookBody, LooksPage, NewLookBody, look_body, looks_page
from mien_api.routers.dependencies import GlamCaller, handlers_of
from mien_api.schemas import UserId

router = APIRouter(tags=["GlamAI"])


def _looks(request: Request) -> LookHandlers:
    """Called and not depended on, as in routers.cycle."""
    return LookHandlers(handlers_of(request).database)


@router.post("/looks/save", status_code=HTTPStatus.CREATED, response_model=LookBody)
async def save_look(body: NewLookBody, caller: GlamCaller, request: Request) -> Response:
    """Save a look."""
    look = await _looks(request).save(
        caller,
        body.user_id,
        upload_id=None if body.upload_id is None else str(body.upload_id),
        name=body.name,
        presets=[one.preset for one in body.presets],
        products=[one.product for one in body.products],
    )
    return Response(look_body(look).model_dump_json(by_alias=True), HTTPStatus.CREATED, media_type="application/json")


@router.get("/looks/{user_id}", response_model=LooksPage)
async def list_looks(
    user_id: UserId, caller: GlamCaller, request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Response:
    """Read a user's looks, newest first."""
    page = await _looks(request).looks(caller, user_id, cursor=cursor, limit=limit)
    return Response(looks_page(page).model_dump_json(by_alias=True), media_type="application/json")
