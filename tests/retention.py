"""Runs of retention for tests: what is asked for, and whoever carries it out until there is nothing more to do."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from mien_core.model.data_classes import DataClass
from mien_core.model.retention import RetentionRule, Run, RunItem, RunMode, RunRequest, Store
from mien_core.ports.database import Database
from mien_core.rules.retention import approved
from mien_streams.retention_runs import RetentionRuns

PHOTOS = RetentionRule(Store.S3, DataClass.PHOTOS, timedelta())


def rows_of(data_class: DataClass, ttl: timedelta = timedelta()) -> RetentionRule:
    """A rule about the rows of a class."""
    return RetentionRule(Store.POSTGRES, data_class, ttl)


def run_request(*rules: RetentionRule, **fields: Any) -> RunRequest:
    """What is asked for; without a ttl, whatever is there when it is asked for is due."""
    defaults: dict[str, Any] = {
        "id": str(uuid4()),
        "policy_id": str(uuid4()),
        "policy": "mien/test",
        "scheduled_at": datetime.now(UTC),
        "rules": rules or (PHOTOS,),
        "mode": RunMode.ENFORCE,
    }
    return RunRequest(**{**defaults, **fields})


async def asked(database: Database, *rules: RetentionRule, **fields: Any) -> str:
    """Ask for a run; its id."""
    async with database.transaction() as transaction:
        return (await transaction.retention_runs.add(run_request(*rules, **fields))).id


async def worked_off(runs: RetentionRuns) -> float:
    """Carry out whatever is asked for, without resting; how many seconds of rest there should have been."""
    rests = 0.0
    while (rest := await runs.advance()) is not None:
        rests += rest
    return rests


async def run_of(database: Database, run_id: str) -> Run:
    """The run as it is."""
    async with database.reading() as reading:
        run = await reading.retention_runs.get(run_id)
    assert run is not None
    return run


async def approve(database: Database, run_id: str) -> None:
    """Give it somebody's consent."""
    async with database.transaction() as transaction:
        run = await transaction.retention_runs.lock(run_id)
        assert run is not None
        await transaction.retention_runs.save(approved(run, await transaction.now()))


async def listed(database: Database, run_id: str) -> Sequence[RunItem]:
    """Its whole list, read in pages."""
    found: list[RunItem] = []
    while True:
        async with database.reading() as reading:
            page = await reading.retention_runs.items(run_id, found[-1].seq if found else 0, 1000)
        if not page:
            return found
        found += page
