"""An issuer's keys in memory: when they are looked for, by how many, and how long they count."""

import asyncio
from typing import Any

import pytest

from mien_api.key_sets import KeySet, read_key_set
from mien_api.signing_keys import SigningKeys
from mien_core.errors import Unavailable
from mien_local.issuer.keys import SigningKey, new_key

REFRESH, KEEP, BETWEEN = 600.0, 3600.0, 10.0


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Published:
    """What an issuer publishes, and how often it was asked."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key.private.public_key()
        self.kids = {"one"}
        self.away = False
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def fetch(self) -> KeySet:
        self.asked += 1
        await self.answers.wait()
        if self.away:
            raise Unavailable("issuer_unavailable", "Away.")
        return dict.fromkeys(self.kids, self._key)


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return new_key()


@pytest.fixture
def published(key: SigningKey) -> Published:
    return Published(key)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(published: Published, clock: Clock) -> SigningKeys:
    return SigningKeys(
        "issuer", published.fetch, refresh_seconds=REFRESH, keep_seconds=KEEP, between_seconds=BETWEEN, clock=clock
    )


async def test_a_known_key_is_asked_for_once(keys: SigningKeys, published: Published) -> None:
    """Whatever comes later finds it in memory."""
    for _ in range(100):
        assert await keys.find("one") is not None
    assert published.asked == 1


async def test_a_new_key_is_found_by_the_first_token_that_names_it(
    keys: SigningKeys, published: Published, clock: Clock
) -> None:
    """An issuer that rotates its keys needs nobody to restart us; the key that it took away opens nothing any more."""
    await keys.find("one")
    published.kids = {"two"}
    clock.now += BETWEEN
    assert await keys.find("two") is not None
    assert await keys.find("one") is None
    assert published.asked == 2


async def test_a_storm_of_made_up_keys_is_one_fetch(keys: SigningKeys, published: Published, clock: Clock) -> None:
    """A thousand unknown ids at once, and a thousand more within ten seconds: the issuer is asked once."""
    await keys.find("one")
    clock.now += BETWEEN
    published.answers.clear()
    storm = [asyncio.create_task(keys.find(f"made-up-{number}")) for number in range(1000)]
    while published.asked < 2:  # noqa: ASYNC110 - bounded by the test's timeout; tasks have no event for having begun
        await asyncio.sleep(0)
    assert not any(asked.done() for asked in storm)
    published.answers.set()
    assert await asyncio.gather(*storm) == [None] * 1000
    clock.now += BETWEEN - 0.1
    assert await asyncio.gather(*(keys.find(f"more-{number}") for number in range(1000))) == [None] * 1000
    assert published.asked == 2
    clock.now += 0.2
    assert await keys.find("made-up") is None
    assert published.asked == 3


async def test_who_hangs_up_takes_nobody_with_them(keys: SigningKeys, published: Published) -> None:
    """Of two who wait for one fetch, the first is cancelled and the second gets its key."""
    published.answers.clear()
    first, second = asyncio.create_task(keys.find("one")), asyncio.create_task(keys.find("one"))
    while not published.asked:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    published.answers.set()
    assert await second is not None


async def test_known_keys_outlive_their_issuer_for_a_while(
    keys: SigningKeys, published: Published, clock: Clock
) -> None:
    """Away, it changes nothing for known keys until they are too old; what only it could tell is unavailable."""
    await keys.find("one")
    published.away = True
    clock.now += BETWEEN
    with pytest.raises(Unavailable, match="issuer_unavailable") as unknown:
        await keys.find("two")
    assert unknown.value.retry_after == BETWEEN
    clock.now += KEEP - BETWEEN
    assert await keys.find("one") is not None
    clock.now += 1
    with pytest.raises(Unavailable, match="issuer_unavailable"):
        await keys.find("one")
    published.away = False
    clock.now += BETWEEN
    assert await keys.find("one") is not None


async def test_an_issuer_that_was_never_reached_is_asked_at_most_so_often(
    keys: SigningKeys, published: Published, clock: Clock
) -> None:
    """From the start on unavailable, never an error of ours, and one attempt every ten seconds."""
    published.away = True
    for _ in range(100):
        with pytest.raises(Unavailable):
            await keys.find("one")
    clock.now += BETWEEN
    with pytest.raises(Unavailable):
        await keys.find("one")
    assert published.asked == 2


async def test_keys_are_fetched_before_anybody_asks(keys: SigningKeys, published: Published) -> None:
    """The background fetches at the start; a request then finds the key, also while the issuer is away."""
    async with keys.kept_fresh():
        while not published.asked:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        assert await keys.find("one") is not None
        published.away = True
        assert await keys.find("one") is not None
    assert published.asked == 1


async def test_keys_are_refreshed_before_they_age_out(published: Published) -> None:
    """With nobody asking, the background fetches again and again."""
    keys = SigningKeys("issuer", published.fetch, refresh_seconds=0.01, keep_seconds=KEEP)
    async with keys.kept_fresh():
        while published.asked < 3:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)


def published_key(key: SigningKey, **members: Any) -> dict[str, Any]:
    said = {**key.published, "kid": "kid", **members}
    return {name: value for name, value in said.items() if value is not None}


@pytest.mark.parametrize(
    "members",
    [
        {"use": "enc"},
        {"alg": "RS512"},
        {"alg": "HS256"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "EC"},
        {"kid": None},
        {"kid": 7},
    ],
)
def test_keys_for_other_things_are_passed_over(key: SigningKey, members: dict[str, Any]) -> None:
    """A set may hold keys for encryption and of other algorithms: they are as good as not there."""
    assert read_key_set({"keys": [published_key(key, **members)]}) == {}


@pytest.mark.parametrize("members", [{"n": "AQAB"}, {"n": None}, {"n": 5}, {"e": "!"}, {"e": "AA"}, {"d": "AQAB"}])
def test_broken_keys_are_known_and_not_used(key: SigningKey, members: dict[str, Any]) -> None:
    """Nobody goes looking for them, and the others of the set count."""
    assert read_key_set({"keys": [published_key(key, **members)]}) == {"kid": None}
    both = read_key_set({"keys": [published_key(key, **members), published_key(key, kid="good")]})
    assert both["good"] is not None


def test_weak_keys_are_not_used() -> None:
    """Under 2,048 bits a key can be found by others."""
    weak = new_key(1024)
    assert read_key_set({"keys": [dict(weak.published)]}) == {weak.kid: None}


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": None}, {"keys": {}}, {"keys": [None, 5, "x"]}])
def test_what_is_no_key_set_holds_no_keys(document: object) -> None:
    """Whatever an issuer sends, there is no exception."""
    assert read_key_set(document) == {}
