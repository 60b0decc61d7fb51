"""What a try-on session says of its job, and which looks have names."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mien_core.model.keys import tryon_key
from mien_core.model.looks import Category, Finish, Preset
from mien_core.model.platform import Job, JobError, JobStatus
from mien_core.model.tryon import SessionState, SessionStatus, TryOnSession

# The contract's: photo, picture and rows go a day after they came.
KEEP_SECONDS: Final = 24 * 3600

CANCELLED: Final = JobError("cancelled", "The session was cancelled. Begin another one to try a look on.")

_STATUSES: Final[Mapping[JobStatus, SessionStatus]] = MappingProxyType(
    {
        JobStatus.CREATED: "created",
        JobStatus.PROCESSING: "processing",
        JobStatus.COMPLETED: "completed",
        JobStatus.FAILED: "failed",
        JobStatus.CANCELLED: "failed",
    }
)


def state_of(job: Job) -> SessionState:
    """Tell how far a session has come by its job."""
    error = error_of(job)
    return SessionState(
        status=_STATUSES[job.status],
        output_key=tryon_key(job.id) if job.status is JobStatus.COMPLETED else None,
        error_reason=None if error is None else error.code,
    )


def error_of(job: Job) -> JobError | None:
    """Tell why a session has no picture; None if it has one, or may have one yet."""
    return CANCELLED if job.status is JobStatus.CANCELLED else job.error


def progress_message(session: TryOnSession) -> str:
    """Say to people how far a session has come."""
    return _MESSAGES[session.state.status] if session.error is None else session.error.detail


# what has failed says why
_MESSAGES: Final[Mapping[SessionStatus, str]] = MappingProxyType(
    {
        "created": "Your photo has arrived and waits for its turn.",
        "processing": "The look is being put on your photo.",
        "completed": "Your picture is ready.",
    }
)


def _preset(category: Category, color: str, finish: Finish, intensity: float) -> Preset:
    return Preset(category=category, color=color, finish=finish, intensity=intensity)


DEFAULT_LOOK: Final = "natural"
# The looks that can be asked for by name.
LOOKS: Final[Mapping[str, tuple[Preset, ...]]] = MappingProxyType(
    {
        DEFAULT_LOOK: (_preset("lipstick", "#B5646A", "satin", 0.5), _preset("blush", "#D98880", "matte", 0.35)),
        "soft-evening": (
            _preset("lipstick", "#A4414B", "satin", 0.7),
            _preset("blush", "#C9736F", "satin", 0.45),
            _preset("eyeshadow", "#8C6A5D", "shimmer", 0.4),
        ),
        "classic-red": (_preset("lipstick", "#B3122B", "matte", 0.85), _preset("blush", "#D0766F", "matte", 0.25)),
        "berry": (_preset("lipstick", "#7A2048", "gloss", 0.75), _preset("blush", "#B5577A", "matte", 0.4)),
    }
)
