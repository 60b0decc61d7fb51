"""TryOnAI: send a photo, get it back with a look on it. Who knows a session's id may look at it."""

from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from mien_api.answers import private_json
from mien_api.consent import ConsentHeader, said
from mien_api.forms import OVERHEAD_BYTES, read_photo_form
from mien_api.problems import problem
from mien_api.routers.dependencies import TryOnCaller, UsesSkinHandlers
from mien_api.tryon_handlers import TryOnHandlers
from mien_api.tryon_schemas import CreatedSession, SessionBody, TryOnForm, session_body
from mien_api.usage import note_job
from mien_core.errors import Rejected
from mien_core.rules.tryon import DEFAULT_LOOK, LOOKS
from mien_core.rules.uploads import MAX_BYTES

PATH: Final = "/api/tryon/sessions"
MAX_BODY_BYTES: Final = MAX_BYTES + OVERHEAD_BYTES

_LOOK: Final[dict[str, Any]] = {
    "description": f"the name of a look (none is {DEFAULT_LOOK}), or a saved look's presets as JSON",
    "anyOf": [{"type": "string", "enum": list(LOOKS)}, {"type": "string", "pattern": r"^[ \t\n\r]*\["}],
    "examples": ["classic-red"],
}
_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image", "user_token"],
                    "properties": {
                        "image": {"type": "string", "format": "binary", "description": "JPEG, PNG or WebP, 10 MB"},
                        "user_token": {
                            "type": "string",
                            "minLength": 1,
                            "maxLength": 255,
                            "pattern": r"^[^\x00-\x1f\x7f]+$",
                            "description": "groups the sessions of one visitor; it opens nothing",
                            "examples": ["visitor-1"],
                        },
                        "look": _LOOK,
                        "consent": {"type": "boolean", "description": "the person in the photo agreed"},
                    },
                }
            }
        },
    }
}

router = APIRouter(tags=["TryOnAI"])


async def _tryon_handlers(handlers: UsesSkinHandlers) -> TryOnHandlers:
    return TryOnHandlers(handlers.platform, handlers.door)


UsesTryOn = Annotated[TryOnHandlers, Depends(_tryon_handlers)]


@router.post(PATH, status_code=HTTPStatus.CREATED, response_model=CreatedSession, openapi_extra=_FORM)
async def create_session(
    request: Request, caller: TryOnCaller, handlers: UsesTryOn, consent: ConsentHeader = None
) -> Response:
    """Begin a session: a look is put on a photo. Follow it at GET /jobs/{session_id}/events, or ask for it."""
    # read in here, so that nobody who may not call makes the process take a photo in
    form = await read_photo_form(request, TryOnForm)
    try:
        job = await handlers.create(
            caller,
            form.image,
            user_token=form.user_token,
            presets=form.look,
            consent=said(field=form.consent, header=consent),
        )
    except Rejected as error:
        if error.code != "photo_too_large":
            raise
        return problem(request, error.code, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error.detail)
    note_job(request, job.id)
    location = {"Location": f"{PATH}/{job.id}"}
    return private_json(CreatedSession(session_id=UUID(job.id)), HTTPStatus.CREATED, location)


@router.get(PATH + "/{session_id}", response_model=SessionBody)
async def get_session(session_id: UUID, caller: TryOnCaller, handlers: UsesTryOn) -> Response:
    """Look at a session. 24 hours after it began there is none any more."""
    return private_json(session_body(*await handlers.session(caller, str(session_id))))
