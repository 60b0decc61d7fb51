"""Limits over two processes' worth of API and one real Postgres."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import psycopg
import pytest
from asgi_lifespan import LifespanManager
from pydantic import SecretStr

from mien_api import keys, limits, slices
from mien_api.app import create_app
from mien_api.handlers import Handlers
from mien_api.limits import Limiting, RateLimits
from mien_api.slices import Limiter, Quota
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.adapters.postgres.quotas import PostgresQuotas
from mien_core.errors import Unavailable
from mien_core.settings import PostgresSettings

LIMIT = 60
PATH = "/jobs/6f9619ff-8b86-d011-b42d-00cf4fc964ff"
# longer than any test takes, on whatever machine
WINDOW_SECONDS = 3600.0
# likewise for answers of the store that nobody wants to be late
PATIENCE_SECONDS = 60.0


@pytest.fixture(autouse=True)
def long_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """No window ends during a test."""
    monkeypatch.setattr(limits, "WINDOW_SECONDS", WINDOW_SECONDS)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stalling machine is no store that is away."""
    monkeypatch.setattr(slices, "PATIENCE_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def settings(fresh_database: str) -> PostgresSettings:
    return PostgresSettings(url=SecretStr(fresh_database))


@pytest.fixture
async def database(settings: PostgresSettings) -> AsyncIterator[PostgresDatabase]:
    async with PostgresDatabase(settings) as database:
        yield database


@asynccontextmanager
async def replica(
    database: PostgresDatabase, quotas: PostgresSettings, secret: str
) -> AsyncIterator[httpx.AsyncClient]:
    """One process' app as a client meets it."""

    @asynccontextmanager
    async def open_handlers() -> AsyncIterator[Handlers]:
        yield Handlers(database, MemoryObjectStore(), consent_required=False, upload_expires=900, download_expires=900)

    limiting = Limiting(RateLimits(caller=LIMIT), open_quotas=lambda: PostgresQuotas(quotas, slices.PATIENCE_SECONDS))
    async with (
        LifespanManager(create_app(open_handlers, [], limiting=limiting)) as manager,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(manager.app), base_url="http://mien.test", headers={"Authorization": secret}
        ) as client,
    ):
        yield client


async def secret_of(database: PostgresDatabase, tenant: str) -> str:
    _, secret = await keys.create(database, tenant, "test", frozenset({"*"}))
    return secret


@pytest.mark.usefixtures("patient")
async def test_two_replicas_admit_the_limit_together(database: PostgresDatabase, settings: PostgresSettings) -> None:
    """Whichever replica a caller comes to, all in all it is the limit; what one leaves behind the other admits."""
    secret = await secret_of(database, "acme")
    answers: Counter[int] = Counter()

    async def ask(*clients: httpx.AsyncClient) -> None:
        batch = await asyncio.gather(*(client.get(PATH) for client in clients for _ in range(LIMIT)))
        answers.update(answer.status_code for answer in batch)

    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(replica(database, settings, secret)) for _ in range(2)]
        await ask(first, second)
        assert answers[404] <= LIMIT
        assert answers[404] + answers[429] == 2 * LIMIT
    async with replica(database, settings, secret) as third:
        await ask(third)
    assert answers[404] == LIMIT


@pytest.mark.usefixtures("patient")
async def test_no_window_sees_more_than_its_limit(settings: PostgresSettings) -> None:
    """Four processes, windows of half a second, everybody asks all the time: each window has its limit, no more."""
    quota = Quota("short", 50, 0.5)
    admitted: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        limiters = []
        for _ in range(4):
            quotas = await stack.enter_async_context(PostgresQuotas(settings, PATIENCE_SECONDS))
            limiters.append(Limiter(quotas))
            await stack.enter_async_context(limiters[-1].running())
        deadline = time.monotonic() + 60

        async def insist(limiter: Limiter) -> None:
            # a bound that is never reached would be none, and a machine that stands still leaves windows half empty
            while len(admitted) < 4 or max(admitted.values()) <= 25:
                assert time.monotonic() < deadline
                try:
                    standing = await limiter.take(quota, "acme")
                except Unavailable:
                    await asyncio.sleep(0.005)
                    continue
                assert standing.part is not None
                assert standing.part.window is not None
                admitted[standing.part.window] += 1

        await asyncio.gather(*(insist(limiter) for limiter in limiters))
    assert max(admitted.values()) <= 50


@pytest.mark.usefixtures("patient")
async def test_a_crash_of_the_store_costs_one_window(
    database: PostgresDatabase, settings: PostgresSettings, fresh_database: str
) -> None:
    """What Postgres forgets with an unlogged table begins anew: at most the limit once more, and no error."""
    secret = await secret_of(database, "acme")
    async with replica(database, settings, secret) as client:
        before = [(await client.get(PATH)).status_code for _ in range(LIMIT)]
        async with await psycopg.AsyncConnection.connect(fresh_database, autocommit=True) as connection:
            await connection.execute("TRUNCATE rate_limits")
        after = [(await client.get(PATH)).status_code for _ in range(2 * LIMIT)]
    assert before.count(404) == LIMIT
    assert set(after) <= {404, 429}
    assert after.count(404) <= LIMIT


async def test_without_the_store_the_api_goes_on(database: PostgresDatabase) -> None:
    """Nobody is sent away for it, the limit holds for the process alone, and a metric tells."""
    nobody = PostgresSettings(url=SecretStr("postgresql://mien@127.0.0.1:1/mien"))
    secret = await secret_of(database, "acme")
    async with replica(database, nobody, secret) as client:
        answers = [(await client.get(PATH)).status_code for _ in range(LIMIT + 5)]
        metrics = (await client.get("/metrics")).text
    assert answers == [404] * LIMIT + [429] * 5
    assert "mien_rate_limit_store_away 1.0" in metrics
    slices.AWAY.set(0)
