"""Legal holds and erasures, for the operator."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response

from mien_api.answers import private_json
from mien_api.cursors import DEFAULT_LIMIT, Cursor, Limit
from mien_api.hold_handlers import ErasureHandlers, HoldHandlers
from mien_api.hold_schemas import ErasureBody, HoldBody, HoldsPage, NewErasureBody, NewHoldBody, hold_body, holds_page
from mien_api.routers.dependencies import OperatorCaller, UsesHandlers
from mien_api.routers.internal import PREFIX, operators_router
from mien_api.usage import note_job
from mien_core.certificate.document import SignedStatement
from mien_core.model.privacy import Person

router = operators_router()


async def _hold_handlers(handlers: UsesHandlers) -> HoldHandlers:
    return HoldHandlers(handlers.database)


async def _erasure_handlers(handlers: UsesHandlers) -> ErasureHandlers:
    return ErasureHandlers(handlers.database)


UsesHolds = Annotated[HoldHandlers, Depends(_hold_handlers)]
UsesErasures = Annotated[ErasureHandlers, Depends(_erasure_handlers)]


@router.put("/holds/{hold_id}", response_model=HoldBody)
async def place_hold(hold_id: UUID, body: NewHoldBody, _caller: OperatorCaller, handlers: UsesHolds) -> Response:
    """Have something kept: once this is answered, nothing that it covers goes, whoever asks for it.

    It waits for deletions that are under way. Again under the same id it changes nothing but name, reason and case.
    """
    return private_json(hold_body(await handlers.place(body.hold(str(hold_id)))))


@router.get("/holds", response_model=HoldsPage)
async def list_holds(
    _caller: OperatorCaller, handlers: UsesHolds, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Response:
    """Read the holds that stand."""
    return private_json(holds_page(await handlers.standing(cursor=cursor, limit=limit)))


@router.get("/holds/{hold_id}", response_model=HoldBody)
async def get_hold(hold_id: UUID, _caller: OperatorCaller, handlers: UsesHolds) -> Response:
    """Look at a hold, be it standing or lifted."""
    return private_json(hold_body(await handlers.hold(str(hold_id))))


@router.delete("/holds/{hold_id}", response_model=HoldBody)
async def release_hold(hold_id: UUID, _caller: OperatorCaller, handlers: UsesHolds) -> Response:
    """Lift a hold: what it kept may go from now on. A second time changes nothing."""
    return private_json(hold_body(await handlers.release(str(hold_id))))


@router.post("/erasures", status_code=HTTPStatus.ACCEPTED, response_model=ErasureBody)
async def ask_for_erasure(
    request: Request, body: NewErasureBody, _caller: OperatorCaller, handlers: UsesErasures
) -> Response:
    """Ask for a user's erasure, in the same way as DELETE /users/{user_id}. Location is the erasure.

    Where a legal hold is in its way it is blocked, and begins when it is asked for again after the hold was lifted.
    """
    person = Person(body.tenant, body.user_id)
    shown = await handlers.ask(str(body.id), person, body.requested_by)
    if shown.job_id is not None:
        note_job(request, str(shown.job_id))
    headers = {"Location": f"{PREFIX}/erasures/{body.id}", "Retry-After": "1"}
    return private_json(shown, HTTPStatus.ACCEPTED, headers)


@router.get("/erasures/{erasure_id}", response_model=ErasureBody)
async def get_erasure(erasure_id: UUID, _caller: OperatorCaller, handlers: UsesErasures) -> Response:
    """Look at an erasure that was asked for here."""
    return private_json(await handlers.erasure(str(erasure_id)))


@router.get("/erasures/{erasure_id}/certificate", response_model=SignedStatement)
async def get_erasure_certificate(erasure_id: UUID, _caller: OperatorCaller, handlers: UsesErasures) -> Response:
    """Get what proves an erasure, as GET /users/{user_id}/erasures/{job_id}/certificate does."""
    document = await handlers.certificate(str(erasure_id))
    return Response(document, headers={"Cache-Control": "no-store"}, media_type="application/json")
