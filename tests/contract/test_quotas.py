"""What every adapter of the Quotas port promises: the same suite runs against Postgres, Redis and memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from mien_core.adapters.memory.quotas import MemoryQuotas
from mien_core.adapters.postgres.quotas import PostgresQuotas
from mien_core.adapters.redis_quotas import RedisQuotas
from mien_core.errors import Unavailable
from mien_core.quotas import Lease, Quotas, Unused, Wanted
from mien_core.settings import PostgresSettings, RedisSettings

WINDOW = 600.0
SHORT = 0.3
DEADLINE_SECONDS = 60.0


@pytest.fixture(params=["postgres", "redis", "memory"])
async def quotas(request: pytest.FixtureRequest) -> AsyncIterator[Quotas]:
    if request.param == "memory":
        yield MemoryQuotas()
        return
    if request.param == "redis":
        settings = RedisSettings(url=request.getfixturevalue("redis_server"))
        async with RedisQuotas(settings, DEADLINE_SECONDS) as redis:
            yield redis
        return
    url = request.getfixturevalue("fresh_database")
    async with PostgresQuotas(PostgresSettings(url=SecretStr(url)), DEADLINE_SECONDS) as postgres:
        yield postgres


@pytest.fixture
def key() -> str:
    return uuid4().hex


async def lease(quotas: Quotas, key: str, limit: int, window_seconds: float, count: int) -> Lease:
    (one,) = await quotas.lease([Wanted(key, limit, window_seconds, count)])
    return one


async def test_the_first_lease_begins_a_window(quotas: Quotas, key: str) -> None:
    """What is wanted is granted, the rest remains, and the window has its whole length before it."""
    leased = await lease(quotas, key, 600, WINDOW, 60)
    assert (leased.granted, leased.remaining) == (60, 540)
    assert WINDOW - 60 < leased.expires_in <= WINDOW


async def test_a_window_is_dealt_out_whole_and_no_further(quotas: Quotas, key: str) -> None:
    """Leases of one window name it, add up to its limit, shrink towards its end, and then grant nothing."""
    leases = [await lease(quotas, key, 40, WINDOW, 16) for _ in range(30)]
    assert len({each.window for each in leases}) == 1
    assert sum(each.granted for each in leases) == 40
    assert [each.granted for each in leases[:4]] == [10, 8, 6, 4]
    assert (leases[-1].granted, leases[-1].remaining) == (0, 0)


async def test_keys_have_windows_of_their_own(quotas: Quotas, key: str) -> None:
    """What one key used up is not missing for another."""
    assert (await lease(quotas, key, 1, WINDOW, 1)).granted == 1
    assert (await lease(quotas, key + "'", 1, WINDOW, 1)).granted == 1


async def test_those_who_lease_at_the_same_time_share_one_allowance(quotas: Quotas, key: str) -> None:
    """However many ask at once, together they are granted the limit."""
    leases = await asyncio.gather(*(lease(quotas, key, 50, WINDOW, 5) for _ in range(40)))
    assert sum(each.granted for each in leases) == 50


async def test_many_keys_are_leased_at_once(quotas: Quotas) -> None:
    """Each is answered as if it had been asked for alone, in the order of asking, whoever else asks for the same."""
    keys = [uuid4().hex for _ in range(20)]
    first = [Wanted(key, 100 + number, WINDOW, number) for number, key in enumerate(keys)]
    leases = await quotas.lease(first)
    assert [each.granted for each in leases] == list(range(20))
    assert {each.remaining for each in leases} == {100}
    again = [Wanted(key, 100 + number, WINDOW, 1) for number, key in enumerate(keys)]
    await asyncio.gather(*(quotas.lease(again[:: 1 - 2 * (turn % 2)]) for turn in range(20)))
    assert {each.remaining for each in await quotas.lease([replace(one, count=0) for one in again])} == {80}


async def test_what_is_given_back_can_be_leased_again(quotas: Quotas, key: str) -> None:
    """Given back, it is there for the next one; more than was leased doesn't make the window larger."""
    leased = await lease(quotas, key, 8, WINDOW, 2)
    await quotas.give_back([Unused(key, leased.window, 2)])
    assert (await lease(quotas, key, 8, WINDOW, 2)).remaining == 6
    await quotas.give_back([Unused(key, leased.window, 1000)])
    assert (await lease(quotas, key, 8, WINDOW, 2)).remaining == 6


async def test_two_who_give_back_the_same_keys_do_not_hinder_each_other(quotas: Quotas) -> None:
    """Whatever their order, all of it comes back."""
    keys = [uuid4().hex for _ in range(20)]
    leases = {key: await lease(quotas, key, 100, WINDOW, 20) for key in keys}
    unused = [Unused(key, leases[key].window, 1) for key in keys]
    await asyncio.gather(*(quotas.give_back(unused[:: 1 - 2 * (turn % 2)]) for turn in range(20)))
    for key in keys:
        assert (await lease(quotas, key, 100, WINDOW, 0)).remaining == 100


async def test_a_window_ends_and_the_next_one_is_whole(quotas: Quotas, key: str) -> None:
    """After its end the whole limit is there; what is given back of the old window doesn't count in the new one."""
    old = await lease(quotas, key, 4, SHORT, 1)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (new := await lease(quotas, key, 4, WINDOW, 1)).window == old.window:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert (new.granted, new.remaining) == (1, 3)
    await quotas.give_back([Unused(key, old.window, 1)])
    assert (await lease(quotas, key, 4, WINDOW, 0)).remaining == 3


async def test_a_lowered_limit_holds_in_the_running_window(quotas: Quotas, key: str) -> None:
    """Where more is used than the new limit has, nothing is granted and nothing remains."""
    assert (await lease(quotas, key, 100, WINDOW, 20)).granted == 20
    lowered = await lease(quotas, key, 10, WINDOW, 1)
    assert (lowered.granted, lowered.remaining) == (0, 0)


async def test_what_is_over_is_forgotten_and_what_runs_is_not(quotas: Quotas, key: str) -> None:
    """Forgetting never gives anybody a second allowance."""
    running = await lease(quotas, key, 1, WINDOW, 1)
    await lease(quotas, key + "-short", 1, 0.001, 1)
    await quotas.check()
    await quotas.forget_expired()
    again = await lease(quotas, key, 1, WINDOW, 1)
    assert (again.granted, again.window) == (0, running.window)


async def test_rows_of_windows_that_are_over_go(fresh_database: str, key: str) -> None:
    """In Postgres, a caller who doesn't come back leaves no row behind."""
    async with PostgresQuotas(PostgresSettings(url=SecretStr(fresh_database)), DEADLINE_SECONDS) as quotas:
        await lease(quotas, key, 1, 0.001, 1)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while _rows(fresh_database):
                await quotas.forget_expired()


async def test_redis_drops_windows_that_are_over(redis_server: str, key: str) -> None:
    """In Redis, a caller who doesn't come back leaves nothing behind."""
    settings = RedisSettings(url=SecretStr(redis_server))
    async with RedisQuotas(settings, DEADLINE_SECONDS) as quotas, Redis.from_url(redis_server) as redis:
        await lease(quotas, key, 1, WINDOW, 1)
        (name,) = [name async for name in redis.scan_iter(f"*{key}")]
        assert 0 < await redis.pttl(name) <= WINDOW * 1000 + 1
        await lease(quotas, f"{key}-short", 1, 0.001, 1)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await redis.pttl(f"{name.decode()}-short") >= 0:
                pass
        assert not await redis.exists(f"{name.decode()}-short")


async def test_redis_may_forget_its_scripts(redis_server: str, key: str) -> None:
    """A restarted server doesn't know them any more; they are sent again."""
    async with RedisQuotas(RedisSettings(url=SecretStr(redis_server)), DEADLINE_SECONDS) as quotas:
        leased = await lease(quotas, key, 8, WINDOW, 2)
        async with Redis.from_url(redis_server) as redis:
            await redis.script_flush()
        await quotas.give_back([Unused(key, leased.window, 2)])
        assert (await lease(quotas, key, 8, WINDOW, 2)).remaining == 6


@pytest.mark.parametrize(
    "away",
    [
        lambda: PostgresQuotas(PostgresSettings(url=SecretStr("postgresql://mien:secret@127.0.0.1:1/mien"))),
        lambda: RedisQuotas(RedisSettings(url=SecretStr("redis://mien:secret@127.0.0.1:1/0"))),
    ],
    ids=["postgres", "redis"],
)
async def test_a_store_that_is_away_says_so(away: Callable[[], PostgresQuotas | RedisQuotas]) -> None:
    """Every method raises Unavailable with the port's own code, and says nothing of passwords."""
    async with away() as quotas:
        with pytest.raises(Unavailable, match="quotas_unavailable") as raised:
            await lease(quotas, "key", 1, WINDOW, 1)
        assert "secret" not in str(raised.value)
        with pytest.raises(Unavailable, match="quotas_unavailable"):
            await quotas.check()


def _rows(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM rate_limits").fetchone()
    assert row is not None
    return int(row[0])
