"""What TryOnAI's endpoints do: load, decide, save. No HTTP in here."""

import logging
from dataclasses import dataclass

from mien_api.door import PhotoDoor
from mien_api.handlers import Handlers
from mien_api.ids import new_id
from mien_api.photos import take_in
from mien_core.events import to_record, try_on_requested
from mien_core.intake import DEADLINE_SECONDS
from mien_core.model.keys import photo_key
from mien_core.model.looks import Preset
from mien_core.model.platform import Caller, Job, JobKind, NewJob, Upload, require_owned
from mien_core.model.tryon import NewTryOnSession, TryOnSession
from mien_core.rules.tryon import KEEP_SECONDS
from mien_core.telemetry import current_traceparent

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TryOnHandlers:
    """The endpoints' handlers, over the platform's own and the door for pixels."""

    platform: Handlers
    door: PhotoDoor

    async def create(
        self, caller: Caller, image: bytes, *, user_token: str, presets: tuple[Preset, ...], consent: bool | None
    ) -> Job:
        """Take a photo in and begin its session; the job's id is the session's.

        Raises:
            Rejected: as photos.take_in.
        """
        upload = await take_in(
            self.platform, self.door, caller, image, purpose="tryon", user_id=caller.user_id, consent=consent
        )
        written = {"key": photo_key(upload.id), "bytes": upload.content_length}
        logger.info("A try-on's photo was written", extra=written)
        job = await self._begin(upload, new_id(), user_token, presets)
        logger.info("A try-on session is created", extra={"job_id": job.id, "upload_id": upload.id})
        return job

    async def session(self, caller: Caller, session_id: str) -> tuple[TryOnSession, str | None]:
        """Find a session and, if it is completed, a URL of its picture.

        Raises:
            Missing: session_not_found, also once it has expired.
        """
        async with self.platform.database.reading() as reading:
            session = require_owned(await reading.tryon_sessions.get(session_id), caller, "session")
        key = session.state.output_key
        url = None if key is None else await self.platform.object_store.presign_get(key, self.platform.download_expires)
        return session, url

    async def _begin(self, upload: Upload, session_id: str, user_token: str, presets: tuple[Preset, ...]) -> Job:
        wanted = NewJob(
            id=session_id,
            tenant=upload.tenant,
            user_id=upload.user_id,
            kind=JobKind.RENDER_TRYON,
            upload_id=upload.id,
            deadline_seconds=DEADLINE_SECONDS,
        )
        session = NewTryOnSession(session_id, user_token, photo_key(upload.id), presets, KEEP_SECONDS)
        async with self.platform.database.transaction() as transaction:
            job, created = await transaction.jobs.create(wanted)
            if created:
                await transaction.uploads.mark_received(upload.id, KEEP_SECONDS)
                await transaction.tryon_sessions.add(session)
                requested = try_on_requested(upload.id, job.id, current_traceparent())
                await transaction.outbox.add(to_record(requested))
        return job
