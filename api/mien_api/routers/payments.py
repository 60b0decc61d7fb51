"""POST /pay of the Movie Poster Generator: a user orders, and the provider says on the same path what came of it."""

import time
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ValidationError

from mien_api.answers import private_json
from mien_api.forms import invalid_body
from mien_api.limits import Limiting
from mien_api.payment_events import ProviderEvent, word_of
from mien_api.payment_handlers import PaymentHandlers
from mien_api.poster_schemas import PayBody, PaymentBody, ReceivedBody, payment_body
from mien_api.routers.dependencies import SIGNATURE_HEADER, PosterCallerOrSignature
from mien_core.errors import Rejected

Body = TypeVar("Body", bound=BaseModel)

_FORMS: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": SIGNATURE_HEADER,
            "in": "header",
            "required": False,
            "description": "The provider's signature of the raw body (t=…,v1=…), instead of a credential.",
            "schema": {"type": "string"},
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                # the provider's events are the provider's to describe
                "schema": PayBody.model_json_schema(),
                "example": {"user_id": "anna", "pack": "starter"},
            }
        },
    },
}

router = APIRouter(tags=["Posters"])


async def _payment_handlers(request: Request) -> PaymentHandlers:
    handlers: PaymentHandlers = request.app.state.payment_handlers
    return handlers


UsesPayments = Annotated[PaymentHandlers, Depends(_payment_handlers)]


@router.post(
    "/pay",
    response_model=PaymentBody,
    status_code=HTTPStatus.CREATED,
    responses={200: {"model": ReceivedBody, "description": "The provider's event is understood."}},
    openapi_extra=_FORMS,
)
async def pay(request: Request, caller: PosterCallerOrSignature, handlers: UsesPayments) -> Response:
    """Order credits or a plan, at the price of the server's list.

    The payment is pending until the provider's event comes: on this path, too, signed in Stripe's scheme.
    """
    # read as it came: the very bytes are what is signed
    body = await request.body()
    if caller is None:
        return private_json(await _received(request, body, handlers))
    order = _read(body, PayBody)
    payment = await handlers.order(caller, order.user_id, order.pack)
    return private_json(payment_body(payment), HTTPStatus.CREATED)


async def _received(request: Request, body: bytes, handlers: PaymentHandlers) -> ReceivedBody:
    limiting: Limiting = request.app.state.limiting
    async with limiting.verifying(request):
        handlers.check_signature(",".join(request.headers.getlist(SIGNATURE_HEADER)), body, time.time())
    try:
        word = word_of(_read(body, ProviderEvent))
    except ValidationError as error:
        raise invalid_body(error, "data", "object") from error
    if word is None:
        return ReceivedBody(payment_id=None, status=None)
    payment = await handlers.settle(word)
    return ReceivedBody(payment_id=payment.id, status=payment.status)


def _read(body: bytes, kind: type[Body]) -> Body:
    """Read a body.

    Raises:
        Rejected: malformed_json.
        RequestValidationError: with what is missing or wrong.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        if any(one["type"] == "json_invalid" for one in error.errors(include_url=False, include_input=False)):
            detail = "The body is not JSON that can be read. Send a JSON object in UTF-8."
            raise Rejected("malformed_json", detail) from error
        raise invalid_body(error) from error
