"""Carries out the runs of retention that were asked for, a batch at a time.

A run is first listed, whole, and then what is on its list goes, and nothing else. Both happen in batches that are a
transaction each, with the place that the run has come to in it: cut off anywhere, it goes on from the last one. A
deleting transaction looks again at each thing of its batch, deletes its objects, then its rows, and then commits; so
nothing goes that is held or was asked for meanwhile, and no object is left that nobody knows of.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

import prometheus_client

from mien_core.model.keys import job_prefixes, upload_prefix
from mien_core.model.retention import Judged, Place, RetentionRule, RuleCounts, Run, RunState, Store, Verdict
from mien_core.ports.database import Database, Transaction
from mien_core.ports.objects import ObjectStore
from mien_core.rules.retention import (
    EXPIRED,
    PREFIXES,
    after_listing,
    batch_size,
    failed,
    is_expired,
    of_class,
    outcome,
    parts_of,
    pause_after,
    room,
    stopped,
)
from mien_streams.guarded import deleted

logger = logging.getLogger(__name__)

ITEMS = prometheus_client.Counter(
    "mien_retention_items_total", "Things on lists of runs, by what became of them.", ["store", "data_class", "outcome"]
)
RUNS = prometheus_client.Counter("mien_retention_runs_total", "Runs that came to a state.", ["state"])

# who did it, in the audit log
ACTOR: Final = "retention"
# Rows that are listed in one transaction, and things that are deleted in one: few enough that nobody waits for locks.
LISTED_AT_ONCE: Final = 1000
DELETED_AT_ONCE: Final = 200
# Objects that the store is told of in one request.
OBJECTS_AT_ONCE: Final = 50
# A list that nobody can act on any more is kept so long, for those who ask what went.
LISTS_KEPT: Final = timedelta(days=90)
_TIDIED_AT_ONCE: Final = 1000


class RetentionRuns:
    """Works on the run that has waited longest; others wait for its end, or for its approval.

    Args:
        database: where runs, lists and rows are.
        object_store: where objects are.
        clock: seconds that only go forward.
    """

    def __init__(
        self, database: Database, object_store: ObjectStore, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._object_store = object_store
        self._clock = clock

    async def advance(self) -> float | None:
        """Do the next batch of work; give the seconds to rest before the one after it, None if there is nothing to do.

        Raises:
            Unavailable: a part is away; the batch is not done, and is repeated.
        """
        async with self._database.reading() as reading:
            run = await reading.retention_runs.next()
        if run is None:
            return None
        if run.state is RunState.LISTING:
            await self._list(run)
            return 0.0
        return await self._delete(run)

    async def tidy(self) -> None:
        """End proposals that have expired, and forget lists that nobody can act on any more."""
        async with self._database.reading() as reading:
            expired, now = await reading.retention_runs.expired(_TIDIED_AT_ONCE), await reading.now()
        for run_id in expired:
            async with self._database.transaction() as transaction:
                run = await transaction.retention_runs.lock(run_id)
                if run is not None and is_expired(run, now):
                    await self._save(transaction, run, stopped(run, EXPIRED, now))
        async with self._database.transaction() as transaction:
            await transaction.retention_runs.forget(now - LISTS_KEPT, _TIDIED_AT_ONCE)

    async def fail(self, reason: str) -> None:
        """End the run at hand, after a bug that it would meet again."""
        async with self._database.transaction() as transaction:
            found = await transaction.retention_runs.next()
            run = None if found is None else await transaction.retention_runs.lock(found.id)
            if run is not None:
                await self._save(transaction, run, failed(run, reason, await transaction.now()))

    async def _list(self, seen: Run) -> None:
        rule = seen.request.rules[seen.place.rule]
        page = None
        if rule.store is Store.S3:
            page = await self._object_store.page(PREFIXES[rule.data_class][seen.place.part], seen.place.after)
        async with self._database.transaction() as transaction:
            run = await transaction.retention_runs.lock(seen.id)
            if run is None or run.state is not RunState.LISTING or run.place != seen.place:
                # somebody stopped it, or another process is the active one by now
                return
            if page is None:
                listed = await self._list_rows(transaction, run, rule)
            else:
                found = of_class(rule.data_class, page.objects)
                counts = await transaction.retention_runs.list_objects(run, found, room(run))
                after = None if page.is_last else page.objects[-1].key
                listed = _further(run.counting(run.place.rule, counts), after, parts_of(rule, 0))
            if listed.place.rule == len(listed.request.rules):
                listed = after_listing(listed, await transaction.now())
            await self._save(transaction, run, listed)

    async def _list_rows(self, transaction: Transaction, run: Run, rule: RetentionRule) -> Run:
        runs, place = transaction.retention_runs, run.place
        counts = RuleCounts()
        if place.part == 0 and not place.after:
            counts = RuleCounts(total=await runs.total(run, place.rule))
        limit = min(LISTED_AT_ONCE, room(run))
        count, after = await runs.list_rows(run, limit) if limit else (0, "")
        counted = run.counting(place.rule, replace(counts, listed=count))
        return _further(counted, after if limit and count == limit else None, parts_of(rule, runs.tables(rule)))

    async def _delete(self, seen: Run) -> float:
        began = self._clock()
        rule = seen.request.rules[seen.place.rule]
        limits = seen.request.limits
        per_second = limits.objects_per_second if rule.store is Store.S3 else limits.rows_per_second
        async with self._database.transaction() as transaction:
            await transaction.holds.guard()
            run = await transaction.retention_runs.lock(seen.id)
            if run is None or run.state not in {RunState.APPROVED, RunState.DELETING} or run.place != seen.place:
                return 0.0
            judged = await transaction.retention_runs.judge(
                run, run.place.rule, batch_size(per_second, DELETED_AT_ONCE)
            )
            await self._erase(transaction, rule, [one for one in judged if one.verdict is Verdict.DUE])
            await transaction.retention_runs.settle(run, judged)
            gone = replace(run.counting(run.place.rule, outcome(judged)), state=RunState.DELETING)
            if not judged:
                gone = replace(gone, place=Place(rule=run.place.rule + 1))
            if gone.place.rule == len(gone.request.rules):
                gone = replace(gone, state=RunState.DONE, reason=None, place=Place(), ended_at=await transaction.now())
            await self._save(transaction, run, gone)
        self._note(rule, judged)
        return pause_after(len(judged), per_second, self._clock() - began)

    async def _erase(self, transaction: Transaction, rule: RetentionRule, due: Sequence[Judged]) -> None:
        if rule.store is Store.S3:
            names = [one.item.name for one in due]
            parts = [names[start : start + OBJECTS_AT_ONCE] for start in range(0, len(names), OBJECTS_AT_ONCE)]
            await deleted(transaction, self._object_store.erase_objects, parts)
            return
        prefixes = [prefix for one in due for prefix in _prefixes(one)]
        await deleted(transaction, self._object_store.erase, prefixes)

    async def _save(self, transaction: Transaction, before: Run, run: Run) -> None:
        await transaction.retention_runs.save(run)
        if run.state is before.state:
            return
        totals = run.totals
        told = f"{run.id} listed={totals.listed} deleted={totals.deleted} held={totals.held} skipped={totals.skipped}"
        if run.state is RunState.PROPOSED or run.state.ended:
            await transaction.audit_log.add(ACTOR, f"retention_run.{run.state}", told)
        RUNS.labels(run.state.value).inc()
        logger.info("The retention run %s is %s", told, run.state, extra={"run": run.id, "reason": run.reason})

    def _note(self, rule: RetentionRule, judged: Sequence[Judged]) -> None:
        for one in judged:
            ITEMS.labels(rule.store.value, rule.data_class.value, one.verdict.state.value).inc()


def _further(run: Run, after: str | None, parts: int) -> Run:
    """The run at its next place: after a position, or at the next part or rule where that was the last."""
    place = run.place
    if after is not None:
        return replace(run, place=replace(place, after=after))
    if place.part + 1 < parts:
        return replace(run, place=Place(place.rule, place.part + 1))
    return replace(run, place=Place(place.rule + 1))


def _prefixes(one: Judged) -> tuple[str, ...]:
    """What the keys of all objects begin with that go with a row."""
    of_upload = () if one.upload_id is None else (upload_prefix(one.upload_id),)
    return (*of_upload, *(prefix for job_id in one.job_ids for prefix in job_prefixes(job_id)))
