"""Units of work on all of it."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from mien_core.idempotency import IdempotencyKeys
from mien_core.ports.analyses import Analyses, SkinAnalyses
from mien_core.ports.audit import AuditLog
from mien_core.ports.credentials import ApiKeys
from mien_core.ports.cycle import Journal, Periods, PhotoDays, SkinScans
from mien_core.ports.expiry import Expiry
from mien_core.ports.holds import LegalHolds
from mien_core.ports.insights import Insights
from mien_core.ports.jobs import Jobs
from mien_core.ports.looks import Looks
from mien_core.ports.messages import DeadLetters, Inbox, Outbox
from mien_core.ports.posters import Payments, PosterAccounts, Posters
from mien_core.ports.privacy import ErasureRequests, Erasures, PersonalData
from mien_core.ports.recommendations import Products, Recommendations
from mien_core.ports.retention import RetentionRuns
from mien_core.ports.signals import Channel, ChannelSubscription, Leadership, Subscription
from mien_core.ports.tryon import TryOnSessions
from mien_core.ports.uploads import Uploads, Users
from mien_core.ports.webhooks import WebhookDeliveries, Webhooks
from mien_core.usage import Usage


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
