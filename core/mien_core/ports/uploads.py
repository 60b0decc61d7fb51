"""The users and their photos."""

from typing import Protocol

from mien_core.model.platform import NewUpload, Upload, User


class Users(Protocol):
    """The users table."""

    async def note(self, tenant: str, user_id: str) -> None:
        """Have a row for the user from now on; one that is there stays as it is."""

    async def get(self, tenant: str, user_id: str) -> User | None:
        """Read one."""


class Uploads(Protocol):
    """The uploads table."""

    async def add(self, upload: NewUpload) -> Upload:
        """Announce an upload, in state expected; its user appears on first sight.

        An id that was announced before is the upload that it was, and expires no earlier than this one would.
        """

    async def get(self, upload_id: str) -> Upload | None:
        """Read one."""

    async def mark_received(self, upload_id: str, keep_seconds: int) -> None:
        """Note that the bytes are there and expire keep_seconds from now; a second time changes nothing."""
