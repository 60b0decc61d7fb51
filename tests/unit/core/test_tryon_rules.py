"""What a session says of its job, which looks have names, and when photos go."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from mien_core.model.expiry import ExpiredPhoto
from mien_core.model.platform import Job, JobError, JobKind, JobStatus, Purpose, Upload, UploadState
from mien_core.model.tryon import SessionState, TryOnSession
from mien_core.rules.expiry import SETTLED, UNFINISHED, is_due, objects_of
from mien_core.rules.tryon import DEFAULT_LOOK, LOOKS, error_of, progress_message, state_of

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def job(status: JobStatus, error: JobError | None = None) -> Job:
    return Job(
        id=str(uuid4()),
        tenant="public",
        user_id=None,
        kind=JobKind.RENDER_TRYON,
        upload_id=str(uuid4()),
        status=status,
        error=error,
        timings={},
        created_at=NOW,
        updated_at=NOW,
        deadline_at=NOW,
        redrives=0,
    )


def session(of: Job) -> TryOnSession:
    return TryOnSession(
        of.id, "public", None, "visitor", "key", LOOKS["natural"], state_of(of), error_of(of), NOW, NOW, NOW
    )


def upload(purpose: Purpose = "glam", state: UploadState = UploadState.EXPECTED) -> Upload:
    """One that expires NOW."""
    return Upload(
        id="u",
        tenant="public",
        user_id=None,
        purpose=purpose,
        content_type="image/jpeg",
        content_length=1,
        consent="attested",
        state=state,
        created_at=NOW,
        expires_at=NOW,
    )


@pytest.mark.parametrize("status", JobStatus)
def test_a_session_has_a_word_of_the_contract(status: JobStatus) -> None:
    """Four words for five states; a picture only where it is completed, a reason only where it failed."""
    of = job(status, JobError("no_face", "No face.") if status is JobStatus.FAILED else None)
    state = state_of(of)
    assert state.status == ("failed" if status is JobStatus.CANCELLED else status.value)
    assert (state.output_key == f"tryons/{of.id}.webp") == (status is JobStatus.COMPLETED)
    assert (state.error_reason is not None) == (state.status == "failed")


def test_people_are_told_how_far_it_is() -> None:
    """Each state has a sentence of its own; a failure says what the job says, a cancellation that it was one."""
    states = (JobStatus.CREATED, JobStatus.PROCESSING, JobStatus.COMPLETED, JobStatus.CANCELLED)
    messages = [progress_message(session(job(status))) for status in states]
    assert len(set(messages)) == len(states)
    assert "cancelled" in messages[-1]
    assert progress_message(session(job(JobStatus.FAILED, JobError("no_face", "No face.")))) == "No face."
    assert state_of(job(JobStatus.CANCELLED)) == SessionState("failed", None, "cancelled")


def test_looks_have_names() -> None:
    """The default one is among them, and each names a category once."""
    assert DEFAULT_LOOK in LOOKS
    for presets in LOOKS.values():
        categories = [preset.category for preset in presets]
        assert len(set(categories)) == len(categories) > 0


@pytest.mark.parametrize("state", UploadState)
def test_a_try_ons_photo_goes_when_work_on_it_has_settled(state: UploadState) -> None:
    """Not at the moment at which it expires: who began before that may still be writing."""
    photo = upload(purpose="tryon", state=state)
    assert not is_due(photo, NOW + SETTLED - MOMENT)
    assert is_due(photo, NOW + SETTLED)


def test_an_unfinished_photo_goes_after_a_day() -> None:
    """One that came doesn't go by this rule, however old it is."""
    assert not is_due(upload(), NOW + UNFINISHED - MOMENT)
    assert is_due(upload(), NOW + UNFINISHED)
    assert not is_due(upload(state=UploadState.RECEIVED), NOW + 100 * UNFINISHED)


def test_all_objects_go_with_their_photo() -> None:
    """Original and photo of each, and a try-on's pictures."""
    assert objects_of(ExpiredPhoto("u", "glam", ("j",))) == ["uploads/u/original", "uploads/u/photo"]
    assert objects_of(ExpiredPhoto("u", "tryon", ("j",))) == [
        "uploads/u/original",
        "uploads/u/photo",
        "tryons/j.webp",
    ]
