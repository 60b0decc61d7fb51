"""What the Movie Poster Generator's endpoints do: load, decide, save. No HTTP in here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mien_api.cursors import Cursors, Page
from mien_api.handlers import Handlers
from mien_api.ids import new_id
from mien_api.poster_settings import PosterSettings
from mien_api.waiting import wait_for_end
from mien_core.errors import Conflict, Missing, Rejected
from mien_core.events import poster_requested, to_record
from mien_core.intake import DEADLINE_SECONDS, PHOTO_SECONDS
from mien_core.model.keys import original_key, poster_key
from mien_core.model.platform import (
    Caller,
    Job,
    JobKind,
    JobStatus,
    NewJob,
    Upload,
    UploadState,
    require_owned,
    user_of,
)
from mien_core.model.posters import Design, NewPoster, Poster, PosterAccount, PosterPosition, position_of
from mien_core.ports.database import Transaction
from mien_core.rules.posters import SAME_SECONDS, fingerprint_of
from mien_core.telemetry import current_traceparent

_HISTORY: Final = Cursors("posters", PosterPosition)


@dataclass(frozen=True, slots=True)
class Made:
    """A poster, its job as it is by now, and where the picture is: a presigned URL, once the job is completed."""

    poster: Poster
    job: Job
    url: str | None


def owner_of(caller: Caller, user_id: str | None) -> str:
    """The user for whom something is done.

    Raises:
        Missing: user_not_found, if the caller may not act for that user.
        Rejected: user_id_missing, where an API key names nobody.
    """
    owner = user_of(caller, user_id)
    if owner is None:
        raise Rejected("user_id_missing", "Say for whom: send user_id, which a token may leave out and an API key not.")
    return owner


@dataclass(frozen=True)
class PosterHandlers:
    """The endpoints' handlers, over the platform's own; all raise Missing and Rejected as owner_of does."""

    platform: Handlers
    settings: PosterSettings

    async def open_account(
        self, caller: Caller, user_id: str | None, *, email: str | None, name: str | None
    ) -> tuple[PosterAccount, bool]:
        """Have an account, and note what is said of its user; True if it is new.

        Raises:
            Conflict: email_taken.
        """
        owner = owner_of(caller, user_id)
        async with self.platform.database.transaction() as transaction:
            accounts = transaction.poster_accounts
            is_new = await accounts.open(caller.tenant, owner, self.settings.welcome_credits)
            await accounts.describe(caller.tenant, owner, email=email, name=name)
            account = await accounts.get(caller.tenant, owner)
        return require_owned(account, caller, "user"), is_new

    async def account(self, caller: Caller, user_id: str | None) -> PosterAccount:
        """Read an account.

        Raises:
            Missing: user_not_found.
        """
        owner = owner_of(caller, user_id)
        async with self.platform.database.reading() as reading:
            return require_owned(await reading.poster_accounts.get(caller.tenant, owner), caller, "user")

    async def make(self, caller: Caller, user_id: str | None, design: Design, wait_seconds: float) -> Made:
        """Have a poster made, unless the user has this one already, and wait for it.

        Raises:
            Missing: upload_not_found.
            Conflict: purpose_not_poster, upload_not_received.
            Rejected: insufficient_credits.
        """
        owner = owner_of(caller, user_id)
        photo = None if design.upload_id is None else await self._photo(caller, owner, design.upload_id)
        async with self.platform.database.transaction() as transaction:
            poster, job = await self._ordered(transaction, Caller(caller.tenant, owner), owner, design)
            if photo is not None:
                await transaction.uploads.mark_received(photo.id, PHOTO_SECONDS)
        job, url = await wait_for_end(self.platform.database, job, wait_seconds, self._url)
        return Made(poster, job, url if job.status is JobStatus.COMPLETED else None)

    async def history(
        self, caller: Caller, user_id: str | None, *, cursor: str | None, limit: int
    ) -> tuple[Page[Poster], Mapping[str, str]]:
        """A page of a user's posters, newest first, and presigned URLs of those that are there, by job.

        Raises:
            Rejected: invalid_cursor.
        """
        binding = caller.tenant, owner_of(caller, user_id)
        after = _HISTORY.read(cursor, *binding)
        async with self.platform.database.reading() as reading:
            found = await reading.posters.of_user(*binding, after=after, limit=limit + 1)
        page = _HISTORY.page(found, limit, position_of, *binding)
        made = [one.job_id for one in page.things if one.status is JobStatus.COMPLETED]
        keys = [poster_key(job_id) for job_id in made]
        urls = await self.platform.object_store.presign_gets(keys, self.platform.download_expires)
        return page, dict(zip(made, urls, strict=True))

    async def _ordered(self, transaction: Transaction, user: Caller, owner: str, design: Design) -> tuple[Poster, Job]:
        """The user's poster of this design, or a new one that is paid for and asked for."""
        accounts, posters, fingerprint = transaction.poster_accounts, transaction.posters, fingerprint_of(design)
        await accounts.open(user.tenant, owner, self.settings.welcome_credits)
        # of two at once the second waits here, and then finds the first one's poster
        await accounts.lock(user.tenant, owner)
        poster = await posters.alike(user.tenant, owner, fingerprint, SAME_SECONDS)
        if poster is not None:
            return poster, require_owned(await transaction.jobs.get(poster.job_id), user, "poster")
        new_job = NewJob(new_id(), user.tenant, owner, JobKind.RENDER_POSTER, None, DEADLINE_SECONDS)
        job, created = await transaction.jobs.create(new_job)
        if not created:
            # an earlier attempt at this very request came as far as this, longer ago than posters are alike
            return _require(await posters.of_job(job.id)), require_owned(job, user, "poster")
        await accounts.debit(job)
        poster = await posters.add(NewPoster(job.id, user.tenant, owner, design, fingerprint))
        await transaction.outbox.add(to_record(poster_requested(job.id, current_traceparent())))
        return poster, job

    async def _photo(self, caller: Caller, owner: str, upload_id: str) -> Upload:
        async with self.platform.database.reading() as reading:
            upload = require_owned(await reading.uploads.get(upload_id), caller, "upload")
        # what an API key announced without a user is everybody's in its tenant
        user = Caller(caller.tenant, owner) if upload.user_id is not None else caller
        require_owned(upload, user, "upload")
        if upload.purpose != "poster":
            detail = f"This upload was announced for {upload.purpose}. Announce another one with purpose poster."
            raise Conflict("purpose_not_poster", detail)
        expected = upload.state is UploadState.EXPECTED
        if expected and await self.platform.object_store.head(original_key(upload_id)) is None:
            detail = (
                "The photo has not arrived. PUT its bytes to the upload's URL, or announce a new upload if it expired."
            )
            raise Conflict("upload_not_received", detail)
        return upload

    async def _url(self, job: Job) -> str:
        return await self._url_of(job.id)

    async def _url_of(self, job_id: str) -> str:
        return await self.platform.object_store.presign_get(poster_key(job_id), self.platform.download_expires)


def _require(poster: Poster | None) -> Poster:
    if poster is None:
        raise Missing("poster_not_found", "There is no such poster any more. Ask for it with another request.")
    return poster
