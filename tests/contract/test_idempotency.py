"""What every adapter of the IdempotencyKeys port promises: the same suite runs against Postgres and memory."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.idempotency import Answered, Claim, IdempotencyKeys, InFlight, OtherRequest
from mien_core.settings import PostgresSettings

DIGEST = b"\x01" * 32
OTHER_DIGEST = b"\x02" * 32
ANSWER = b"\x00sealed\xff"
HOUR = 3600.0


@pytest.fixture(params=["postgres", "memory"])
async def keys(request: pytest.FixtureRequest) -> AsyncIterator[IdempotencyKeys]:
    if request.param == "memory":
        yield MemoryDatabase().idempotency_keys
        return
    url = request.getfixturevalue("fresh_database")
    async with PostgresDatabase(PostgresSettings(url=url)) as postgres:
        yield postgres.idempotency_keys


def new_key() -> bytes:
    return uuid4().bytes * 2


async def claim(
    keys: IdempotencyKeys, key: bytes, digest: bytes = DIGEST, *, lease: float = HOUR, keep: float = HOUR
) -> Claim | Answered | InFlight | OtherRequest:
    return await keys.claim(key, digest, lease_seconds=lease, keep_seconds=keep)


async def claimed(keys: IdempotencyKeys, key: bytes, *, lease: float = HOUR, keep: float = HOUR) -> Claim:
    got = await claim(keys, key, lease=lease, keep=keep)
    assert isinstance(got, Claim)
    return got


async def test_the_first_does_the_work_and_the_others_get_its_answer(keys: IdempotencyKeys) -> None:
    """While the work is being done others are told so; afterwards they get the answer, byte for byte."""
    key = new_key()
    mine = await claimed(keys, key)
    assert await claim(keys, key) == InFlight()
    assert await keys.complete(mine, ANSWER)
    for _ in range(2):
        got = await claim(keys, key)
        assert isinstance(got, Answered)
        assert got.answer == ANSWER
        assert 0 <= got.age_seconds < HOUR


async def test_the_same_key_is_for_the_same_request(keys: IdempotencyKeys) -> None:
    """Another request under the key is told so: during the work, after a lease's end, after the answer."""
    key = new_key()
    mine = await claimed(keys, key, lease=0)
    assert await claim(keys, key, OTHER_DIGEST) == OtherRequest()
    assert await keys.complete(mine, ANSWER)
    assert await claim(keys, key, OTHER_DIGEST) == OtherRequest()


async def test_keys_know_nothing_of_each_other(keys: IdempotencyKeys) -> None:
    """Another key is free, whatever happens to the first."""
    first = await claimed(keys, new_key())
    second = await claimed(keys, new_key())
    assert await keys.complete(first, ANSWER)
    assert await claim(keys, second.key) == InFlight()


async def test_of_many_at_once_one_gets_the_claim(keys: IdempotencyKeys) -> None:
    """However many ask at the same moment, one does the work, also where all of them take over from a dead one."""
    key = new_key()
    for _ in range(2):
        got = await asyncio.gather(*(claim(keys, key, lease=HOUR) for _ in range(8)))
        winners = [one for one in got if isinstance(one, Claim)]
        assert len(winners) == 1
        assert got.count(InFlight()) == 7
        await keys.renew(winners, 0)


async def test_a_dead_ones_work_is_taken_over_and_it_can_not_interfere(keys: IdempotencyKeys) -> None:
    """Whoever wakes up after its lease neither answers, nor releases, nor renews what is another's by then."""
    key = new_key()
    frozen = await claimed(keys, key, lease=0)
    successor = await claimed(keys, key)
    assert successor.attempt != frozen.attempt
    assert not await keys.complete(frozen, b"late")
    await keys.release(frozen)
    await keys.renew([frozen], 0)
    assert await claim(keys, key) == InFlight()
    assert await keys.complete(successor, ANSWER)
    assert not await keys.complete(frozen, b"late")
    await keys.release(frozen)
    got = await claim(keys, key)
    assert isinstance(got, Answered)
    assert got.answer == ANSWER


async def test_a_late_one_may_answer_while_nobody_took_over(keys: IdempotencyKeys) -> None:
    """A lease's end alone takes nothing away: the work was done once, so its answer counts."""
    mine = await claimed(keys, new_key(), lease=0)
    assert await keys.complete(mine, ANSWER)
    assert isinstance(await claim(keys, mine.key), Answered)


async def test_an_answer_is_kept_once(keys: IdempotencyKeys) -> None:
    """A second answer of the same attempt changes nothing, and neither does its release or renewal."""
    mine = await claimed(keys, new_key())
    assert await keys.complete(mine, ANSWER)
    assert not await keys.complete(mine, b"second")
    await keys.release(mine)
    await keys.renew([mine], 0)
    got = await claim(keys, mine.key)
    assert isinstance(got, Answered)
    assert got.answer == ANSWER


async def test_a_released_key_is_free_at_once(keys: IdempotencyKeys) -> None:
    """What didn't begin leaves nothing behind: even another request may have the key."""
    mine = await claimed(keys, new_key())
    await keys.release(mine)
    assert isinstance(await claim(keys, mine.key, OTHER_DIGEST), Claim)
    assert not await keys.complete(mine, ANSWER)


async def test_a_renewed_lease_goes_on(keys: IdempotencyKeys) -> None:
    """Work that takes longer than its lease is nobody else's as long as somebody renews it."""
    claims = [await claimed(keys, new_key(), lease=0) for _ in range(3)]
    await keys.renew(claims[:2], HOUR)
    assert await claim(keys, claims[0].key) == InFlight()
    assert await claim(keys, claims[1].key) == InFlight()
    assert isinstance(await claim(keys, claims[2].key), Claim)
    await keys.renew([], HOUR)


async def test_what_was_kept_for_long_enough_is_as_if_it_had_never_been(keys: IdempotencyKeys) -> None:
    """After its time neither an answer nor a claim nor another request stands in the way."""
    key = new_key()
    mine = await claimed(keys, key, keep=0)
    assert await keys.complete(mine, ANSWER)
    assert isinstance(await claim(keys, key, OTHER_DIGEST, keep=0), Claim)
    assert isinstance(await claim(keys, key, DIGEST), Claim)
    assert await claim(keys, key, DIGEST) == InFlight()


async def test_a_purge_takes_what_is_old_and_only_so_many(keys: IdempotencyKeys) -> None:
    """The expired go, in bounded batches; the others stay."""
    kept = await claimed(keys, new_key())
    for number in range(5):
        old = await claimed(keys, new_key(), keep=0)
        if number % 2:
            await keys.complete(old, ANSWER)
    assert [await keys.purge(3) for _ in range(3)] == [3, 2, 0]
    assert await claim(keys, kept.key) == InFlight()


STEPS = st.lists(
    st.tuples(st.sampled_from(["claim", "claim other", "complete", "release", "renew", "lapse"]), st.integers(0, 2)),
    max_size=25,
)


@given(steps=STEPS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_attempts_may_wake_up_at_any_moment(keys: IdempotencyKeys, steps: list[tuple[str, int]]) -> None:
    """In whatever order attempts claim, lapse, wake up, answer and release: only the newest counts, and one answer.

    A step's number says who acts: how many attempts began after that one.
    """
    key = new_key()
    attempts: list[Claim] = []
    held, lapsed, answer = False, False, b""
    for number, (what, which) in enumerate(steps):
        if what == "claim other" and held:
            assert await claim(keys, key, OTHER_DIGEST) == OtherRequest()
        elif what.startswith("claim"):
            got = await claim(keys, key)
            if held and answer:
                assert isinstance(got, Answered)
                assert got.answer == answer
            elif held and not lapsed:
                assert got == InFlight()
            else:
                assert isinstance(got, Claim)
                attempts.append(got)
                held, lapsed = True, False
        elif which < len(attempts):
            counts = held and which == 0 and not answer
            if what == "complete":
                assert await keys.complete(attempts[-1 - which], b"%d" % number) == counts
                answer = b"%d" % number if counts else answer
            elif what == "release":
                await keys.release(attempts[-1 - which])
                held = held and not counts
            else:
                await keys.renew([attempts[-1 - which]], HOUR if what == "renew" else 0)
                lapsed = what == "lapse" if counts else lapsed


async def test_all_attempts_at_a_request_have_one_seed(keys: IdempotencyKeys) -> None:
    """A seed lasts over leases and outlives them; another request's, released, expired or not, is another one."""
    key = new_key()
    first = await claimed(keys, key, lease=0)
    second = await claimed(keys, key)
    await keys.renew([second], 0)
    third = await claimed(keys, key)
    assert first.seed == second.seed == third.seed
    await keys.release(third)
    fourth = await claimed(keys, key, lease=0, keep=0)
    fifth = await claimed(keys, key)
    other = await claimed(keys, new_key())
    assert len({claim.seed for claim in (first, fourth, fifth, other)}) == 4
    assert len({claim.attempt for claim in (first, second, third, fourth, fifth, other)}) == 6


def test_the_expired_are_found_by_an_index(fresh_database: str) -> None:
    """The purge reads the expired alone, however many rows are kept."""
    with psycopg.connect(fresh_database) as connection:
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute(
            "EXPLAIN SELECT key FROM idempotency_keys WHERE expires_at <= clock_timestamp() ORDER BY expires_at LIMIT 9"
        ).fetchall()
    assert any("idempotency_keys_by_expiry" in line for (line,) in plan)
