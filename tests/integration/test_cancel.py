"""A cancellation and a worker at once, on real Postgres: one of the two ends the job, and the other leaves no trace."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from mien_api.handlers import Handlers
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.errors import Conflict
from mien_core.model.platform import Caller, JobHistory, JobStatus
from mien_core.ports.database import Transaction
from mien_core.settings import PostgresSettings
from mien_streams.handlers.analyse_face import Analysed, AnalyseFace
from mien_streams.job_agent import Assignment
from mien_streams.job_handler import JobHandler
from mien_streams.looks import Ranker, Recommending
from tests.unit.streams.stand_ins import ScriptedServing, analysis, emitted, job, started

CALLER = Caller("acme", None)
DEADLINE_SECONDS = 30.0
JOBS = 24


class PausingAgent(AnalyseFace):
    """Stops in the transaction that ends the job, its row locked, until it is told to go on."""

    def __init__(self, database: PostgresDatabase) -> None:
        super().__init__(database, ScriptedServing(), MemoryObjectStore(), Recommending(database, Ranker()))
        self.saving, self.going_on = asyncio.Event(), asyncio.Event()

    async def save(self, transaction: Transaction, assignment: Assignment, result: Analysed) -> None:
        """See JobAgent."""
        self.saving.set()
        await self.going_on.wait()
        await super().save(transaction, assignment, result)


@pytest.fixture
async def database(fresh_database: str) -> AsyncIterator[PostgresDatabase]:
    async with PostgresDatabase(PostgresSettings.model_validate({"url": fresh_database, "pool_max": 20})) as database:
        yield database


def handlers(database: PostgresDatabase) -> Handlers:
    return Handlers(database, MemoryObjectStore(), consent_required=False, upload_expires=900, download_expires=900)


async def history(database: PostgresDatabase, job_id: str) -> JobHistory:
    async with database.reading() as reading:
        (found,) = await reading.jobs.histories([job_id])
    return found


async def somebody_waits_for_a_lock(url: str) -> None:
    """Wait until one of the database's sessions does."""
    statement = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(DEADLINE_SECONDS), await psycopg.AsyncConnection.connect(url, autocommit=True) as look:
        while (await (await look.execute(statement)).fetchone()) == (0,):  # noqa: ASYNC110 - only the server knows
            await asyncio.sleep(0.01)


async def test_a_cancellation_that_comes_first_wins(database: PostgresDatabase, fresh_database: str) -> None:
    """A worker that is about to save, and waits for the job's lock, saves nothing at all."""
    begun, delivery = await started(database)
    agent = AnalyseFace(database, ScriptedServing(), MemoryObjectStore(), Recommending(database, Ranker()))
    async with database.transaction() as cancelling:
        await cancelling.jobs.change(begun.id, JobStatus.CANCELLED)
        working = asyncio.create_task(JobHandler(database, agent).handle(delivery))
        await somebody_waits_for_a_lock(fresh_database)
    await asyncio.wait_for(working, DEADLINE_SECONDS)
    assert (await job(database, begun.id)).status is JobStatus.CANCELLED
    assert await analysis(database, begun.photo_id) is None
    assert await emitted(database) == []


async def test_a_result_that_comes_first_wins(database: PostgresDatabase, fresh_database: str) -> None:
    """Whoever cancels while the result is being saved waits for it, and is told that the job has ended."""
    begun, delivery = await started(database)
    agent = PausingAgent(database)
    working = asyncio.create_task(JobHandler(database, agent).handle(delivery))
    await asyncio.wait_for(agent.saving.wait(), DEADLINE_SECONDS)
    cancelling = asyncio.create_task(handlers(database).cancel(CALLER, begun.id))
    await somebody_waits_for_a_lock(fresh_database)
    agent.going_on.set()
    with pytest.raises(Conflict, match="job_already_ended"):
        await asyncio.wait_for(cancelling, DEADLINE_SECONDS)
    await asyncio.wait_for(working, DEADLINE_SECONDS)
    assert (await job(database, begun.id)).status is JobStatus.COMPLETED
    assert await analysis(database, begun.photo_id) is not None


async def test_whoever_wins_there_is_one_end_and_what_belongs_to_it(database: PostgresDatabase) -> None:
    """Many jobs, each cancelled somewhere in its worker's way: analysis, event and completed go together, or not."""
    begun = [await started(database) for _ in range(JOBS)]
    agent = AnalyseFace(database, ScriptedServing(), MemoryObjectStore(), Recommending(database, Ranker()))

    async def cancel(job_id: str, pauses: int) -> bool:
        for _ in range(pauses):
            await asyncio.sleep(0)
        try:
            return (await handlers(database).cancel(CALLER, job_id)).job.status is JobStatus.CANCELLED
        except Conflict:
            return False

    cancelled = [cancel(one.id, pauses) for pauses, (one, _) in enumerate(begun)]
    worked = [JobHandler(database, agent).handle(delivery) for _, delivery in begun]
    outcomes = [one for one in await asyncio.gather(*cancelled, *worked) if one is not None]
    told = {str(event.data.job_id) for event in await emitted(database)}
    for (one, _), was_cancelled in zip(begun, outcomes, strict=True):
        seen = await history(database, one.id)
        ends = [step.status for step in seen.steps if step.status.ended]
        assert ends == [JobStatus.CANCELLED if was_cancelled else JobStatus.COMPLETED]
        assert (await analysis(database, one.photo_id) is None) == was_cancelled
        assert (one.id in told) == (not was_cancelled)
