"""What the inside needs from the outside, as protocols. adapters/ meets them; contract tests hold each to one suite."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from mien_core.idempotency import IdempotencyKeys
from mien_core.model.audit import AuditRow
from mien_core.model.dead_letters import EVERY_LETTER, Backlog, DeadLetter, NewDeadLetter, Selection
from mien_core.model.objects import ObjectPage
from mien_core.model.platform import (
    Analysis,
    ApiKey,
    Job,
    JobError,
    JobEvent,
    JobHistory,
    JobKind,
    JobStatus,
    NewAnalysis,
    NewApiKey,
    NewJob,
    NewSkinAnalysis,
    NewUpload,
    SkinAnalysis,
    Upload,
    User,
)
from mien_core.ports_cycle import Journal, Periods, PhotoDays, SkinScans
from mien_core.ports_expiry import Expiry
from mien_core.ports_holds import LegalHolds
from mien_core.ports_insights import Insights
from mien_core.ports_looks import Looks
from mien_core.ports_posters import Payments, PosterAccounts, Posters
from mien_core.ports_privacy import ErasureRequests, Erasures, PersonalData
from mien_core.ports_recommendations import Products, Recommendations
from mien_core.ports_retention import RetentionRuns
from mien_core.ports_tryon import TryOnSessions
from mien_core.ports_webhooks import WebhookDeliveries, Webhooks
from mien_core.usage import Usage


@dataclass(frozen=True)
class PresignedPut:
    """A URL that takes one object of the signed type and length until it expires; send the headers as given."""

    url: str
    method: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class ObjectFacts:
    """What the store knows of an object without reading it; size in bytes."""

    size: int
    content_type: str


class ObjectStore(Protocol):
    """A bucket. Every method raises Unavailable (code object_store_unavailable) when the store can't be reached."""

    async def presign_put(self, key: str, content_type: str, content_length: int, expires_seconds: int) -> PresignedPut:
        """Sign an upload; no round trip."""

    async def presign_get(self, key: str, expires_seconds: int) -> str:
        """Sign a download; no round trip."""

    async def presign_gets(self, keys: Sequence[str], expires_seconds: int) -> list[str]:
        """Sign downloads of several objects, as presign_get does; in their order."""

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Write an object whole; an existing one is replaced."""

    async def get(self, key: str) -> bytes:
        """Read an object whole.

        Raises:
            Missing: object_not_found.
        """

    async def head(self, key: str) -> ObjectFacts | None:
        """Facts of an object, or None if there is none."""

    async def copy(self, source: str, target: str) -> None:
        """Write target with the bytes and type of source, which don't pass through here; an existing one is replaced.

        Raises:
            Missing: object_not_found, when there is no source.
        """

    async def delete(self, key: str) -> None:
        """Delete an object; deleting what isn't there is no error."""

    async def list(self, prefix: str) -> Sequence[str]:
        """The keys that begin with the prefix, in order; for prefixes that few do."""

    async def page(self, prefix: str, after: str, limit: int = 1000) -> ObjectPage:
        """Some objects whose keys begin with the prefix and come after a key ("" for the first), in order.

        Also those of which older versions alone are left. At most limit, which is at least 2, and perhaps fewer though
        there are more.
        """

    async def erase_objects(self, keys: Sequence[str]) -> None:
        """Delete these objects, with all their versions; deleting what isn't there is no error."""

    async def erase(self, prefix: str) -> int:
        """Delete whatever has a key that begins with the prefix, with all its versions, until nothing is found.

        Returns:
            How many objects and versions there were.
        """

    async def check(self) -> None:
        """Prove that the bucket can be reached."""


@dataclass(frozen=True, slots=True)
class Record:
    """A message as it lies on a topic."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A record that waits for its publication; ids grow, so their order is the order of writing."""

    id: int
    record: Record
    created_at: datetime


class EventPublisher(Protocol):
    """The way onto the topics; only the relay uses it."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when every in-sync replica has every record.

        Raises:
            Unavailable: broker_unavailable; some of the records may have been published.
            Rejected: record_refused; one of the records can't be published, now or later: it is too large or its
                topic doesn't exist. Some of the others may have been published.
        """


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


class Jobs(Protocol):
    """The jobs and job_events tables. Every end is announced on Channel.JOB_ENDS after the commit.

    An end also becomes a message for each webhook that is for it, in the same transaction.
    """

    async def create(self, job: NewJob) -> tuple[Job, bool]:
        """Create the job; if there is one of this kind for its upload, or with its id, give that back and False.

        A job without an upload has its user appear on first sight.
        """

    async def get(self, job_id: str) -> Job | None:
        """Read one."""

    async def of_upload(self, kind: JobKind, upload_id: str) -> Job | None:
        """Read the one job of this kind for this upload."""

    async def open_by_kind(self) -> Mapping[JobKind, int]:
        """Count the jobs that have not ended, by kind; a kind without any may be left out."""

    async def lock(self, job_id: str) -> Job | None:
        """Read one and keep others from changing it until the transaction ends."""

    async def change(
        self,
        job_id: str,
        status: JobStatus,
        *,
        error: JobError | None = None,
        timings: Mapping[str, float] | None = None,
    ) -> Job:
        """Move a job to another status and record the step as its next job event; timings are added to its own.

        What its user paid for a job that ends without a result is given back.

        Raises:
            Missing: job_not_found.
            Conflict: job_already_ended; the end of a job never changes.
        """

    async def reopen(self, job_id: str, deadline_seconds: int) -> Job:
        """Have a job begin again, as created, with another deadline_seconds and without its error and timings.

        The way out of failed, for people only; it is recorded as the next job event and counted in redrives. What was
        given back for it is taken again.

        Raises:
            Missing: job_not_found.
            Conflict: job_already_ended, if it was completed or cancelled; insufficient_credits.
        """

    async def events(self, job_id: str, after_seq: int = 0) -> list[JobEvent]:
        """The steps after after_seq, in order."""

    async def histories(self, job_ids: Sequence[str]) -> list[JobHistory]:
        """Read jobs with all their steps, each as of one moment, in no order; those that don't exist are left out."""

    async def moved(self, seen: Mapping[str, int]) -> list[str]:
        """Of these jobs, each with the seq of the last step known of it, those with another last step, or gone."""


class Analyses(Protocol):
    """The analyses table: one row an upload."""

    async def save(self, analysis: NewAnalysis) -> Analysis:
        """Save; a second analysis of the same upload replaces the first."""

    async def get(self, upload_id: str) -> Analysis | None:
        """Read the analysis of an upload."""

    async def newest_of_pixels(self, tenant: str, pixel_digest: str, besides: str) -> Analysis | None:
        """Read the tenant's newest analysis of a photo with these pixels that says by its etag what made it.

        Args:
            tenant: the only one whose analyses are looked at.
            pixel_digest: as in PhotoFacts.
            besides: the upload that doesn't count.
        """


class SkinAnalyses(Protocol):
    """The skin_analyses table: what users were told, newest last."""

    async def save(self, analysis: NewSkinAnalysis) -> SkinAnalysis:
        """Save; a second one of the same id replaces the first. The user appears on first sight."""

    async def of_user(self, tenant: str, user_id: str) -> list[SkinAnalysis]:
        """A user's history, oldest first."""


class Outbox(Protocol):
    """Records that a transaction wants published. Additions are announced on Channel.OUTBOX after the commit."""

    async def add(self, record: Record, delay_seconds: float = 0) -> None:
        """Publish the record once this transaction has committed, not before delay_seconds from now."""

    async def due(self, limit: int) -> list[OutboxRow]:
        """Read the rows that may be published now, oldest id first."""

    async def remove(self, row_ids: Sequence[int]) -> None:
        """Forget rows that were published."""

    async def due_count(self) -> int:
        """How many rows may be published now."""

    async def oldest_due_seconds(self) -> float:
        """The age of the oldest row that may be published, in seconds; 0 if there is none."""


class Inbox(Protocol):
    """Which handler has dealt with which event. A row is written only with an outcome, in its transaction."""

    async def add(self, handler: str, event_id: str) -> bool:
        """Claim the event for this transaction; False means that another one dealt with it already."""

    async def has(self, handler: str, event_id: str) -> bool:
        """Tell whether the event was dealt with."""

    async def forget(self, handler: str, event_id: str) -> None:
        """Have the event count as not dealt with; only for whoever sends it to the handler again."""


class DeadLetters(Protocol):
    """The dead_letters table."""

    async def add(self, letter: NewDeadLetter) -> None:
        """Keep a message; the same handler, topic, partition and offset are kept once."""

    async def select(self, selection: Selection = EVERY_LETTER, limit: int | None = None) -> list[DeadLetter]:
        """The selected letters, oldest first, at most limit."""

    async def ids(self, selection: Selection = EVERY_LETTER, limit: int | None = None) -> list[int]:
        """The selected letters' ids, oldest first, at most limit: a list that stays small."""

    async def count(self, selection: Selection = EVERY_LETTER) -> int:
        """How many are selected."""

    async def lock(self, letter_id: int) -> DeadLetter | None:
        """Read one and keep others from taking it until the transaction ends."""

    async def remove(self, letter_id: int) -> None:
        """Take one away; what isn't there is no error."""

    async def backlogs(self) -> dict[str, Backlog]:
        """How many wait for somebody, and for how long, by handler; without those who have none."""


class ApiKeys(Protocol):
    """The api_keys table."""

    async def add(self, key: NewApiKey) -> ApiKey:
        """Save a key."""

    async def by_hash(self, secret_hash: str) -> ApiKey | None:
        """Find a key by its secret's hash, revoked ones included."""

    async def of_tenant(self, tenant: str | None) -> list[ApiKey]:
        """The keys of a tenant, or of all, oldest first."""

    async def revoke(self, key_id: str) -> ApiKey:
        """Revoke a key; a second time changes nothing.

        Raises:
            Missing: api_key_not_found.
        """


class AuditLog(Protocol):
    """Who did what; rows are only ever added, and each is bound to the one before it (rules.audit).

    That happens as the transaction commits. Whoever noted something as well waits for that commit, and for nothing
    before it.
    """

    async def add(self, actor: str, action: str, subject: str) -> None:
        """Note that the actor did this to the subject. No secrets, no personal data."""

    async def chain(self) -> None:
        """Bind what this transaction has noted now, for whoever needs the hashes; others wait until it has ended."""

    async def newest(self, action: str, subject: str) -> AuditRow | None:
        """The newest row that says this, of those that are bound."""

    async def rows(self, after: int, limit: int) -> list[AuditRow]:
        """The chain in order, beginning after a position, which is 0 for the first."""

    async def unchained(self) -> int:
        """How many rows are not bound: none, unless somebody switched off what does it."""


class Transaction(Protocol):
    """One unit of work: all of it is saved when the block ends, or nothing if it raises."""

    @property
    def users(self) -> Users:
        """The users."""

    @property
    def uploads(self) -> Uploads:
        """The uploads."""

    @property
    def jobs(self) -> Jobs:
        """The jobs and their steps."""

    @property
    def analyses(self) -> Analyses:
        """The analyses."""

    @property
    def skin_analyses(self) -> SkinAnalyses:
        """The users' histories of skin analyses."""

    @property
    def journal(self) -> Journal:
        """The users' journals."""

    @property
    def periods(self) -> Periods:
        """The users' logs of periods."""

    @property
    def skin_scans(self) -> SkinScans:
        """The users' skin diaries."""

    @property
    def photo_days(self) -> PhotoDays:
        """The days for which photos join a skin diary."""

    @property
    def insights(self) -> Insights:
        """What users were told of their diaries."""

    @property
    def looks(self) -> Looks:
        """The users' saved looks."""

    @property
    def webhooks(self) -> Webhooks:
        """Who wants to be told of the ends of jobs."""

    @property
    def webhook_deliveries(self) -> WebhookDeliveries:
        """What they have yet to be told."""

    @property
    def poster_accounts(self) -> PosterAccounts:
        """The poster generator's users and their credits."""

    @property
    def posters(self) -> Posters:
        """The users' posters."""

    @property
    def payments(self) -> Payments:
        """What users ordered."""

    @property
    def personal_data(self) -> PersonalData:
        """All that is held about a user."""

    @property
    def erasures(self) -> Erasures:
        """The users' erasures."""

    @property
    def erasure_requests(self) -> ErasureRequests:
        """What operators asked for."""

    @property
    def holds(self) -> LegalHolds:
        """What must be kept."""

    @property
    def tryon_sessions(self) -> TryOnSessions:
        """The try-on sessions."""

    @property
    def expiry(self) -> Expiry:
        """The photos whose time is over."""

    @property
    def products(self) -> Products:
        """The catalogue."""

    @property
    def recommendations(self) -> Recommendations:
        """The looks that were recommended."""

    @property
    def outbox(self) -> Outbox:
        """The records to publish."""

    @property
    def inbox(self) -> Inbox:
        """The events dealt with."""

    @property
    def dead_letters(self) -> DeadLetters:
        """The messages that nobody could take."""

    @property
    def api_keys(self) -> ApiKeys:
        """The credentials."""

    @property
    def usage(self) -> Usage:
        """What tenants have called."""

    @property
    def audit_log(self) -> AuditLog:
        """The record of who did what."""

    @property
    def retention_runs(self) -> RetentionRuns:
        """What is asked for of retention, and its lists."""

    async def now(self) -> datetime:
        """The database's clock, the only one that deadlines are compared with."""


class Leadership(Protocol):
    """The right to be the only active one; it lasts as long as its connection."""

    async def confirm(self) -> None:
        """Prove that the right still holds.

        Raises:
            Unavailable: leadership_lost.
        """


class Channel(StrEnum):
    """What there are signals about."""

    JOB_ENDS = "mien_job_ends"
    OUTBOX = "mien_outbox"
    WEBHOOKS = "mien_webhooks"


class Subscription(Protocol):
    """Signals of one topic since the subscription began."""

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - a signal may get lost, so every wait is bounded
        """Return True at the next signal, at once if one came since the last wait; False after timeout seconds."""


@dataclass(frozen=True, slots=True)
class Signalled:
    """Topics of one channel; missed means that there may have been others, and nobody knows which."""

    topics: frozenset[str] = frozenset()
    missed: bool = False


class ChannelSubscription(Protocol):
    """Signals of all topics of a channel since the subscription began."""

    async def wait(self, timeout: float) -> Signalled:  # noqa: ASYNC109 - a signal may get lost, so every wait is bounded
        """Return what was signalled since the last wait, once there is something; nothing after timeout seconds."""


class Database(Protocol):
    """Where the truth is. Every method raises Unavailable (database_unavailable) when it can't be reached."""

    @property
    def idempotency_keys(self) -> IdempotencyKeys:
        """Which requests were begun under an Idempotency-Key."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin a unit of work; signals go out after its commit."""

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        """Write without a unit of work: each call that adds or changes one thing is saved as it returns.

        What raises after it in the block undoes nothing. It has no begin and no commit, so it costs a third of a unit
        of work.
        """

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """Look without changing anything: each read sees what is committed at its moment. Writing in here fails.

        It has no begin and no commit, so for one or two reads it costs a third of a unit of work.
        """

    def subscribe(self, channel: Channel, topic: str = "") -> AbstractAsyncContextManager[Subscription]:
        """Hear signals about the topic (a job's id; "" for the outbox).

        Subscribe first, then read, then wait: so no change is missed. A signal is a hint and may get lost, so
        read again after each wait, also when it timed out.
        """

    def subscribe_all(self, channel: Channel) -> AbstractAsyncContextManager[ChannelSubscription]:
        """Hear signals about every topic of the channel; all that subscribe says holds here, too."""

    def leadership(self, name: str) -> AbstractAsyncContextManager[Leadership | None]:
        """Try to become the only active one of this name among all processes; None if another one is."""

    async def check(self) -> None:
        """Prove that the database can be reached."""
