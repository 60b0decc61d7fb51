"""The tables and repositories of the in-memory database."""

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from mien_core.adapters.memory import ledger
from mien_core.adapters.memory.ledger import Ledger
from mien_core.adapters.memory.webhook_rows import DeliveryRow, WebhookRow, told
from mien_core.errors import Missing
from mien_core.model.audit import AuditRow
from mien_core.model.cycle import JournalEntry, Period, SkinScan
from mien_core.model.dead_letters import DeadLetter
from mien_core.model.holds import LegalHold
from mien_core.model.insights import Insight, NewInsight
from mien_core.model.looks import Look
from mien_core.model.platform import (
    WITHOUT_RESULT,
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
    UploadState,
    User,
)
from mien_core.model.posters import Payment, Poster, PosterAccount
from mien_core.model.privacy import Certificate, Deleted, Erasure, ErasureRequest, erasure_in_progress
from mien_core.model.recommendations import CatalogueProduct, NewRecommendation
from mien_core.model.retention import Run, RunItem
from mien_core.model.tryon import NewTryOnSession
from mien_core.ports import Channel, OutboxRow, Record
from mien_core.rules.audit import ORIGIN, content, hash_of
from mien_core.rules.jobs import check_not_ended, check_reopening, not_payable
from mien_core.rules.posters import cost_of
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


class MemoryUsers:
    """Meets ports.Users."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def note(self, tenant: str, user_id: str) -> None:
        """See ports.Users."""
        note_user(self._state, tenant, user_id)

    async def get(self, tenant: str, user_id: str) -> User | None:
        """See ports.Users."""
        return self._state.users.get((tenant, user_id))


class MemoryUploads:
    """Meets ports.Uploads."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, upload: NewUpload) -> Upload:
        """See ports.Uploads."""
        fields = asdict(upload)
        expires_in = timedelta(seconds=fields.pop("expires_in_seconds"))
        now = _now()
        if upload.user_id is not None:
            note_user(self._state, upload.tenant, upload.user_id)
        added = Upload(**fields, state=UploadState.EXPECTED, created_at=now, expires_at=now + expires_in)
        earlier = self._state.uploads.get(upload.id)
        if earlier is not None:
            added = replace(earlier, expires_at=max(earlier.expires_at, added.expires_at))
        self._state.uploads[upload.id] = added
        return added

    async def get(self, upload_id: str) -> Upload | None:
        """See ports.Uploads."""
        return self._state.uploads.get(upload_id)

    async def mark_received(self, upload_id: str, keep_seconds: int) -> None:
        """See ports.Uploads."""
        upload = self._state.uploads.get(upload_id)
        if upload is not None and upload.state is not UploadState.RECEIVED:
            expires_at = _now() + timedelta(seconds=keep_seconds)
            self._state.uploads[upload_id] = replace(upload, state=UploadState.RECEIVED, expires_at=expires_at)


class MemoryJobs:
    """Meets ports.Jobs."""

    def __init__(self, state: State, signals: list[tuple[Channel, str]]) -> None:
        self._state = state
        self._signals = signals

    async def create(self, job: NewJob) -> tuple[Job, bool]:
        """See ports.Jobs."""
        if job.upload_id is None and job.user_id is not None:
            note_user(self._state, job.tenant, job.user_id)
        existing = await (self.of_upload(job.kind, job.upload_id) if job.upload_id else self.get(job.id))
        if existing is not None:
            return existing, False
        now = _now()
        created = Job(
            id=job.id,
            tenant=job.tenant,
            user_id=job.user_id,
            kind=job.kind,
            upload_id=job.upload_id,
            status=JobStatus.CREATED,
            error=None,
            timings={},
            created_at=now,
            updated_at=now,
            deadline_at=now + timedelta(seconds=job.deadline_seconds),
            redrives=0,
        )
        self._write(created)
        return created, True

    async def get(self, job_id: str) -> Job | None:
        """See ports.Jobs."""
        return self._state.jobs.get(job_id)

    async def of_upload(self, kind: JobKind, upload_id: str) -> Job | None:
        """See ports.Jobs."""
        found = (job for job in self._state.jobs.values() if (job.kind, job.upload_id) == (kind, upload_id))
        return next(found, None)

    async def open_by_kind(self) -> Mapping[JobKind, int]:
        """See ports.Jobs."""
        return Counter(job.kind for job in self._state.jobs.values() if not job.status.ended)

    async def lock(self, job_id: str) -> Job | None:
        """See ports.Jobs. The transaction itself is the lock."""
        return self._state.jobs.get(job_id)

    async def change(
        self,
        job_id: str,
        status: JobStatus,
        *,
        error: JobError | None = None,
        timings: Mapping[str, float] | None = None,
    ) -> Job:
        """See ports.Jobs."""
        job = self._state.jobs.get(job_id)
        if job is None:
            raise Missing("job_not_found", "There is no such job.")
        check_not_ended(job)
        if status in WITHOUT_RESULT:
            ledger.give_back(self._state.poster_ledger, job)
        merged = {**job.timings, **(timings or {})}
        changed = replace(job, status=status, error=error, timings=merged, updated_at=_now())
        self._write(changed)
        return changed

    async def reopen(self, job_id: str, deadline_seconds: int) -> Job:
        """See ports.Jobs."""
        job = self._state.jobs.get(job_id)
        if job is None:
            raise Missing("job_not_found", "There is no such job.")
        check_reopening(job)
        entries = self._state.poster_ledger
        if cost_of(job.kind) and not (
            ledger.is_taken(entries, job) or ledger.take(entries, job, attempt=job.redrives + 1)
        ):
            raise not_payable()
        now = _now()
        reopened = replace(
            job,
            status=JobStatus.CREATED,
            error=None,
            timings={},
            updated_at=now,
            deadline_at=now + timedelta(seconds=deadline_seconds),
            redrives=job.redrives + 1,
        )
        self._write(reopened)
        return reopened

    async def events(self, job_id: str, after_seq: int = 0) -> list[JobEvent]:
        """See ports.Jobs."""
        return [event for event in self._state.job_events.get(job_id, ()) if event.seq > after_seq]

    async def histories(self, job_ids: Sequence[str]) -> list[JobHistory]:
        """See ports.Jobs."""
        known = set(job_ids) & self._state.jobs.keys()
        return [JobHistory(self._state.jobs[job_id], self._state.job_events[job_id]) for job_id in known]

    async def moved(self, seen: Mapping[str, int]) -> list[str]:
        """See ports.Jobs."""
        return [job_id for job_id, seq in seen.items() if len(self._state.job_events.get(job_id, ())) != seq]

    def _write(self, job: Job) -> None:
        steps = self._state.job_events.get(job.id, ())
        step = JobEvent(job_id=job.id, seq=steps[-1].seq + 1 if steps else 1, status=job.status, at=job.updated_at)
        self._state.jobs[job.id] = job
        self._state.job_events[job.id] = (*steps, step)
        if job.status.ended:
            self._signals.append((Channel.JOB_ENDS, job.id))
            messages = told(self._state.webhooks.values(), job, step.seq)
            self._state.webhook_deliveries.update({message.id: message for message in messages})
            self._signals.extend((Channel.WEBHOOKS, "") for _ in messages)


class MemoryAnalyses:
    """Meets ports.Analyses."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def save(self, analysis: NewAnalysis) -> Analysis:
        """See ports.Analyses."""
        fields = {name: getattr(analysis, name) for name in NewAnalysis.__dataclass_fields__}
        saved = Analysis(**fields, created_at=_now())
        self._state.analyses[analysis.upload_id] = saved
        return saved

    async def get(self, upload_id: str) -> Analysis | None:
        """See ports.Analyses."""
        return self._state.analyses.get(upload_id)

    async def newest_of_pixels(self, tenant: str, pixel_digest: str, besides: str) -> Analysis | None:
        """See ports.Analyses."""
        found = [
            analysis
            for analysis in self._state.analyses.values()
            if (analysis.tenant, analysis.photo.pixel_digest) == (tenant, pixel_digest)
            and analysis.upload_id != besides
            and analysis.etag is not None
        ]
        return max(found, key=lambda analysis: analysis.created_at, default=None)


class MemorySkinAnalyses:
    """Meets ports.SkinAnalyses."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def save(self, analysis: NewSkinAnalysis) -> SkinAnalysis:
        """See ports.SkinAnalyses."""
        note_user(self._state, analysis.tenant, analysis.user_id)
        saved = SkinAnalysis(**asdict(analysis), created_at=_now())
        self._state.skin_analyses[analysis.id] = saved
        return saved

    async def of_user(self, tenant: str, user_id: str) -> list[SkinAnalysis]:
        """See ports.SkinAnalyses."""
        mine = [one for one in self._state.skin_analyses.values() if (one.tenant, one.user_id) == (tenant, user_id)]
        return sorted(mine, key=lambda one: one.created_at)


class MemoryOutbox:
    """Meets ports.Outbox."""

    def __init__(self, state: State, signals: list[tuple[Channel, str]]) -> None:
        self._state = state
        self._signals = signals

    async def add(self, record: Record, delay_seconds: float = 0) -> None:
        """See ports.Outbox."""
        now = _now()
        self._state.outbox_id += 1
        row = OutboxRow(id=self._state.outbox_id, record=record, created_at=now)
        self._state.outbox[row.id] = (now + timedelta(seconds=delay_seconds), row)
        self._signals.append((Channel.OUTBOX, ""))

    async def due(self, limit: int) -> list[OutboxRow]:
        """See ports.Outbox."""
        now = _now()
        return [row for available_at, row in self._state.outbox.values() if available_at <= now][:limit]

    async def remove(self, row_ids: Sequence[int]) -> None:
        """See ports.Outbox."""
        for row_id in row_ids:
            self._state.outbox.pop(row_id, None)

    async def due_count(self) -> int:
        """See ports.Outbox."""
        return len(await self.due(len(self._state.outbox)))

    async def oldest_due_seconds(self) -> float:
        """See ports.Outbox."""
        now = _now()
        due = [available_at for available_at, _ in self._state.outbox.values() if available_at <= now]
        return (now - min(due)).total_seconds() if due else 0.0


class MemoryInbox:
    """Meets ports.Inbox."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, handler: str, event_id: str) -> bool:
        """See ports.Inbox."""
        if (handler, event_id) in self._state.inbox:
            return False
        self._state.inbox.add((handler, event_id))
        return True

    async def has(self, handler: str, event_id: str) -> bool:
        """See ports.Inbox."""
        return (handler, event_id) in self._state.inbox

    async def forget(self, handler: str, event_id: str) -> None:
        """See ports.Inbox."""
        self._state.inbox.discard((handler, event_id))


class MemoryApiKeys:
    """Meets ports.ApiKeys."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, key: NewApiKey) -> ApiKey:
        """See ports.ApiKeys."""
        added = ApiKey(**asdict(key), created_at=_now(), revoked_at=None)
        self._state.api_keys[key.id] = added
        return added

    async def by_hash(self, secret_hash: str) -> ApiKey | None:
        """See ports.ApiKeys."""
        return next((key for key in self._state.api_keys.values() if key.secret_hash == secret_hash), None)

    async def of_tenant(self, tenant: str | None) -> list[ApiKey]:
        """See ports.ApiKeys."""
        return [key for key in self._state.api_keys.values() if tenant in {None, key.tenant}]

    async def revoke(self, key_id: str) -> ApiKey:
        """See ports.ApiKeys."""
        key = self._state.api_keys.get(key_id)
        if key is None:
            raise Missing("api_key_not_found", "There is no such API key. List them to see their ids.")
        revoked = replace(key, revoked_at=key.revoked_at or _now())
        self._state.api_keys[key_id] = revoked
        return revoked


class MemoryAuditLog:
    """Meets ports.AuditLog."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, actor: str, action: str, subject: str) -> None:
        """See ports.AuditLog."""
        self._state.audit_log.append((actor, action, subject))
        rows = self._state.audit_chain
        previous = rows[-1].hash if rows else ORIGIN
        row = AuditRow(len(rows) + 1, _now(), actor, action, subject, previous, b"")
        rows.append(replace(row, hash=hash_of(previous, content(row))))

    async def chain(self) -> None:
        """See ports.AuditLog. There is nobody else, so they are bound already."""

    async def newest(self, action: str, subject: str) -> AuditRow | None:
        """See ports.AuditLog."""
        said = (row for row in reversed(self._state.audit_chain) if (row.action, row.subject) == (action, subject))
        return next(said, None)

    async def rows(self, after: int, limit: int) -> list[AuditRow]:
        """See ports.AuditLog."""
        return self._state.audit_chain[after : after + limit]

    async def unchained(self) -> int:
        """See ports.AuditLog."""
        return len(self._state.audit_log) - len(self._state.audit_chain)


def note_user(state: State, tenant: str, user_id: str) -> None:
    """Have a row for the user from now on; one that is being erased gets none."""
    if any((erasure.tenant, erasure.user_id) == (tenant, user_id) for erasure in state.erasures.values()):
        raise erasure_in_progress()
    state.users.setdefault((tenant, user_id), User(tenant, user_id, None, _now()))


def _now() -> datetime:
    return datetime.now(UTC)
