"""What the operator's endpoints of retention do: load, decide, save. No HTTP in here."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mien_api.cursors import Cursors, Page
from mien_core.errors import Missing
from mien_core.model.retention import Run, RunItem, RunRequest
from mien_core.ports.database import Database
from mien_core.rules.retention import approved, stopped

_RUNS: Final = Cursors("retention-runs", datetime)
_ITEMS: Final = Cursors("retention-items", int)
# in the audit log: who may ask holds the operator's key
ACTOR: Final = "operator"


def _found(run: Run | None) -> Run:
    if run is None:
        raise Missing("retention_run_not_found", "There is no such run. Ask for it, or look for its policy's runs.")
    return run


@dataclass(frozen=True)
class RetentionHandlers:
    """The endpoints' handlers; a run that doesn't exist is Missing (retention_run_not_found)."""

    database: Database

    async def ask(self, request: RunRequest) -> Run:
        """Have a run carried out; one that was asked for by this id before is given back as it is."""
        async with self.database.transaction() as transaction:
            known = await transaction.retention_runs.get(request.id)
            if known is not None:
                return known
            await transaction.audit_log.add(ACTOR, "retention_run.asked", f"{request.id} {request.policy}")
            return await transaction.retention_runs.add(request)

    async def run(self, run_id: str) -> Run:
        """Look at a run."""
        async with self.database.reading() as reading:
            return _found(await reading.retention_runs.get(run_id))

    async def runs(self, policy_id: str, *, cursor: str | None, limit: int) -> Page[Run]:
        """A policy's runs, newest first.

        Raises:
            Rejected: invalid_cursor.
        """
        before = _RUNS.read(cursor, policy_id)
        async with self.database.reading() as reading:
            found = await reading.retention_runs.of_policy(policy_id, before, limit + 1)
        return _RUNS.page(found, limit, lambda run: run.as_of, policy_id)

    async def items(self, run_id: str, *, cursor: str | None, limit: int) -> tuple[Run, Page[RunItem]]:
        """A part of a run's list.

        Raises:
            Rejected: invalid_cursor.
        """
        after = _ITEMS.read(cursor, run_id) or 0
        async with self.database.reading() as reading:
            run = _found(await reading.retention_runs.get(run_id))
            found = await reading.retention_runs.items(run_id, after, limit + 1)
        return run, _ITEMS.page(found, limit, lambda item: item.seq, run_id)

    async def approve(self, run_id: str) -> Run:
        """Have deleted what is on a proposal's list; a second time changes nothing.

        Raises:
            Conflict: retention_run_not_proposed, retention_proposal_expired.
        """
        async with self.database.transaction() as transaction:
            run = _found(await transaction.retention_runs.lock(run_id))
            changed = approved(run, await transaction.now())
            if changed != run:
                await transaction.retention_runs.save(changed)
                await transaction.audit_log.add(ACTOR, "retention_run.approved", f"{run.id} listed={run.totals.listed}")
        return changed

    async def stop(self, run_id: str, reason: str) -> Run:
        """Break a run off, after the batch at hand; one that has ended stays as it ended."""
        async with self.database.transaction() as transaction:
            run = _found(await transaction.retention_runs.lock(run_id))
            changed = stopped(run, reason, await transaction.now())
            if changed != run:
                totals = run.totals
                told = f"{run.id} listed={totals.listed} deleted={totals.deleted} held={totals.held}"
                await transaction.retention_runs.save(changed)
                await transaction.audit_log.add(ACTOR, "retention_run.stopped", f"{told} skipped={totals.skipped}")
        return changed
