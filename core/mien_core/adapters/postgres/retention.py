"""The retention_runs and retention_items tables, and the rows that they are about."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter

from mien_core.adapters.postgres import retention_statements as statements_of
from mien_core.adapters.postgres.retention_tables import JOBS, TABLES, UPLOADS, Table
from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.model.objects import StoredObject
from mien_core.model.retention import (
    ItemState,
    Judged,
    Place,
    RetentionRule,
    RuleCounts,
    Run,
    RunItem,
    RunRequest,
    RunState,
    Store,
    Verdict,
)
from mien_core.rules.retention import HELD_WITH, due_before, owner_of

_REQUEST: Final = TypeAdapter(RunRequest)
_PLACE: Final = TypeAdapter(Place)
_COUNTS: Final = TypeAdapter(tuple[RuleCounts, ...])

_TABLES: Final = {table.name: table for tables in TABLES.values() for table in tables}
_LOCK_JOBS: Final = """
    SELECT id FROM jobs WHERE upload_id = ANY(%(uploads)s) OR id = ANY(%(jobs)s) ORDER BY id FOR UPDATE
"""
_SETTLE: Final = """
    UPDATE retention_items SET state = given.state, reason = given.reason
    FROM unnest(%(seqs)s::bigint[], %(states)s::text[], %(reasons)s::text[]) AS given (seq, state, reason)
    WHERE retention_items.run_id = %(run)s AND retention_items.seq = given.seq
"""
_FORGET: Final = """
    DELETE FROM retention_items WHERE (run_id, seq) IN (
        SELECT run_id, seq FROM retention_items
        WHERE run_id IN (SELECT id FROM retention_runs WHERE ended_at < %(before)s) LIMIT %(limit)s
    )
"""


class PostgresRetentionRuns:
    """Meets ports.retention.RetentionRuns."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, request: RunRequest) -> Run:
        """See ports.retention.RetentionRuns."""
        counts = (RuleCounts(),) * len(request.rules)
        parameters = {
            "id": as_uuid(request.id),
            "policy": request.policy_id,
            "request": _REQUEST.dump_json(request).decode(),
            "place": _PLACE.dump_json(Place()).decode(),
            "counts": _COUNTS.dump_json(counts).decode(),
        }
        cursor = await self._statements.execute(
            """
            INSERT INTO retention_runs (id, policy_id, request, place, counts)
            VALUES (%(id)s, %(policy)s, %(request)s, %(place)s, %(counts)s)
            ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING *
            """,
            parameters,
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - INSERT … ON CONFLICT DO UPDATE … RETURNING has one row; tells mypy so
        return _run(row)

    async def get(self, run_id: str) -> Run | None:
        """See ports.retention.RetentionRuns."""
        return await self._one("SELECT * FROM retention_runs WHERE id = %s", (as_uuid(run_id),))

    async def of_policy(self, policy_id: str, before: datetime | None, limit: int) -> list[Run]:
        """See ports.retention.RetentionRuns."""
        cursor = await self._statements.execute(
            """
            SELECT * FROM retention_runs
            WHERE policy_id = %(policy)s AND (%(before)s::timestamptz IS NULL OR as_of < %(before)s)
            ORDER BY as_of DESC LIMIT %(limit)s
            """,
            {"policy": policy_id, "before": before, "limit": limit},
        )
        return [_run(row) async for row in cursor]

    async def next(self) -> Run | None:
        """See ports.retention.RetentionRuns."""
        return await self._one(
            """
            SELECT * FROM retention_runs WHERE ended_at IS NULL AND state IN ('listing', 'approved', 'deleting')
            ORDER BY as_of LIMIT 1
            """
        )

    async def expired(self, limit: int) -> list[str]:
        """See ports.retention.RetentionRuns."""
        cursor = await self._statements.execute(
            """
            SELECT id FROM retention_runs
            WHERE ended_at IS NULL AND state = 'proposed' AND expires_at <= clock_timestamp()
            ORDER BY as_of LIMIT %s
            """,
            (limit,),
        )
        return [str(row["id"]) async for row in cursor]

    async def lock(self, run_id: str) -> Run | None:
        """See ports.retention.RetentionRuns."""
        return await self._one("SELECT * FROM retention_runs WHERE id = %s FOR UPDATE", (as_uuid(run_id),))

    async def save(self, run: Run) -> None:
        """See ports.retention.RetentionRuns."""
        await self._statements.write(
            """
            UPDATE retention_runs
            SET state = %(state)s, reason = %(reason)s, place = %(place)s, counts = %(counts)s,
                listed_at = %(listed_at)s, expires_at = %(expires_at)s, ended_at = %(ended_at)s
            WHERE id = %(id)s
            """,
            {
                "id": as_uuid(run.id),
                "state": run.state.value,
                "reason": run.reason,
                "place": _PLACE.dump_json(run.place).decode(),
                "counts": _COUNTS.dump_json(run.counts).decode(),
                "listed_at": run.listed_at,
                "expires_at": run.expires_at,
                "ended_at": run.ended_at,
            },
        )

    def tables(self, rule: RetentionRule) -> int:
        """See ports.retention.RetentionRuns."""
        return len(TABLES[rule.data_class])

    async def total(self, run: Run, rule: int) -> int:
        """See ports.retention.RetentionRuns."""
        total = 0
        for table in TABLES[run.request.rules[rule].data_class]:
            cursor = await self._statements.execute(statements_of.total(table), {"tenants": list(run.request.tenants)})
            row = await cursor.fetchone()
            total += row["total"] if row else 0
        return total

    async def list_rows(self, run: Run, limit: int) -> tuple[int, str]:
        """See ports.retention.RetentionRuns."""
        table = TABLES[run.request.rules[run.place.rule].data_class][run.place.part]
        first = not run.place.after
        parameters = self._listing(run, limit) | ({} if first else _keys(table, [run.place.after], single=True))
        cursor = await self._statements.execute(statements_of.listing(table, first=first), parameters)
        found = sorted([(row["seq"], row["name"]) async for row in cursor])
        return len(found), found[-1][1] if found else run.place.after

    async def list_objects(self, run: Run, objects: Sequence[StoredObject], limit: int) -> RuleCounts:
        """See ports.retention.RetentionRuns."""
        owners = [(one, owner) for one in objects if (owner := owner_of(one.key))]
        parameters = self._listing(run, limit) | {
            "names": [one.key for one, _ in owners],
            "sizes": [one.size for one, _ in owners],
            "uploads": [as_uuid(owner.upload_id or "") for _, owner in owners],
            "jobs": [as_uuid(owner.job_id or "") for _, owner in owners],
        }
        cursor = await self._statements.execute(statements_of.LISTING_OBJECTS, parameters)
        row = await cursor.fetchone()
        return RuleCounts(total=row["total"], listed=row["listed"], size=row["size"]) if row else RuleCounts()

    async def items(self, run_id: str, after: int, limit: int) -> list[RunItem]:
        """See ports.retention.RetentionRuns."""
        cursor = await self._statements.execute(
            "SELECT * FROM retention_items WHERE run_id = %s AND seq > %s ORDER BY seq LIMIT %s",
            (as_uuid(run_id), after, limit),
        )
        return [_item(row) async for row in cursor]

    async def judge(self, run: Run, rule: int, limit: int) -> list[Judged]:
        """See ports.retention.RetentionRuns."""
        cursor = await self._statements.execute(
            """
            SELECT * FROM retention_items WHERE run_id = %s AND rule = %s AND state = 'listed'
            ORDER BY seq LIMIT %s FOR UPDATE
            """,
            (as_uuid(run.id), rule, limit),
        )
        items = [_item(row) async for row in cursor]
        if not items:
            return []
        if run.request.rules[rule].store is Store.S3:
            return await self._judge_objects(run, rule, items)
        found: dict[str, dict[str, Any]] = {}
        for table, names in _by_table(one.name for one in items):
            found |= await self._judge_rows(run, rule, table, names)
        return [_judged(item, found.get(item.name)) for item in items]

    async def settle(self, run: Run, judged: Sequence[Judged]) -> None:
        """See ports.retention.RetentionRuns."""
        if judged and run.request.rules[judged[0].item.rule].store is Store.POSTGRES:
            due = {one.item.name: one for one in judged if one.verdict is Verdict.DUE}
            for table, names in _by_table(due):
                parameters = _keys(table, names) | {
                    "uploads": [as_uuid(upload) for name in names if (upload := due[name].upload_id)],
                    "jobs": [as_uuid(job) for name in names for job in due[name].job_ids],
                }
                for statement in statements_of.removal(table):
                    await self._statements.write(statement, parameters)
        parameters = {
            "run": as_uuid(run.id),
            "seqs": [one.item.seq for one in judged],
            "states": [one.verdict.state.value for one in judged],
            "reasons": [None if one.verdict is Verdict.DUE else one.verdict.value for one in judged],
        }
        await self._statements.write(_SETTLE, parameters)

    async def forget(self, ended_before: datetime, limit: int) -> int:
        """See ports.retention.RetentionRuns."""
        return (await self._statements.execute(_FORGET, {"before": ended_before, "limit": limit})).rowcount

    async def _one(self, statement: str, parameters: Sequence[Any] = ()) -> Run | None:
        row = await (await self._statements.execute(statement, parameters)).fetchone()
        return _run(row) if row else None

    def _listing(self, run: Run, limit: int) -> dict[str, Any]:
        rule = run.request.rules[run.place.rule]
        return {
            "run": as_uuid(run.id),
            "rule": run.place.rule,
            "before": due_before(rule, run.as_of),
            "tenants": list(run.request.tenants),
            "limit": limit,
        }

    async def _judge_rows(self, run: Run, rule: int, table: Table, names: list[str]) -> dict[str, dict[str, Any]]:
        keys = _keys(table, names)
        if table.has_objects:
            # their rows first, as agents take them
            ids = keys["key0"]
            of_uploads = table is UPLOADS
            await self._lock_jobs(uploads=ids if of_uploads else [], jobs=[] if of_uploads else ids)
        before = due_before(run.request.rules[rule], run.as_of)
        parameters = keys | {"before": before, "held_with": list(table.held_with)}
        cursor = await self._statements.execute(statements_of.judging(table), parameters)
        return {row["name"]: row async for row in cursor}

    async def _judge_objects(self, run: Run, rule: int, items: Sequence[RunItem]) -> list[Judged]:
        owners = {item.name: owner for item in items if (owner := owner_of(item.name))}
        uploads = [as_uuid(upload) for upload in {owner.upload_id for owner in owners.values()} if upload]
        jobs = [as_uuid(job) for job in {owner.job_id for owner in owners.values()} if job]
        await self._lock_jobs(uploads=uploads, jobs=jobs)
        asked = run.request.rules[rule]
        parameters = {"before": due_before(asked, run.as_of), "held_with": list(HELD_WITH[asked.data_class])}
        found: dict[str, dict[str, Any]] = {}
        for table, ids in ((UPLOADS, uploads), (JOBS, jobs)):
            cursor = await self._statements.execute(statements_of.judging_owners(table), parameters | {"ids": ids})
            found |= {str(row["id"]): row async for row in cursor}
        return [
            _judged(
                item, found.get(owner.upload_id or owner.job_id or "") if (owner := owners.get(item.name)) else None
            )
            for item in items
        ]

    async def _lock_jobs(self, *, uploads: Sequence[Any], jobs: Sequence[Any]) -> None:
        await self._statements.execute(_LOCK_JOBS, {"uploads": list(uploads), "jobs": list(jobs)})


def _by_table(names: Iterable[str]) -> list[tuple[Table, list[str]]]:
    """The names of rows by their tables."""
    grouped: dict[str, list[str]] = {}
    for name in names:
        grouped.setdefault(name.split("/")[0], []).append(name)
    return [(_TABLES[table], of_it) for table, of_it in grouped.items()]


def _keys(table: Table, names: Sequence[str], *, single: bool = False) -> dict[str, Any]:
    """The key columns' values of rows: a list each, or of a single row the value itself."""
    parts = [name.split("/")[1:] for name in names]
    values: dict[str, Any] = {}
    for index, (_, kind) in enumerate(table.key):
        column = [as_uuid(part[index]) if kind == "uuid" else int(part[index]) for part in parts]
        values[f"key{index}"] = column[0] if single else column
    return values


def _judged(item: RunItem, row: dict[str, Any] | None) -> Judged:
    if row is None:
        return Judged(item, Verdict.GONE)
    if row["is_held"]:
        return Judged(item, Verdict.HELD)
    if not row["is_due"]:
        return Judged(item, Verdict.NOT_DUE)
    upload = row.get("upload_id")
    job_ids = tuple(str(job) for job in row.get("job_ids") or ())
    return Judged(item, Verdict.DUE, None if upload is None else str(upload), job_ids)


def _item(row: dict[str, Any]) -> RunItem:
    return RunItem(
        seq=row["seq"],
        rule=row["rule"],
        name=row["name"],
        tenant=row["tenant"],
        size=row["size"],
        state=ItemState(row["state"]),
        reason=row["reason"],
    )


def _run(row: dict[str, Any]) -> Run:
    return Run(
        request=_REQUEST.validate_python(row["request"]),
        as_of=row["as_of"],
        state=RunState(row["state"]),
        reason=row["reason"],
        place=_PLACE.validate_python(row["place"]),
        counts=_COUNTS.validate_python(row["counts"]),
        listed_at=row["listed_at"],
        expires_at=row["expires_at"],
        ended_at=row["ended_at"],
    )
