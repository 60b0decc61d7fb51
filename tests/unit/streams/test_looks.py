"""Looks are recommended: with the analysis where that takes no time, else by the agent recommend-looks."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.errors import Rejected, Unavailable
from mien_core.events import FaceAnalysed, JobFailed, LooksRecommended, LooksRequested
from mien_core.model.face import Tone
from mien_core.model.looks import Shade
from mien_core.model.platform import Job, JobKind, JobStatus
from mien_core.model.recommendations import CatalogueProduct, Recommendation, RecommendedLook
from mien_core.model.skin import SkinReport
from mien_core.ports.database import Transaction
from mien_core.ports.recommendations import LooksEngine
from mien_core.rules.looks import recommend
from mien_streams.delivery import Delivery
from mien_streams.edge import Edge
from mien_streams.handlers.analyse_face import AnalyseFace
from mien_streams.handlers.recommend_looks import RecommendLooks
from mien_streams.job_handler import JobHandler
from mien_streams.looks import CATALOGUE_SECONDS, Ranker, Recommending
from tests.makers import face_report, skin_report
from tests.unit.streams.stand_ins import ScriptedServing, analysis, delivered, emitted, events, job, outbox, started

PRODUCT = CatalogueProduct(
    product_id="lip-1",
    category="lipstick",
    name="Velvet",
    shade=Shade(name="Rosewood", hex="#A4414B"),
    finish="satin",
    url="https://shop.example/lip-1",
)
LOOK = RecommendedLook(name="Thought over", reason="It took a while.", presets=(), products=())


@dataclass
class ScriptedEngine:
    """Meets LooksEngine: raises the scripted errors one after the other, then answers."""

    at_once: bool = False
    script: list[Exception] = field(default_factory=list)
    asked: list[tuple[Tone | None, SkinReport | None, list[CatalogueProduct]]] = field(default_factory=list)
    name: str = "scripted"

    async def recommend(
        self, tone: Tone | None, skin: SkinReport | None, catalogue: Sequence[CatalogueProduct]
    ) -> tuple[RecommendedLook, ...]:
        """See LooksEngine."""
        self.asked.append((tone, skin, list(catalogue)))
        if self.script:
            raise self.script.pop(0)
        return (LOOK,)


async def stocked(*products: CatalogueProduct) -> MemoryDatabase:
    database = MemoryDatabase()
    async with database.transaction() as transaction:
        await transaction.products.replace(products)
    return database


async def analysed(database: MemoryDatabase, engine: LooksEngine, **fields: object) -> Job:
    """A photo whose face was analysed where this engine recommends; its analysis' job."""
    begun, delivery = await started(database, **fields)
    agent = AnalyseFace(database, ScriptedServing(), MemoryObjectStore(), Recommending(database, engine))
    await Edge(database, JobHandler(database, agent)).process(delivery)
    ended = await job(database, begun.id)
    assert ended.status is JobStatus.COMPLETED
    assert await analysis(database, begun.photo_id) is not None
    return ended


async def requested(database: MemoryDatabase) -> tuple[Job, Delivery]:
    """The one job that the agent is asked for, and its event as it comes from the topic."""
    rows = await outbox(database)
    [(row, event)] = [
        (row, event) for row, event in zip(rows, events(rows), strict=True) if isinstance(event.data, LooksRequested)
    ]
    async with database.transaction() as transaction:
        await transaction.outbox.remove([row.id])
    return await job(database, str(event.data.job_id)), delivered(row.record)


async def done(database: MemoryDatabase, engine: LooksEngine, delivery: Delivery) -> None:
    agent = RecommendLooks(database, Recommending(database, engine))
    await Edge(database, JobHandler(database, agent)).process(delivery)


async def recommended(database: MemoryDatabase, upload_id: str) -> Recommendation | None:
    async with database.reading() as reading:
        return await reading.recommendations.get(upload_id)


async def told(database: MemoryDatabase) -> list[str]:
    return [event.type for event in await emitted(database)]


async def test_the_ranker_recommends_with_the_analysis() -> None:
    """One job, one transaction: the looks are there when the analysis is, from the catalogue, and nothing is asked."""
    database = await stocked(PRODUCT)
    ended = await analysed(database, Ranker(), user_id="anna")
    expected = recommend(face_report().tone, skin_report(), [PRODUCT])
    assert await recommended(database, ended.photo_id) == Recommendation(engine="ranker", looks=expected)
    assert [one.kind for one in database.state.jobs.values()] == [JobKind.ANALYSE_FACE]
    assert await told(database) == [FaceAnalysed.type, LooksRecommended.type]
    row = database.state.recommendations[ended.photo_id]
    assert (row.job_id, row.tenant, row.user_id) == (ended.id, ended.tenant, "anna")


@pytest.mark.parametrize("purpose", ["skin", "poster"])
async def test_another_applications_photo_gets_no_looks(purpose: str) -> None:
    """Neither at once nor by the agent."""
    for at_once in (True, False):
        database, engine = await stocked(PRODUCT), ScriptedEngine(at_once=at_once)
        ended = await analysed(database, engine, purpose=purpose)
        assert await recommended(database, ended.photo_id) is None
        assert (engine.asked, await told(database)) == ([], [FaceAnalysed.type])


async def test_an_engine_that_takes_time_has_a_job_of_its_own() -> None:
    """The analysis ends without it; the agent gets what the photo showed and the catalogue, and ends its own job."""
    database, engine = await stocked(PRODUCT), ScriptedEngine()
    ended = await analysed(database, engine, user_id="anna")
    assert engine.asked == []
    own, delivery = await requested(database)
    assert (own.kind, own.upload_id, own.status) == (JobKind.RECOMMEND_LOOKS, ended.upload_id, JobStatus.CREATED)
    assert (own.tenant, own.user_id) == (ended.tenant, "anna")
    await done(database, engine, delivery)
    await done(database, engine, delivery)
    assert engine.asked == [(face_report().tone, skin_report(), [PRODUCT])]
    assert (await job(database, own.id)).status is JobStatus.COMPLETED
    assert await recommended(database, ended.photo_id) == Recommendation(engine="scripted", looks=(LOOK,))
    _, looks = await emitted(database)
    assert isinstance(looks.data, LooksRecommended)
    assert (str(looks.data.job_id), looks.data.engine) == (own.id, "scripted")
    assert "recommend" in (await job(database, own.id)).timings


@pytest.mark.parametrize(
    ("error", "code", "letters"),
    [(Rejected("refused", "The engine refuses."), "refused", 0), (ZeroDivisionError(), "internal_error", 1)],
)
async def test_looks_that_come_to_nothing_leave_the_analysis(error: Exception, code: str, letters: int) -> None:
    """Their own job fails with the reason, a bug is a dead letter, and the analysis and its job stay as they are."""
    database, engine = await stocked(PRODUCT), ScriptedEngine(script=[error])
    ended = await analysed(database, engine)
    own, delivery = await requested(database)
    await done(database, engine, delivery)
    failed = await job(database, own.id)
    assert failed.error is not None
    assert (failed.status, failed.error.code) == (JobStatus.FAILED, code)
    assert len(database.state.dead_letters) == letters
    assert await job(database, ended.id) == ended
    assert await analysis(database, ended.photo_id) is not None
    assert await told(database) == [FaceAnalysed.type, JobFailed.type]


@pytest.mark.parametrize("error", [ZeroDivisionError(), Rejected("refused", "The engine refuses.")])
async def test_what_fails_at_once_is_left_to_the_agent(error: Exception) -> None:
    """Not even a bug in an engine costs an analysis: it completes, and the agent tries again."""
    database, engine = await stocked(PRODUCT), ScriptedEngine(at_once=True, script=[error])
    ended = await analysed(database, engine)
    assert await recommended(database, ended.photo_id) is None
    own, delivery = await requested(database)
    await done(database, engine, delivery)
    assert (await job(database, own.id)).status is JobStatus.COMPLETED
    assert await recommended(database, ended.photo_id) == Recommendation(engine="scripted", looks=(LOOK,))


async def test_an_analysis_that_was_erased_meanwhile_gets_no_looks() -> None:
    """The agent's job fails with analysis_not_found."""
    database, engine = await stocked(), ScriptedEngine()
    ended = await analysed(database, engine)
    own, delivery = await requested(database)
    del database.state.analyses[ended.photo_id]
    await done(database, engine, delivery)
    failed = await job(database, own.id)
    assert failed.error is not None
    assert (failed.error.code, engine.asked) == ("analysis_not_found", [])


class Away(MemoryDatabase):
    """Can't be read while it is away."""

    away = False

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """See MemoryDatabase."""
        if self.away:
            raise Unavailable("database_unavailable", "It is away.", 0.0)
        async with super().reading() as reading:
            yield reading


async def test_the_catalogue_is_believed_for_a_minute() -> None:
    """Read once in that time; another one counts after it; where none can be read, the one from before does."""
    database, engine, now = Away(), ScriptedEngine(), [100.0]
    recommending = Recommending(database, engine, clock=lambda: now[0])

    async def stock(*products: CatalogueProduct) -> None:
        async with database.transaction() as transaction:
            await transaction.products.replace(products)

    async def seen() -> list[CatalogueProduct]:
        await recommending.recommend(None, None)
        return engine.asked[-1][2]

    database.away = True
    with pytest.raises(Unavailable):
        await seen()
    database.away = False
    assert await seen() == []
    await stock(PRODUCT)
    now[0] += CATALOGUE_SECONDS - 1
    assert await seen() == []
    now[0] += 1
    assert await seen() == [PRODUCT]
    await stock()
    now[0] += CATALOGUE_SECONDS
    database.away = True
    assert await seen() == [PRODUCT]
    database.away = False
    now[0] += CATALOGUE_SECONDS
    assert await seen() == []
