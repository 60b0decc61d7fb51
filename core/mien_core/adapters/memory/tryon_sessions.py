"""The tryon_sessions table in memory, and uploads whose time is over."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from mien_core.adapters.memory.holds import are_held
from mien_core.adapters.memory.state import State
from mien_core.model.expiry import ExpiredPhoto
from mien_core.model.holds import WITH_UPLOAD
from mien_core.model.platform import Upload
from mien_core.model.tryon import NewTryOnSession, TryOnSession
from mien_core.rules.expiry import is_due
from mien_core.rules.tryon import error_of, state_of


class MemoryTryOnSessions:
    """Meets ports.tryon.TryOnSessions. A session's state is its job's, so there is nothing that has to follow."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, session: NewTryOnSession) -> None:
        """See ports.tryon.TryOnSessions."""
        self._state.tryon_sessions.setdefault(session.id, (session, datetime.now(UTC)))

    async def get(self, session_id: str) -> TryOnSession | None:
        """See ports.tryon.TryOnSessions."""
        session, created_at = self._state.tryon_sessions.get(session_id, (None, None))
        job = self._state.jobs.get(session_id)
        if session is None or created_at is None or job is None:
            return None
        expires_at = created_at + timedelta(seconds=session.keep_seconds)
        if datetime.now(UTC) >= expires_at:
            return None
        return TryOnSession(
            id=session.id,
            tenant=job.tenant,
            user_id=job.user_id,
            user_token=session.user_token,
            input_key=session.input_key,
            presets=session.presets,
            state=state_of(job),
            error=error_of(job),
            created_at=created_at,
            updated_at=max(created_at, job.updated_at),
            expires_at=expires_at,
        )


class MemoryExpiry:
    """Meets ports.expiry.Expiry."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def due(self, limit: int) -> list[ExpiredPhoto]:
        """See ports.expiry.Expiry."""
        now = datetime.now(UTC)
        found = sorted(
            (upload for upload in self._state.uploads.values() if self._may_go(upload, now)),
            key=lambda upload: upload.expires_at,
        )
        return [ExpiredPhoto(upload.id, upload.purpose, self._jobs_of(upload.id)) for upload in found[:limit]]

    async def remove(self, upload_ids: Sequence[str]) -> list[str]:
        """See ports.expiry.Expiry."""
        state, now = self._state, datetime.now(UTC)
        gone = [one for one in upload_ids if one in state.uploads and self._may_go(state.uploads[one], now)]
        for upload_id in gone:
            del state.uploads[upload_id]
            state.analyses.pop(upload_id, None)
            state.photo_days.pop(upload_id, None)
            for job_id in self._jobs_of(upload_id):
                del state.jobs[job_id]
                state.job_events.pop(job_id, None)
                state.tryon_sessions.pop(job_id, None)
        letters = state.dead_letters.items()
        state.dead_letters = {number: one for number, one in letters if one.job_id is None or one.job_id in state.jobs}
        return gone

    def _may_go(self, upload: Upload, now: datetime) -> bool:
        return is_due(upload, now) and not are_held(self._state, upload.tenant, upload.user_id, WITH_UPLOAD)

    def _jobs_of(self, upload_id: str) -> tuple[str, ...]:
        return tuple(job.id for job in self._state.jobs.values() if job.upload_id == upload_id)
