"""Try-on sessions: a photo, the look that is put on it, and what became of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mien_core.model.face import Value
from mien_core.model.looks import Preset
from mien_core.model.platform import JobError
from mien_core.model.serving import FaceRequest

# the words of the contract; a job's fifth one, cancelled, shows as failed
SessionStatus = Literal["created", "processing", "completed", "failed"]


@dataclass(frozen=True, slots=True)
class NewTryOnSession:
    """A session to be saved beside its job, whose id it has; input_key is where its photo lies."""

    id: str
    user_token: str
    input_key: str
    presets: tuple[Preset, ...]
    keep_seconds: int


@dataclass(frozen=True, slots=True)
class SessionState:
    """How far a session has come; output_key is where its picture lies once it is completed."""

    status: SessionStatus
    output_key: str | None
    error_reason: str | None


@dataclass(frozen=True, slots=True)
class TryOnSession:
    """A saved session. It belongs to whom its job belongs to; user_token only groups sessions.

    error is why there is no picture, with a detail for people; from expires_at on there is no session any more.
    """

    id: str
    tenant: str
    user_id: str | None
    user_token: str
    input_key: str
    presets: tuple[Preset, ...]
    state: SessionState
    error: JobError | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime


class TryOnRequest(FaceRequest):
    """Asks serving to put a look on one upload's photo; job_id names the picture."""

    job_id: str
    presets: tuple[Preset, ...]


class TryOnAnswer(Value):
    """Where the picture lies, which revision found the face, and the milliseconds of each step."""

    model_revision: str
    output_key: str
    timings: dict[str, float]
