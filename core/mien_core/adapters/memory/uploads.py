"""Users and their photos in memory."""

from dataclasses import asdict, replace
from datetime import timedelta

from mien_core.adapters.memory.state import State, note_user, utc_now
from mien_core.model.platform import NewUpload, Upload, UploadState, User


class MemoryUsers:
    """Meets ports.uploads.Users."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def note(self, tenant: str, user_id: str) -> None:
        """See ports.uploads.Users."""
        note_user(self._state, tenant, user_id)

    async def get(self, tenant: str, user_id: str) -> User | None:
        """See ports.uploads.Users."""
        return self._state.users.get((tenant, user_id))


class MemoryUploads:
    """Meets ports.uploads.Uploads."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, upload: NewUpload) -> Upload:
        """See ports.uploads.Uploads."""
        fields = asdict(upload)
        expires_in = timedelta(seconds=fields.pop("expires_in_seconds"))
        now = utc_now()
        if upload.user_id is not None:
            note_user(self._state, upload.tenant, upload.user_id)
        added = Upload(**fields, state=UploadState.EXPECTED, created_at=now, expires_at=now + expires_in)
        earlier = self._state.uploads.get(upload.id)
        if earlier is not None:
            added = replace(earlier, expires_at=max(earlier.expires_at, added.expires_at))
        self._state.uploads[upload.id] = added
        return added

    async def get(self, upload_id: str) -> Upload | None:
        """See ports.uploads.Uploads."""
        return self._state.uploads.get(upload_id)

    async def mark_received(self, upload_id: str, keep_seconds: int) -> None:
        """See ports.uploads.Uploads."""
        upload = self._state.uploads.get(upload_id)
        if upload is not None and upload.state is not UploadState.RECEIVED:
            expires_at = utc_now() + timedelta(seconds=keep_seconds)
            self._state.uploads[upload_id] = replace(upload, state=UploadState.RECEIVED, expires_at=expires_at)
