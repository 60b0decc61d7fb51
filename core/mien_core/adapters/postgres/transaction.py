"""All repositories on one connection."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

from mien_core.adapters.postgres.analyses import PostgresAnalyses
from mien_core.adapters.postgres.credentials import PostgresApiKeys, PostgresAuditLog
from mien_core.adapters.postgres.dead_letters import PostgresDeadLetters
from mien_core.adapters.postgres.erasure_requests import PostgresErasureRequests
from mien_core.adapters.postgres.erasures import PostgresErasures
from mien_core.adapters.postgres.expiry import PostgresExpiry
from mien_core.adapters.postgres.holds import PostgresLegalHolds
from mien_core.adapters.postgres.insights import PostgresInsights
from mien_core.adapters.postgres.jobs import PostgresJobs
from mien_core.adapters.postgres.journal import PostgresJournal
from mien_core.adapters.postgres.logged_days import LoggedDays
from mien_core.adapters.postgres.looks import PostgresLooks
from mien_core.adapters.postgres.messages import PostgresInbox, PostgresOutbox
from mien_core.adapters.postgres.payments import PostgresPayments
from mien_core.adapters.postgres.periods import PostgresPeriods
from mien_core.adapters.postgres.personal_data import PostgresPersonalData
from mien_core.adapters.postgres.photo_days import PostgresPhotoDays
from mien_core.adapters.postgres.poster_accounts import PostgresPosterAccounts
from mien_core.adapters.postgres.posters import PostgresPosters
from mien_core.adapters.postgres.recommendations import PostgresProducts, PostgresRecommendations
from mien_core.adapters.postgres.retention import PostgresRetentionRuns
from mien_core.adapters.postgres.sharing import SignalsToSend
from mien_core.adapters.postgres.skin_analyses import PostgresSkinAnalyses
from mien_core.adapters.postgres.skin_scans import PostgresSkinScans
from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.tryon_sessions import PostgresTryOnSessions
from mien_core.adapters.postgres.uploads import PostgresUploads
from mien_core.adapters.postgres.usage import PostgresUsage
from mien_core.adapters.postgres.users import PostgresUsers
from mien_core.adapters.postgres.webhook_deliveries import PostgresWebhookDeliveries
from mien_core.adapters.postgres.webhooks import PostgresWebhooks

Made = TypeVar("Made")


class _Made(Generic[Made]):
    """functools.cached_property without its lock, which each request would take several times for nothing."""

    def __init__(self, make: Callable[[Any], Made]) -> None:
        self._make = make

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, own: Any, _: type) -> Made:
        made = own.__dict__[self._name] = self._make(own)
        return made


class PostgresTransaction:
    """All repositories on one connection; signals collects what is to be sent after the commit.

    Each is made when it is first asked for: a short request needs one or two of them.
    """

    def __init__(self, statements: Statements, signals: SignalsToSend) -> None:
        self.statements = statements
        self.signals = signals

    logged = _Made(lambda _: LoggedDays())
    users = _Made(lambda own: PostgresUsers(own.statements))
    uploads = _Made(lambda own: PostgresUploads(own.statements))
    jobs = _Made(lambda own: PostgresJobs(own.statements, own.signals))
    analyses = _Made(lambda own: PostgresAnalyses(own.statements))
    skin_analyses = _Made(lambda own: PostgresSkinAnalyses(own.statements))
    journal = _Made(lambda own: PostgresJournal(own.statements, own.logged))
    periods = _Made(lambda own: PostgresPeriods(own.statements, own.logged))
    skin_scans = _Made(lambda own: PostgresSkinScans(own.statements, own.logged))
    photo_days = _Made(lambda own: PostgresPhotoDays(own.statements))
    insights = _Made(lambda own: PostgresInsights(own.statements))
    looks = _Made(lambda own: PostgresLooks(own.statements))
    webhooks = _Made(lambda own: PostgresWebhooks(own.statements))
    webhook_deliveries = _Made(lambda own: PostgresWebhookDeliveries(own.statements, own.signals))
    poster_accounts = _Made(lambda own: PostgresPosterAccounts(own.statements))
    posters = _Made(lambda own: PostgresPosters(own.statements))
    payments = _Made(lambda own: PostgresPayments(own.statements))
    personal_data = _Made(lambda own: PostgresPersonalData(own.statements))
    erasures = _Made(lambda own: PostgresErasures(own.statements))
    erasure_requests = _Made(lambda own: PostgresErasureRequests(own.statements))
    holds = _Made(lambda own: PostgresLegalHolds(own.statements))
    tryon_sessions = _Made(lambda own: PostgresTryOnSessions(own.statements))
    expiry = _Made(lambda own: PostgresExpiry(own.statements))
    retention_runs = _Made(lambda own: PostgresRetentionRuns(own.statements))
    products = _Made(lambda own: PostgresProducts(own.statements))
    recommendations = _Made(lambda own: PostgresRecommendations(own.statements))
    outbox = _Made(lambda own: PostgresOutbox(own.statements, own.signals))
    inbox = _Made(lambda own: PostgresInbox(own.statements))
    dead_letters = _Made(lambda own: PostgresDeadLetters(own.statements))
    api_keys = _Made(lambda own: PostgresApiKeys(own.statements))
    audit_log = _Made(lambda own: PostgresAuditLog(own.statements))
    usage = _Made(lambda own: PostgresUsage(own.statements))

    async def now(self) -> datetime:
        """See ports.database.Transaction."""
        row = await (await self.statements.execute("SELECT clock_timestamp() AS now")).fetchone()
        assert row is not None  # noqa: S101 - a SELECT without FROM has one row; tells mypy so
        now: datetime = row["now"]
        return now
