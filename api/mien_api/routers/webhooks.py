"""Webhooks: who is told of the ends of jobs."""

from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from mien_api.answers import private_json
from mien_api.cursors import DEFAULT_LIMIT, Cursor, Limit
from mien_api.routers.dependencies import UsesHandlers, WebhookCaller
from mien_api.webhook_handlers import WebhookHandlers, WebhookRules
from mien_api.webhook_schemas import (
    NewWebhookBody,
    SentTestBody,
    WebhooksPage,
    WebhookWithSecretBody,
    webhook_with_secret,
    webhooks_page,
)
from mien_core.errors import Unavailable

router = APIRouter(tags=["Platform"])

# nobody on the way keeps what is shown once
_UNKEPT: Final = {"Cache-Control": "no-store"}
_FULL: Final[dict[int | str, dict[str, Any]]] = {409: {"description": "There are 100 of them already."}}
_DISABLED: Final[dict[int | str, dict[str, Any]]] = {409: {"description": "The webhook is disabled."}}


async def _webhook_handlers(request: Request, handlers: UsesHandlers) -> WebhookHandlers:
    rules: WebhookRules | None = request.app.state.webhook_rules
    if rules is None:
        raise Unavailable("webhooks_unavailable", "Webhooks are not set up here. Ask whoever runs this platform.", 3600)
    return WebhookHandlers(handlers.database, rules)


UsesWebhooks = Annotated[WebhookHandlers, Depends(_webhook_handlers)]


@router.post("/webhooks", status_code=HTTPStatus.CREATED, response_model=WebhookWithSecretBody, responses=_FULL)
async def register_webhook(body: NewWebhookBody, caller: WebhookCaller, handlers: UsesWebhooks) -> Response:
    """Register a webhook: it is told of the ends of jobs from now on, an API key's of all its tenant's users.

    The secret that signs its messages is shown this once.
    """
    shown = webhook_with_secret(*await handlers.register(caller, body.url, body.events))
    return private_json(shown, HTTPStatus.CREATED, _UNKEPT)


@router.get("/webhooks", response_model=WebhooksPage)
async def list_webhooks(
    caller: WebhookCaller, handlers: UsesWebhooks, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Response:
    """Read the webhooks that the credential may see, newest first."""
    return private_json(webhooks_page(await handlers.webhooks(caller, cursor=cursor, limit=limit)))


@router.delete("/webhooks/{webhook_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_webhook(webhook_id: UUID, caller: WebhookCaller, handlers: UsesWebhooks) -> None:
    """Delete a webhook: nothing is sent there any more, nor what waits to be."""
    await handlers.remove(caller, str(webhook_id))


@router.post("/webhooks/{webhook_id}/rotate", response_model=WebhookWithSecretBody)
async def rotate_secret(webhook_id: UUID, caller: WebhookCaller, handlers: UsesWebhooks) -> Response:
    """Give a webhook another secret, shown this once; for 24 hours messages are signed with the one before it, too."""
    return private_json(webhook_with_secret(*await handlers.rotate(caller, str(webhook_id))), headers=_UNKEPT)


@router.post(
    "/webhooks/{webhook_id}/test",
    status_code=HTTPStatus.ACCEPTED,
    response_model=SentTestBody,
    responses=_DISABLED,
)
async def send_test(webhook_id: UUID, caller: WebhookCaller, handlers: UsesWebhooks) -> Response:
    """Send a message of the type test, with the webhook's id as data, whatever events the webhook is for."""
    return private_json(SentTestBody(id=await handlers.test(caller, str(webhook_id))), HTTPStatus.ACCEPTED)
