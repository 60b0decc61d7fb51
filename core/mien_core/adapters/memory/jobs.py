"""Jobs and their steps in memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from mien_core.adapters.memory import ledger
from mien_core.adapters.memory.state import State, note_user, utc_now
from mien_core.adapters.memory.webhook_rows import told
from mien_core.errors import Missing
from mien_core.model.platform import WITHOUT_RESULT, Job, JobError, JobEvent, JobHistory, JobKind, JobStatus, NewJob
from mien_core.ports.signals import Channel
from mien_core.rules.jobs import check_not_ended, check_reopening, not_payable
from mien_core.rules.posters import cost_of


class MemoryJobs:
    """Meets ports.jobs.Jobs."""

    def __init__(self, state: State, signals: list[tuple[Channel, str]]) -> None:
        self._state = state
        self._signals = signals

    async def create(self, job: NewJob) -> tuple[Job, bool]:
        """See ports.jobs.Jobs."""
        if job.upload_id is None and job.user_id is not None:
            note_user(self._state, job.tenant, job.user_id)
        existing = await (self.of_upload(job.kind, job.upload_id) if job.upload_id else self.get(job.id))
        if existing is not None:
            return existing, False
        now = utc_now()
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
        """See ports.jobs.Jobs."""
        return self._state.jobs.get(job_id)

    async def of_upload(self, kind: JobKind, upload_id: str) -> Job | None:
        """See ports.jobs.Jobs."""
        found = (job for job in self._state.jobs.values() if (job.kind, job.upload_id) == (kind, upload_id))
        return next(found, None)

    async def open_by_kind(self) -> Mapping[JobKind, int]:
        """See ports.jobs.Jobs."""
        return Counter(job.kind for job in self._state.jobs.values() if not job.status.ended)

    async def lock(self, job_id: str) -> Job | None:
        """See ports.jobs.Jobs. The transaction itself is the lock."""
        return self._state.jobs.get(job_id)

    async def change(
        self,
        job_id: str,
        status: JobStatus,
        *,
        error: JobError | None = None,
        timings: Mapping[str, float] | None = None,
    ) -> Job:
        """See ports.jobs.Jobs."""
        job = self._state.jobs.get(job_id)
        if job is None:
            raise Missing("job_not_found", "There is no such job.")
        check_not_ended(job)
        if status in WITHOUT_RESULT:
            ledger.give_back(self._state.poster_ledger, job)
        merged = {**job.timings, **(timings or {})}
        changed = replace(job, status=status, error=error, timings=merged, updated_at=utc_now())
        self._write(changed)
        return changed

    async def reopen(self, job_id: str, deadline_seconds: int) -> Job:
        """See ports.jobs.Jobs."""
        job = self._state.jobs.get(job_id)
        if job is None:
            raise Missing("job_not_found", "There is no such job.")
        check_reopening(job)
        entries = self._state.poster_ledger
        if cost_of(job.kind) and not (
            ledger.is_taken(entries, job) or ledger.take(entries, job, attempt=job.redrives + 1)
        ):
            raise not_payable()
        now = utc_now()
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
        """See ports.jobs.Jobs."""
        return [event for event in self._state.job_events.get(job_id, ()) if event.seq > after_seq]

    async def histories(self, job_ids: Sequence[str]) -> list[JobHistory]:
        """See ports.jobs.Jobs."""
        known = set(job_ids) & self._state.jobs.keys()
        return [JobHistory(self._state.jobs[job_id], self._state.job_events[job_id]) for job_id in known]

    async def moved(self, seen: Mapping[str, int]) -> list[str]:
        """See ports.jobs.Jobs."""
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
