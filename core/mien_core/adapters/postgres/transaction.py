"""All repositories on one connection."""

from datetime import datetime
from functools import cached_property

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


class PostgresTransaction:
    """All repositories on one connection; signals collects what is to be sent after the commit.

    Each is made when it is first asked for: a short request needs one or two of them.
    """

    def __init__(self, statements: Statements, signals: SignalsToSend) -> None:
        self.statements = statements
        self.signals = signals

    logged = cached_property(lambda _: LoggedDays())
    users = cached_property(lambda own: PostgresUsers(own.statements))
    uploads = cached_property(lambda own: PostgresUploads(own.statements))
    jobs = cached_property(lambda own: PostgresJobs(own.statements, own.signals))
    analyses = cached_property(lambda own: PostgresAnalyses(own.statements))
    skin_analyses = cached_property(lambda own: PostgresSkinAnalyses(own.statements))
    journal = cached_property(lambda own: PostgresJournal(own.statements, own.logged))
    periods = cached_property(lambda own: PostgresPeriods(own.statements, own.logged))
    skin_scans = cached_property(lambda own: PostgresSkinScans(own.statements, own.logged))
    photo_days = cached_property(lambda own: PostgresPhotoDays(own.statements))
    insights = cached_property(lambda own: PostgresInsights(own.statements))
    looks = cached_property(lambda own: PostgresLooks(own.statements))
    webhooks = cached_property(lambda own: PostgresWebhooks(own.statements))
    webhook_deliveries = cached_property(lambda own: PostgresWebhookDeliveries(own.statements, own.signals))
    poster_accounts = cached_property(lambda own: PostgresPosterAccounts(own.statements))
    posters = cached_property(lambda own: PostgresPosters(own.statements))
    payments = cached_property(lambda own: PostgresPayments(own.statements))
    personal_data = cached_property(lambda own: PostgresPersonalData(own.statements))
    erasures = cached_property(lambda own: PostgresErasures(own.statements))
    erasure_requests = cached_property(lambda own: PostgresErasureRequests(own.statements))
    holds = cached_property(lambda own: PostgresLegalHolds(own.statements))
    tryon_sessions = cached_property(lambda own: PostgresTryOnSessions(own.statements))
    expiry = cached_property(lambda own: PostgresExpiry(own.statements))
    retention_runs = cached_property(lambda own: PostgresRetentionRuns(own.statements))
    products = cached_property(lambda own: PostgresProducts(own.statements))
    recommendations = cached_property(lambda own: PostgresRecommendations(own.statements))
    outbox = cached_property(lambda own: PostgresOutbox(own.statements, own.signals))
    inbox = cached_property(lambda own: PostgresInbox(own.statements))
    dead_letters = cached_property(lambda own: PostgresDeadLetters(own.statements))
    api_keys = cached_property(lambda own: PostgresApiKeys(own.statements))
    audit_log = cached_property(lambda own: PostgresAuditLog(own.statements))
    usage = cached_property(lambda own: PostgresUsage(own.statements))

    async def now(self) -> datetime:
        """See ports.Transaction."""
        row = await (await self.statements.execute("SELECT clock_timestamp() AS now")).fetchone()
        assert row is not None  # noqa: S101 - a SELECT without FROM has one row; tells mypy so
        now: datetime = row["now"]
        return now
