"""What happens on InsightRequested."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Unavailable
from mien_core.events import InsightRequested, JobFailed, insight_requested, to_record
from mien_core.model.cycle import DiaryMetrics, JournalContent, NewJournalEntry, NewPeriod, NewSkinScan
from mien_core.model.insights import Diary, NewInsight, Span, Words
from mien_core.model.platform import JobKind, JobStatus, NewJob
from mien_streams.delivery import Delivery
from mien_streams.edge import Edge
from mien_streams.handlers.write_insight import WriteInsight
from mien_streams.insight_writer import SummaryWriter
from mien_streams.job_handler import JobHandler
from tests.unit.streams.stand_ins import delivered, emitted, job

LAST = date(2026, 11, 30)
SPAN = Span(LAST - timedelta(days=29), LAST)


class NotingWriter(SummaryWriter):
    """Notes what it is given, and raises the scripted errors first."""

    def __init__(self, *script: BaseException) -> None:
        self.diaries: list[Diary] = []
        self._script = list(script)

    async def write(self, diary: Diary) -> Words:
        self.diaries.append(diary)
        if self._script:
            raise self._script.pop(0)
        return await super().write(diary)


async def asked(database: MemoryDatabase, user_id: str = "anna") -> tuple[str, Delivery]:
    """Ask for an insight; its id, and its event as it comes from the topic."""
    insight = NewInsight(str(uuid4()), "acme", user_id, SPAN)
    new_job = NewJob(insight.id, "acme", user_id, JobKind.WRITE_INSIGHT, None, 600)
    async with database.transaction() as transaction:
        await transaction.insights.ask(insight)
        await transaction.jobs.create(new_job)
    return insight.id, delivered(to_record(insight_requested(insight.id)))


async def lived(database: MemoryDatabase, days_ago: int, user_id: str = "anna") -> None:
    """A line in each diary."""
    day = LAST - timedelta(days=days_ago)
    nothing: dict[str, Any] = dict.fromkeys(("radiance", "moisture", "texture", "pores", "dark_circles"))
    content = JournalContent(day, None, None, f"{days_ago} days ago", (), None)
    async with database.transaction() as transaction:
        await transaction.journal.add(NewJournalEntry(str(uuid4()), "acme", user_id, content))
        await transaction.periods.log(NewPeriod(str(uuid4()), "acme", user_id, day, None, None, ()))
        await transaction.skin_scans.add(NewSkinScan(str(uuid4()), "acme", user_id, day, DiaryMetrics(**nothing), None))


def handler(database: MemoryDatabase, writer: SummaryWriter) -> JobHandler[Words]:
    return JobHandler(database, WriteInsight(database, writer))


async def test_a_diary_becomes_an_insight() -> None:
    """Words, engine and job are there; the writer saw the user's own lines of those days, the oldest first."""
    database, writer = MemoryDatabase(), NotingWriter()
    for days_ago in (3, 29, 30, 40, 0, 900):
        await lived(database, days_ago)
        await lived(database, days_ago, "berta")
    insight_id, delivery = await asked(database)
    await handler(database, writer).handle(delivery)
    [diary] = writer.diaries
    assert [one.text for one in diary.journal] == ["29 days ago", "3 days ago", "0 days ago"]
    assert [one.date for one in diary.scans] == [one.date for one in diary.journal]
    assert [(LAST - one.date).days for one in diary.periods] == [40, 30, 29, 3, 0]
    assert {one.user_id for one in diary.periods} == {one.user_id for one in diary.scans} == {"anna"}
    async with database.reading() as reading:
        [insight] = await reading.insights.of_user("acme", "anna", after=None, limit=9)
    assert (insight.id, insight.span, insight.words.engine, insight.words.model) == (insight_id, SPAN, "summary", None)
    assert "3 journal entries" in insight.words.text
    ended = await job(database, insight_id)
    assert ended.status is JobStatus.COMPLETED
    assert list(ended.timings) == ["outbox", "kafka", "queue", "begin", "writing", "commit"]


async def test_a_repeat_writes_nothing() -> None:
    """The same event once more asks nobody, and the words stay."""
    database, writer = MemoryDatabase(), NotingWriter()
    insight_id, delivery = await asked(database)
    for _ in range(2):
        await handler(database, writer).handle(delivery)
    assert len(writer.diaries) == 1
    assert list(database.state.insights) == [insight_id]


@pytest.mark.usefixtures("impatient")
async def test_a_model_that_is_away_is_asked_again_later() -> None:
    """By the outbox, while the job waits; then the insight is written."""
    database = MemoryDatabase()
    writer = NotingWriter(Unavailable("bedrock_unavailable", "It is full.", 0.0))
    insight_id, delivery = await asked(database)
    edge = Edge(database, handler(database, writer))
    await edge.process(delivery)
    assert ((await job(database, insight_id)).status, database.state.insights) == (JobStatus.PROCESSING, {})
    [(_, row)] = database.state.outbox.values()
    await edge.process(delivered(row.record))
    assert (await job(database, insight_id)).status is JobStatus.COMPLETED
    assert list(database.state.insights) == [insight_id]


async def test_what_was_erased_meanwhile_is_not_written() -> None:
    """The job fails with what to do, and says so; nothing comes back."""
    database = MemoryDatabase()
    insight_id, delivery = await asked(database)
    database.state.asked_insights.clear()
    await handler(database, NotingWriter()).handle(delivery)
    ended = await job(database, insight_id)
    assert ended.error is not None
    assert (ended.error.code, database.state.insights) == ("insight_not_found", {})
    [event] = await emitted(database)
    assert isinstance(event.data, JobFailed)
    assert event.data.upload_id is None


@pytest.mark.parametrize("status", [JobStatus.CANCELLED, JobStatus.FAILED])
async def test_a_job_that_has_ended_is_left_alone(status: JobStatus) -> None:
    """Nobody is asked for what nobody wants any more."""
    database, writer = MemoryDatabase(), NotingWriter()
    insight_id, delivery = await asked(database)
    async with database.transaction() as transaction:
        await transaction.jobs.change(insight_id, status)
    await handler(database, writer).handle(delivery)
    assert (writer.diaries, database.state.insights) == ([], {})


def test_the_agent_takes_what_is_asked_for() -> None:
    """Its name is its consumer group's and the inbox's, so it never changes."""
    agent = WriteInsight(MemoryDatabase(), SummaryWriter())
    assert (agent.name, agent.takes) == ("write-insight", InsightRequested)
