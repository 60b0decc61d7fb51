"""What is known of API keys, for how long, and what it costs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mien_api import keys, known_keys
from mien_api.known_keys import KEYS_REMEMBERED, REMEMBER_SECONDS, RENEW_SECONDS, KnownKeys
from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Rejected, Unavailable
from mien_core.model.platform import ApiKey, Caller
from mien_core.ports.database import Transaction


class Clock:
    """Stands still unless a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Asked(MemoryDatabase):
    """Counts its readings; they wait while a test wants them to."""

    def __init__(self) -> None:
        super().__init__()
        self.readings = 0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.trouble: Exception | None = None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        self.readings += 1
        if self.trouble is not None:
            raise self.trouble
        async with super().reading() as reading:
            yield reading
            await self.go_on.wait()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database() -> Asked:
    return Asked()


@pytest.fixture
def known(database: Asked, clock: Clock) -> KnownKeys:
    return KnownKeys(database, clock)


@pytest.fixture
async def key(database: Asked) -> tuple[ApiKey, str]:
    return await keys.create(database, "acme", "frontend", frozenset({"glam"}))


ACME = Caller("acme", None, frozenset({"glam"}))


async def test_a_key_in_use_is_looked_up_now_and_then(
    known: KnownKeys, database: Asked, clock: Clock, key: tuple[ApiKey, str]
) -> None:
    """One statement in RENEW_SECONDS, however many requests there are; and the caller is the key's."""
    for _ in range(4):
        for _ in range(50):
            assert await known.caller(key[1]) == ACME
        clock.now += RENEW_SECONDS
    assert database.readings == 4


async def test_a_revoked_key_is_good_for_a_bounded_time(
    known: KnownKeys, database: Asked, clock: Clock, key: tuple[ApiKey, str]
) -> None:
    """Used or not, it counts no longer than REMEMBER_SECONDS after it was read; from then on it is unknown."""
    await known.caller(key[1])
    await keys.revoke(database, key[0].id)
    clock.now += REMEMBER_SECONDS
    for _ in range(2):
        with pytest.raises(Rejected, match="credential_invalid"):
            await known.caller(key[1])


async def test_nobody_waits_while_one_looks_it_up_anew(
    known: KnownKeys, database: Asked, clock: Clock, key: tuple[ApiKey, str]
) -> None:
    """The others go on with what is known, up to the bound; after it they ask, too, and don't believe what is old."""
    await known.caller(key[1])
    clock.now += RENEW_SECONDS
    database.go_on.clear()
    renewing = asyncio.create_task(known.caller(key[1]))
    await asyncio.sleep(0)
    assert await asyncio.wait_for(known.caller(key[1]), 30) == ACME
    assert database.readings == 2
    clock.now += REMEMBER_SECONDS - RENEW_SECONDS
    late = asyncio.create_task(known.caller(key[1]))
    await asyncio.sleep(0)
    assert database.readings == 3
    database.go_on.set()
    assert await renewing == await late == ACME


async def test_what_was_read_before_a_revocation_counts_from_when_it_was_asked(
    known: KnownKeys, database: Asked, clock: Clock, key: tuple[ApiKey, str]
) -> None:
    """A slow answer doesn't make the bound longer."""
    database.go_on.clear()
    slow = asyncio.create_task(known.caller(key[1]))
    await asyncio.sleep(0)
    await keys.revoke(database, key[0].id)
    clock.now += REMEMBER_SECONDS
    database.go_on.set()
    assert await slow == ACME
    with pytest.raises(Rejected, match="credential_invalid"):
        await known.caller(key[1])


async def test_who_was_cut_off_leaves_the_look_up_to_the_next(
    known: KnownKeys, database: Asked, clock: Clock, key: tuple[ApiKey, str]
) -> None:
    """A client that hangs up, or a database that was away, keeps nobody from looking the key up anew."""
    await known.caller(key[1])
    clock.now += RENEW_SECONDS
    database.go_on.clear()
    cut_off = asyncio.create_task(known.caller(key[1]))
    await asyncio.sleep(0)
    cut_off.cancel()
    await asyncio.wait({cut_off})
    database.go_on.set()
    database.trouble = Unavailable("database_unavailable", "Away.")
    with pytest.raises(Unavailable):
        await known.caller(key[1])
    database.trouble = None
    before = database.readings
    assert await known.caller(key[1]) == ACME
    assert await known.caller(key[1]) == ACME
    assert database.readings == before + 1


async def test_wrong_keys_are_not_remembered(known: KnownKeys, database: Asked) -> None:
    """Each is looked up, so a key that is made later is good at once; and nothing is kept of guesses."""
    for _ in range(3):
        with pytest.raises(Rejected, match="credential_invalid"):
            await known.caller("mien_guessed")
    assert database.readings == 3
    assert not known._known


async def test_the_memory_has_a_bound(
    known: KnownKeys, database: Asked, key: tuple[ApiKey, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of too many keys the one that was looked up longest ago is forgotten, which costs it a statement."""
    assert KEYS_REMEMBERED >= 1000
    monkeypatch.setattr(known_keys, "KEYS_REMEMBERED", 2)
    others = [(await keys.create(database, "acme", "other", frozenset({"glam"})))[1] for _ in range(2)]
    for secret in (key[1], *others):
        await known.caller(secret)
    assert len(known._known) == 2
    before = database.readings
    await known.caller(others[0])
    assert database.readings == before
    await known.caller(key[1])
    assert database.readings == before + 1
