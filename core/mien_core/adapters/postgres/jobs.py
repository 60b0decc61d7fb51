"""The jobs and job_events tables."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from psycopg.types.json import Json

from mien_core.adapters.postgres import ledger
from mien_core.adapters.postgres.statements import Row, Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.adapters.postgres.tryon_sessions import follow
from mien_core.adapters.postgres.uploads import note_user
from mien_core.adapters.postgres.webhook_deliveries import tell
from mien_core.errors import Missing
from mien_core.model.platform import (
    WITHOUT_RESULT,
    Job,
    JobError,
    JobEvent,
    JobHistory,
    JobKind,
    JobStatus,
    NewJob,
)
from mien_core.ports.signals import Channel
from mien_core.rules.jobs import check_not_ended, check_reopening, not_payable
from mien_core.rules.posters import cost_of

_STEP = """
    WITH changed AS (UPDATE jobs SET {} WHERE id = %s RETURNING *), step AS (
        INSERT INTO job_events (job_id, seq, status)
        SELECT id, (SELECT coalesce(max(seq), 0) + 1 FROM job_events WHERE job_id = changed.id), status FROM changed
    )
    SELECT {} FROM changed
"""
_CHANGES = "status = %s, error_code = %s, error_detail = %s, timings = %s, updated_at = clock_timestamp()"
_CHANGE = _STEP.format(_CHANGES, "*")
# the one thing that webhooks cost a job of which nobody wants to be told: a look into an index
_END = _STEP.format(_CHANGES, "*, has_webhook(tenant, user_id) AS is_told")
_REOPEN = _STEP.format(
    """
    status = 'created', error_code = NULL, error_detail = NULL, timings = '{}', updated_at = clock_timestamp(),
    deadline_at = clock_timestamp() + make_interval(secs => %s), redrives = redrives + 1
    """,
    "*",
)


class PostgresJobs:
    """Meets ports.jobs.Jobs; signals is where the transaction collects what to announce after its commit."""

    def __init__(self, statements: Statements, signals: list[tuple[Channel, str]]) -> None:
        self._statements = statements
        self._signals = signals
        # what this transaction holds the lock of can't change under it, so it needn't be read twice
        self._locked: dict[str, Job] = {}

    async def create(self, job: NewJob) -> tuple[Job, bool]:
        """See ports.jobs.Jobs."""
        if job.upload_id is None and job.user_id is not None:
            # an upload's job has the user of its upload
            await note_user(self._statements, job.tenant, job.user_id)
        cursor = await self._statements.execute(
            """
            WITH created AS (
                INSERT INTO jobs (id, tenant, user_id, kind, upload_id, deadline_at)
                VALUES (%s, %s, %s, %s, %s, now() + make_interval(secs => %s))
                ON CONFLICT DO NOTHING
                RETURNING *
            ), step AS (
                INSERT INTO job_events (job_id, seq, status) SELECT id, 1, status FROM created
            )
            SELECT * FROM created
            """,
            (job.id, job.tenant, job.user_id, job.kind, job.upload_id, job.deadline_seconds),
        )
        row = await cursor.fetchone()
        if row is None:
            existing = await (self.of_upload(job.kind, job.upload_id) if job.upload_id else self.get(job.id))
            assert existing is not None  # noqa: S101 - the conflict was with a committed row; jobs go only with uploads
            return existing, False
        return _job(row), True

    async def get(self, job_id: str) -> Job | None:
        """See ports.jobs.Jobs."""
        return await self._one("SELECT * FROM jobs WHERE id = %s", as_uuid(job_id))

    async def of_upload(self, kind: JobKind, upload_id: str) -> Job | None:
        """See ports.jobs.Jobs."""
        return await self._one("SELECT * FROM jobs WHERE kind = %s AND upload_id = %s", kind, as_uuid(upload_id))

    async def open_by_kind(self) -> Mapping[JobKind, int]:
        """See ports.jobs.Jobs. The index of jobs under way has no others in it."""
        cursor = await self._statements.execute(
            "SELECT kind, count(*) AS open FROM jobs WHERE status IN ('created', 'processing') GROUP BY kind"
        )
        return {JobKind(row["kind"]): row["open"] async for row in cursor}

    async def lock(self, job_id: str) -> Job | None:
        """See ports.jobs.Jobs."""
        job = await self._one("SELECT * FROM jobs WHERE id = %s FOR UPDATE", as_uuid(job_id))
        if job is not None:
            self._locked[job_id] = job
        return job

    async def change(
        self,
        job_id: str,
        status: JobStatus,
        *,
        error: JobError | None = None,
        timings: Mapping[str, float] | None = None,
    ) -> Job:
        """See ports.jobs.Jobs."""
        job = await self._own(job_id)
        check_not_ended(job)
        if status in WITHOUT_RESULT:
            await ledger.give_back(self._statements, job)
        row = await self._step(
            _END if status.ended else _CHANGE,
            status,
            error.code if error else None,
            error.detail if error else None,
            Json({**job.timings, **(timings or {})}),
            as_uuid(job_id),
        )
        changed = await self._known(row)
        if status.ended:
            self._signals.append((Channel.JOB_ENDS, job_id))
            if row["is_told"]:
                await tell(self._statements, self._signals, changed)
        return changed

    async def reopen(self, job_id: str, deadline_seconds: int) -> Job:
        """See ports.jobs.Jobs."""
        job = await self._own(job_id)
        check_reopening(job)
        if cost_of(job.kind) and not (
            await ledger.is_taken(self._statements, job)
            or await ledger.take(self._statements, job, attempt=job.redrives + 1)
        ):
            raise not_payable()
        return await self._known(await self._step(_REOPEN, deadline_seconds, as_uuid(job_id)))

    async def events(self, job_id: str, after_seq: int = 0) -> list[JobEvent]:
        """See ports.jobs.Jobs."""
        cursor = await self._statements.execute(
            "SELECT * FROM job_events WHERE job_id = %s AND seq > %s ORDER BY seq", (as_uuid(job_id), after_seq)
        )
        return [
            JobEvent(job_id=job_id, seq=row["seq"], status=JobStatus(row["status"]), at=row["at"])
            async for row in cursor
        ]

    async def histories(self, job_ids: Sequence[str]) -> list[JobHistory]:
        """See ports.jobs.Jobs. One statement sees one moment."""
        cursor = await self._statements.execute(
            """
            SELECT jobs.*, step.seq AS step_seq, step.status AS step_status, step.at AS step_at
            FROM jobs JOIN job_events AS step ON step.job_id = jobs.id
            WHERE jobs.id = ANY(%s) ORDER BY jobs.id, step.seq
            """,
            ([as_uuid(job_id) for job_id in job_ids],),
        )
        return [_history(list(rows)) for _, rows in groupby(await cursor.fetchall(), itemgetter("id"))]

    async def moved(self, seen: Mapping[str, int]) -> list[str]:
        """See ports.jobs.Jobs. A job costs one look into an index."""
        cursor = await self._statements.execute(
            """
            SELECT seen.id FROM unnest(%s::uuid[], %s::integer[]) AS seen (id, seq)
            WHERE (SELECT max(seq) FROM job_events WHERE job_id = seen.id) IS DISTINCT FROM seen.seq
            """,
            ([as_uuid(job_id) for job_id in seen], list(seen.values())),
        )
        return [str(row["id"]) async for row in cursor]

    async def _own(self, job_id: str) -> Job:
        # Locked in a statement of its own: the next one then sees every event that others wrote before.
        job = self._locked.get(job_id) or await self.lock(job_id)
        if job is None:
            raise Missing("job_not_found", "There is no such job.")
        return job

    async def _step(self, statement: str, *parameters: object) -> Row:
        row = await (await self._statements.execute(statement, parameters)).fetchone()
        assert row is not None  # noqa: S101 - the row is locked by _own
        return row

    async def _known(self, row: Row) -> Job:
        """The job as this transaction has just made it, its session told; it needn't be read again."""
        changed = _job(row)
        self._locked[changed.id] = changed
        if changed.kind is JobKind.RENDER_TRYON:
            await follow(self._statements, changed)
        return changed

    async def _one(self, statement: str, *parameters: object) -> Job | None:
        row = await (await self._statements.execute(statement, parameters)).fetchone()
        return _job(row) if row else None


def _job(row: dict[str, Any]) -> Job:
    error = JobError(row["error_code"], row["error_detail"]) if row["error_code"] else None
    return Job(
        id=str(row["id"]),
        tenant=row["tenant"],
        user_id=row["user_id"],
        kind=JobKind(row["kind"]),
        upload_id=None if row["upload_id"] is None else str(row["upload_id"]),
        status=JobStatus(row["status"]),
        error=error,
        timings=row["timings"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        deadline_at=row["deadline_at"],
        redrives=row["redrives"],
    )


def _history(rows: Sequence[dict[str, Any]]) -> JobHistory:
    job = _job(rows[0])
    steps = (
        JobEvent(job_id=job.id, seq=row["step_seq"], status=JobStatus(row["step_status"]), at=row["step_at"])
        for row in rows
    )
    return JobHistory(job, tuple(steps))
