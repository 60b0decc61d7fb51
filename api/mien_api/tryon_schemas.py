"""What TryOnAI's frontend sends and gets, in its snake_case; the field names are the contract's."""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import from_json

from mien_api.schemas import UserId
from mien_core.errors import Rejected
from mien_core.model.looks import Preset
from mien_core.model.tryon import SessionStatus, TryOnSession
from mien_core.rules.tryon import DEFAULT_LOOK, LOOKS, progress_message

CREATED_MESSAGE: Final = "Session created successfully"
_EXAMPLE_ID: Final = "3f2b8c1e-5a0d-4b7e-9c46-0d3a1f6e8b52"


def _presets(look: object) -> object:
    """What a form's field means: a look's name, or presets as JSON; nothing is the default look.

    Raises:
        Rejected: unknown_look.
    """
    if not isinstance(look, str):
        return look
    text = look.strip()
    if text.startswith("["):
        try:
            return from_json(text)
        except ValueError as error:
            raise _unknown_look("The presets are not JSON that can be read.") from error
    if text and text not in LOOKS:
        raise _unknown_look("There is no such look.")
    return LOOKS[text or DEFAULT_LOOK]


def _unknown_look(what: str) -> Rejected:
    return Rejected("unknown_look", f"{what} Send one of {', '.join(LOOKS)}, or a saved look's presets as JSON.")


Look = Annotated[tuple[Preset, ...], BeforeValidator(_presets), Field(min_length=1, max_length=50)]


class TryOnForm(BaseModel):
    """The form that a photo comes with. consent: the person in the photo agreed to its use."""

    image: bytes
    user_token: UserId
    look: Look = LOOKS[DEFAULT_LOOK]
    consent: bool | None = None


class CreatedSession(BaseModel):
    """A session that has begun; session_id opens it, and is its job's id."""

    session_id: UUID = Field(examples=[_EXAMPLE_ID])
    status: Literal["created"] = "created"
    message: str = CREATED_MESSAGE


class SessionBody(BaseModel):
    """A session; output_image_url is null until it is completed, error_reason unless it failed."""

    id: UUID = Field(examples=[_EXAMPLE_ID])
    status: SessionStatus = Field(examples=["completed"])
    output_image_url: str | None = Field(examples=[f"https://s3.example/mien/tryons/{_EXAMPLE_ID}.webp?X-Amz-…"])
    error_reason: str | None = Field(examples=[None])
    progress_message: str = Field(examples=["Your picture is ready."])


def session_body(session: TryOnSession, output_url: str | None) -> SessionBody:
    """Show a session."""
    return SessionBody(
        id=UUID(session.id),
        status=session.state.status,
        output_image_url=output_url,
        error_reason=session.state.error_reason,
        progress_message=progress_message(session),
    )
