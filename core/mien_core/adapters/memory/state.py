"""What a database in memory holds."""

import copy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from mien_core.adapters.memory.ledger import Ledger
from mien_core.adapters.memory.webhook_rows import DeliveryRow, WebhookRow
from mien_core.model.audit import AuditRow
from mien_core.model.cycle import JournalEntry, Period, SkinScan
from mien_core.model.dead_letters import DeadLetter
from mien_core.model.holds import LegalHold
from mien_core.model.insights import Insight, NewInsight
from mien_core.model.looks import Look
from mien_core.model.platform import Analysis, ApiKey, Job, JobEvent, SkinAnalysis, Upload, User
from mien_core.model.posters import Payment, Poster, PosterAccount
from mien_core.model.privacy import Certificate, Deleted, Erasure, ErasureRequest, erasure_in_progress
from mien_core.model.recommendations import CatalogueProduct, NewRecommendation
from mien_core.model.retention import Run, RunItem
from mien_core.model.tryon import NewTryOnSession
from mien_core.ports.messages import OutboxRow
from mien_core.usage import Calls, UsageCount


@dataclass
class State:
    """Every table; rows are immutable, so a copy of the containers is a copy of all."""

    users: dict[tuple[str, str], User] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    job_events: dict[str, tuple[JobEvent, ...]] = field(default_factory=dict)
    analyses: dict[str, Analysis] = field(default_factory=dict)
    skin_analyses: dict[str, SkinAnalysis] = field(default_factory=dict)
    journal_entries: dict[str, JournalEntry] = field(default_factory=dict)
    periods: dict[str, Period] = field(default_factory=dict)
    skin_scans: dict[str, SkinScan] = field(default_factory=dict)
    photo_days: dict[str, date] = field(default_factory=dict)
    asked_insights: dict[str, NewInsight] = field(default_factory=dict)
    insights: dict[str, Insight] = field(default_factory=dict)
    looks: dict[str, Look] = field(default_factory=dict)
    webhooks: dict[str, WebhookRow] = field(default_factory=dict)
    webhook_deliveries: dict[str, DeliveryRow] = field(default_factory=dict)
    poster_accounts: dict[tuple[str, str], PosterAccount] = field(default_factory=dict)
    poster_ledger: Ledger = field(default_factory=list)
    posters: dict[str, Poster] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    erasures: dict[str, Erasure] = field(default_factory=dict)
    erasure_counts: dict[str, Deleted] = field(default_factory=dict)
    erasure_certificates: dict[str, Certificate] = field(default_factory=dict)
    erasure_requests: dict[str, ErasureRequest] = field(default_factory=dict)
    legal_holds: dict[str, LegalHold] = field(default_factory=dict)
    erased_media: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    tryon_sessions: dict[str, tuple[NewTryOnSession, datetime]] = field(default_factory=dict)
    products: dict[str, CatalogueProduct] = field(default_factory=dict)
    recommendations: dict[str, NewRecommendation] = field(default_factory=dict)
    outbox: dict[int, tuple[datetime, OutboxRow]] = field(default_factory=dict)
    outbox_id: int = 0
    inbox: set[tuple[str, str]] = field(default_factory=set)
    dead_letters: dict[int, DeadLetter] = field(default_factory=dict)
    dead_letter_id: int = 0
    api_keys: dict[str, ApiKey] = field(default_factory=dict)
    audit_log: list[tuple[str, str, str]] = field(default_factory=list)
    audit_chain: list[AuditRow] = field(default_factory=list)
    usage: dict[Calls, UsageCount] = field(default_factory=dict)
    usage_jobs: dict[str, datetime] = field(default_factory=dict)
    retention_runs: dict[str, Run] = field(default_factory=dict)
    retention_items: dict[tuple[str, int], RunItem] = field(default_factory=dict)
    retention_seq: int = 0

    def copy(self) -> "State":
        """Copy the containers, not the rows."""
        return State(**{name: copy.copy(value) for name, value in vars(self).items()})


def note_user(state: State, tenant: str, user_id: str) -> None:
    """Have a row for the user from now on; one that is being erased gets none."""
    if any((erasure.tenant, erasure.user_id) == (tenant, user_id) for erasure in state.erasures.values()):
        raise erasure_in_progress()
    state.users.setdefault((tenant, user_id), User(tenant, user_id, None, utc_now()))


def utc_now() -> datetime:
    """What time it is."""
    return datetime.now(UTC)
