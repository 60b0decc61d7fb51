"""Users' rights, the same for all applications: to have what is held about them, and to have it erased."""

from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from mien_api.privacy_handlers import PrivacyHandlers
from mien_api.routers.dependencies import AnyCaller, UsesHandlers
from mien_api.schemas import JobBody, UserId, job_body
from mien_api.scopes import require_scope
from mien_api.usage import note_job
from mien_core.certificate.document import SignedStatement
from mien_core.model.platform import Caller

_ARCHIVE: Final = {"schema": {"type": "string", "format": "binary"}, "example": "PK\x03\x04"}

router = APIRouter(tags=["Users"])


async def _user_caller(caller: AnyCaller) -> Caller:
    # users need no scope for what is their right; a key speaks for all users of its tenant, and needs one
    if caller.user_id is None:
        require_scope(caller, "users")
    return caller


UserCaller = Annotated[Caller, Depends(_user_caller)]


async def _privacy_handlers(handlers: UsesHandlers) -> PrivacyHandlers:
    return PrivacyHandlers(handlers)


UsesPrivacy = Annotated[PrivacyHandlers, Depends(_privacy_handlers)]


@router.get(
    "/users/{user_id}/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": _ARCHIVE}}},
)
async def export_user(user_id: UserId, caller: UserCaller, handlers: UsesPrivacy) -> Response:
    """Get everything that is held about a user, as a ZIP file: a JSON file for each table, photos and pictures.

    An archive that was broken off on the way has no end, and no tool opens it: ask again.
    """
    archive = await handlers.export(caller, user_id)
    headers = {"Content-Disposition": 'attachment; filename="export.zip"', "Cache-Control": "no-store"}
    return StreamingResponse(archive, media_type="application/zip", headers=headers)


@router.delete("/users/{user_id}", status_code=HTTPStatus.ACCEPTED, response_model=JobBody)
async def erase_user(request: Request, user_id: UserId, caller: UserCaller, handlers: UsesPrivacy) -> Response:
    """Have a user erased: rows, photos, pictures, and the work on them. Location is the job; it can't be cancelled.

    While it is under way, whatever would write something about the user is 409 erasure_in_progress. Asked for twice it
    is one job. Afterwards the user may come back, as somebody new. What is under a legal hold is not erased: 409
    legal_hold, or the job fails with that code if the hold came later.
    """
    job = await handlers.erase(caller, user_id)
    note_job(request, job.job.id)
    headers = {"Location": f"/jobs/{job.job.id}", "Retry-After": "1"}
    body = job_body(job).model_dump_json(by_alias=True)
    return Response(body, HTTPStatus.ACCEPTED, headers, media_type="application/json")


@router.get("/users/{user_id}/erasures/{job_id}/certificate", response_model=SignedStatement)
async def get_certificate(user_id: UserId, job_id: UUID, caller: UserCaller, handlers: UsesPrivacy) -> Response:
    """Get what proves that a user was erased: what was deleted, and that nothing was left, signed (Ed25519).

    `python -m mien_core.certificate verify` checks it with the platform's public key.
    """
    document = await handlers.certificate(caller, user_id, str(job_id))
    return Response(document, headers={"Cache-Control": "no-store"}, media_type="application/json")
