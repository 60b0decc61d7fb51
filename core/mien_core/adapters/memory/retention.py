"""Runs of retention in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from mien_core.adapters.memory.holds import are_held
from mien_core.adapters.memory.retention_rows import Row, owner_row, remove, rows_of, tables_of
from mien_core.adapters.memory.state import State
from mien_core.model.data_classes import DataClass
from mien_core.model.objects import StoredObject
from mien_core.model.retention import (
    Judged,
    RetentionRule,
    RuleCounts,
    Run,
    RunItem,
    RunRequest,
    RunState,
    Store,
    Verdict,
)
from mien_core.rules.retention import HELD_WITH, due_before, is_expired, owner_of

_WORKED_ON = {RunState.LISTING, RunState.APPROVED, RunState.DELETING}


class MemoryRetentionRuns:
    """Meets ports.retention.RetentionRuns."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, request: RunRequest) -> Run:
        """See ports.retention.RetentionRuns."""
        run = Run(request, datetime.now(UTC), counts=(RuleCounts(),) * len(request.rules))
        return self._state.retention_runs.setdefault(request.id, run)

    async def get(self, run_id: str) -> Run | None:
        """See ports.retention.RetentionRuns."""
        return self._state.retention_runs.get(run_id)

    async def of_policy(self, policy_id: str, before: datetime | None, limit: int) -> list[Run]:
        """See ports.retention.RetentionRuns."""
        runs = [run for run in self._by_age() if run.request.policy_id == policy_id]
        return [run for run in reversed(runs) if before is None or run.as_of < before][:limit]

    async def next(self) -> Run | None:
        """See ports.retention.RetentionRuns."""
        return next((run for run in self._by_age() if run.state in _WORKED_ON), None)

    async def expired(self, limit: int) -> list[str]:
        """See ports.retention.RetentionRuns."""
        now = datetime.now(UTC)
        return [run.id for run in self._by_age() if is_expired(run, now)][:limit]

    async def lock(self, run_id: str) -> Run | None:
        """See ports.retention.RetentionRuns. The transaction itself is the lock."""
        return self._state.retention_runs.get(run_id)

    async def save(self, run: Run) -> None:
        """See ports.retention.RetentionRuns."""
        self._state.retention_runs[run.id] = run

    def tables(self, rule: RetentionRule) -> int:
        """See ports.retention.RetentionRuns."""
        return tables_of(rule.data_class)

    async def total(self, run: Run, rule: int) -> int:
        """See ports.retention.RetentionRuns."""
        return sum(_is_of_tenants(run, row) for row in rows_of(self._state, run.request.rules[rule].data_class))

    async def list_rows(self, run: Run, limit: int) -> tuple[int, str]:
        """See ports.retention.RetentionRuns."""
        rule, place = run.request.rules[run.place.rule], run.place
        rows = rows_of(self._state, rule.data_class)
        tables = sorted({row.name.split("/")[0] for row in rows})
        table = tables[place.part] if place.part < len(tables) else None
        found = [
            row
            for row in rows
            if row.name.split("/")[0] == table
            and row.name > place.after
            and _is_of_tenants(run, row)
            and _is_due(run, rule, row)
        ][:limit]
        for row in found:
            self._list(run, row.name, row.tenant, 0)
        return len(found), found[-1].name if found else place.after

    async def list_objects(self, run: Run, objects: Sequence[StoredObject], limit: int) -> RuleCounts:
        """See ports.retention.RetentionRuns."""
        rule = run.request.rules[run.place.rule]
        owned = [(one, row) for one in objects if (row := self._owner(one.key)) and _is_of_tenants(run, row)]
        due = [(one, row) for one, row in owned if _is_due(run, rule, row)][:limit]
        for one, row in due:
            self._list(run, one.key, row.tenant, one.size)
        return RuleCounts(total=len(owned), listed=len(due), size=sum(one.size for one, _ in due))

    async def items(self, run_id: str, after: int, limit: int) -> list[RunItem]:
        """See ports.retention.RetentionRuns."""
        return [item for item in self._items(run_id) if item.seq > after][:limit]

    async def judge(self, run: Run, rule: int, limit: int) -> list[Judged]:
        """See ports.retention.RetentionRuns."""
        asked = run.request.rules[rule]
        items = [item for item in self._items(run.id) if item.rule == rule and item.state == "listed"][:limit]
        rows = (
            {row.name: row for row in rows_of(self._state, asked.data_class)} if asked.store is Store.POSTGRES else {}
        )
        return [
            self._judged(run, asked, item, self._owner(item.name) if asked.store is Store.S3 else rows.get(item.name))
            for item in items
        ]

    async def settle(self, run: Run, judged: Sequence[Judged]) -> None:
        """See ports.retention.RetentionRuns."""
        for one in judged:
            rule = run.request.rules[one.item.rule]
            if one.verdict is Verdict.DUE and rule.store is Store.POSTGRES:
                row = next(row for row in rows_of(self._state, rule.data_class) if row.name == one.item.name)
                remove(self._state, row)
            reason = None if one.verdict is Verdict.DUE else one.verdict.value
            settled = replace(one.item, state=one.verdict.state, reason=reason)
            self._state.retention_items[run.id, one.item.seq] = settled

    async def forget(self, ended_before: datetime, limit: int) -> int:
        """See ports.retention.RetentionRuns."""
        runs = self._state.retention_runs
        ended = {run_id for run_id, run in runs.items() if run.ended_at is not None and run.ended_at < ended_before}
        gone = [key for key in self._state.retention_items if key[0] in ended][:limit]
        for key in gone:
            del self._state.retention_items[key]
        return len(gone)

    def _by_age(self) -> list[Run]:
        return sorted(self._state.retention_runs.values(), key=lambda run: run.as_of)

    def _items(self, run_id: str) -> list[RunItem]:
        of_run = (item for (of, _), item in self._state.retention_items.items() if of == run_id)
        return sorted(of_run, key=lambda item: item.seq)

    def _list(self, run: Run, name: str, tenant: str | None, size: int) -> None:
        self._state.retention_seq += 1
        item = RunItem(self._state.retention_seq, run.place.rule, name, tenant, size)
        self._state.retention_items[run.id, item.seq] = item

    def _judged(self, run: Run, rule: RetentionRule, item: RunItem, row: Row | None) -> Judged:
        if row is None:
            return Judged(item, Verdict.GONE)
        objects = rule.store is Store.S3
        if self._is_held(row, HELD_WITH[rule.data_class] if objects else row.held_with(rule.data_class)):
            return Judged(item, Verdict.HELD)
        if not _is_due(run, rule, row):
            return Judged(item, Verdict.NOT_DUE)
        return Judged(item, Verdict.DUE) if objects else Judged(item, Verdict.DUE, row.upload_id, row.job_ids)

    def _is_held(self, row: Row, classes: tuple[DataClass, ...]) -> bool:
        if row.tenant is not None:
            return are_held(self._state, row.tenant, row.user_id, classes)
        # whose it is can't be told, so any hold of its class keeps it
        standing = [hold for hold in self._state.legal_holds.values() if hold.released_at is None]
        return any(hold.data_classes is None or not hold.data_classes.isdisjoint(classes) for hold in standing)

    def _owner(self, key: str) -> Row | None:
        owner = owner_of(key)
        return None if owner is None else owner_row(self._state, owner.upload_id, owner.job_id)


def _is_of_tenants(run: Run, row: Row) -> bool:
    return not run.request.tenants or row.tenant in run.request.tenants


def _is_due(run: Run, rule: RetentionRule, row: Row) -> bool:
    return row.settled and row.at <= due_before(rule, run.as_of)
