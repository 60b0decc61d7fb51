"""What makes two requests the same, what of an answer is kept, and for how long a claim is: pure parts."""

import asyncio
import tracemalloc
from collections.abc import Iterable, Sequence

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from mien_api.idempotency import leases
from mien_api.idempotency.answers import Answer, Seal
from mien_api.idempotency.bodies import BodyDigest, KnownBody
from mien_api.idempotency.leases import Leases
from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.idempotency import MemoryIdempotencyKeys
from mien_core.errors import Unavailable
from mien_core.idempotency import Claim, InFlight
from mien_core.model.platform import Caller

# of few letters, so that what is cut and what repeats itself meets often
BODIES = st.text("ab-\0", max_size=40).map(str.encode)
BOUNDARIES = st.text("ab-", min_size=1, max_size=5).map(str.encode)


def digest(pieces: Iterable[bytes], boundary: bytes = b"") -> bytes:
    taken = BodyDigest(boundary)
    for piece in pieces:
        taken.update(piece)
    return taken.digest()


def form(boundary: bytes, parts: Sequence[bytes]) -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


@given(st.lists(BODIES, max_size=6), st.one_of(st.just(b""), BOUNDARIES))
def test_a_body_is_the_same_however_it_is_cut(pieces: list[bytes], boundary: bytes) -> None:
    """The network decides about the pieces; a boundary is found across them, too."""
    body = b"".join(pieces)
    assert digest(pieces, boundary) == digest([body], boundary)
    assert digest([body[i : i + 1] for i in range(len(body))], boundary) == digest([body], boundary)


@given(st.lists(BODIES, min_size=1, max_size=4), st.lists(BODIES, min_size=1, max_size=4))
def test_a_form_is_the_same_under_another_boundary(first: list[bytes], second: list[bytes]) -> None:
    """The same parts have the same digest under any boundary, and other parts have another one."""
    one = digest([form(b"XXX1", first)], b"XXX1")
    assert one == digest([form(b"YYYYY2", first)], b"YYYYY2")
    assert (one == digest([form(b"YYYYY2", second)], b"YYYYY2")) == (first == second)


@given(BODIES, BODIES)
def test_other_bodies_have_other_digests(first: bytes, second: bytes) -> None:
    """Each byte counts, NUL bytes and those at the end as well."""
    assert (digest([first]) == digest([second])) == (first == second)


def scope_of(**changes: object) -> Scope:
    headers = [(b"content-type", b"application/json")]
    return {"type": "http", "method": "POST", "path": "/a", "query_string": b"", "headers": headers, **changes}


def receiving(messages: Iterable[Message]) -> Receive:
    waiting = iter(messages)

    async def receive() -> Message:
        return next(waiting, {"type": "http.disconnect"})

    return receive


def messages_of(body: bytes, piece: int) -> Iterable[Message]:
    for start in range(0, max(1, len(body)), piece):
        yield {"type": "http.request", "body": body[start : start + piece], "more_body": start + piece < len(body)}


async def taken(body: KnownBody) -> bytes:
    """Read what an app would."""
    whole, more = b"", True
    while more:
        message = await body.receive()
        assert message["type"] == "http.request"
        whole, more = whole + message["body"], message["more_body"]
    assert (await body.receive())["type"] == "http.disconnect"
    return whole


@given(BODIES, st.integers(1, 50), st.integers(0, 3))
async def test_what_was_read_ahead_reaches_the_app(content: bytes, piece: int, before: int) -> None:
    """Whatever part of a body the app has read by then, it gets the rest, its end and the client's leaving."""
    known = KnownBody(scope_of(), receiving(messages_of(content, piece)))
    got, more = b"", True
    while more and before:
        message = await known.receive()
        got, more, before = got + message["body"], message["more_body"], before - 1
    assert await known.request_digest() is not None
    while more:
        message = await known.receive()
        got, more = got + message["body"], message["more_body"]
    assert got == content
    assert (await known.receive())["type"] == "http.disconnect"


async def test_route_query_and_type_make_another_request() -> None:
    """The same body elsewhere, or as something else, is another request."""
    json = [(b"content-type", b"application/json")]
    text = [(b"content-type", b"text/plain")]
    scopes = [
        scope_of(headers=json),
        scope_of(headers=text),
        scope_of(path="/b"),
        scope_of(query_string=b"x=1"),
        scope_of(method="PUT"),
        scope_of(path="/a\udcff"),
    ]
    bodies = [KnownBody(scope, receiving(messages_of(b"{}", 9))) for scope in scopes]
    assert len({await body.request_digest() for body in bodies}) == len(scopes)


async def test_a_client_that_leaves_early_asked_for_nothing() -> None:
    """A body without its end has no digest, and the app finds the client gone."""
    known = KnownBody(
        scope_of(),
        receiving([{"type": "http.request", "body": b"{", "more_body": True}]),
    )
    assert await known.request_digest() is None
    assert (await known.receive())["body"] == b"{"
    assert (await known.receive())["type"] == "http.disconnect"


@pytest.mark.parametrize("piece", [64 * 1024, 100])
async def test_a_photo_lies_in_memory_once(piece: int) -> None:
    """However small the pieces of 10 MB are, they take 10 MB while they are held, and less and less as they go."""
    size = 10 * 1024 * 1024
    known = KnownBody(
        scope_of(),
        receiving(
            {"type": "http.request", "body": bytes(piece), "more_body": start + piece < size}
            for start in range(0, size, piece)
        ),
    )
    tracemalloc.start()
    try:
        assert await known.request_digest() is not None
        held, peak = tracemalloc.get_traced_memory()
        assert held < 1.2 * size
        assert peak < 1.2 * size
        tracemalloc.reset_peak()
        more = True
        while more:
            more = (await known.receive())["more_body"]
        left, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * size
    assert left < 0.1 * size


CALLER = Caller("acme", "anna", frozenset({"glam", "skin"}))
HEADERS = Headers({"Content-Type": "text/plain", "ETag": '"1"', "Server-Timing": "t", "Set-Cookie": "c"})


@given(st.integers(200, 499), st.binary(max_size=100))
def test_an_answer_comes_out_as_it_went_in(status: int, body: bytes) -> None:
    """Status, body and the headers that describe it survive; what belongs to one exchange is left out."""
    answer = Answer.of(status, HEADERS, body)
    assert answer.headers == (("content-type", "text/plain"), ("etag", '"1"'))
    assert Seal(CALLER, None, "key").open(Seal(CALLER, None, "key").close(answer)) == answer


def test_who_asks_makes_the_key() -> None:
    """Another tenant, user, key, anonymous address or other scopes: another row, which its seal doesn't open."""
    seals = [
        Seal(CALLER, None, "key"),
        Seal(CALLER, None, "key2"),
        Seal(Caller("other", "anna", CALLER.scopes), None, "key"),
        Seal(Caller("acme", "bea", CALLER.scopes), None, "key"),
        Seal(Caller("acme", None, CALLER.scopes), None, "key"),
        Seal(Caller("acme", "anna", frozenset({"glam"})), None, "key"),
        Seal(CALLER, "192.0.2.7", "key"),
    ]
    assert len({seal.key for seal in seals}) == len(seals)
    closed = seals[0].close(Answer(200, (), b"secret"))
    assert b"secret" not in closed
    for seal in seals[1:]:
        with pytest.raises(InvalidTag):
            seal.open(closed)


async def claimed(database: MemoryDatabase, key: bytes) -> Claim:
    got = await database.idempotency_keys.claim(key, b"", lease_seconds=0, keep_seconds=99)
    assert isinstance(got, Claim)
    return got


async def test_long_requests_keep_their_claims_and_short_ones_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has been under way for long is renewed, what has just begun or has ended isn't."""
    database, held = MemoryDatabase(), Leases()
    held.begin(await claimed(database, b"long"))
    await held.tick(database.idempotency_keys)
    held.begin(await claimed(database, b"long"))
    ended = await claimed(database, b"ended")
    held.begin(ended)
    held.end(ended)
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0)
    await held.tick(database.idempotency_keys)
    long = await database.idempotency_keys.claim(b"long", b"", lease_seconds=0, keep_seconds=99)
    assert long == InFlight()
    await claimed(database, b"ended")


class TroubledKeys(MemoryIdempotencyKeys):
    """Fails, in one way and then in another, before it works."""

    def __init__(self) -> None:
        super().__init__()
        self.troubles: list[Exception] = [Unavailable("database_unavailable", "Away."), ZeroDivisionError()]
        self.worked = asyncio.Event()

    async def purge(self, limit: int) -> int:
        if self.troubles:
            raise self.troubles.pop(0)
        self.worked.set()
        return await super().purge(limit)


async def test_renewing_goes_on_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a database that is away nor a bug ends the renewals of a process."""
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0)
    keys = TroubledKeys()
    async with Leases().renewing(keys), asyncio.timeout(30):
        await keys.worked.wait()


async def test_all_that_is_old_is_purged_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """One look takes every expired row, a few at a time."""
    monkeypatch.setattr(leases, "PURGE_ROWS", 2)
    keys = MemoryIdempotencyKeys()
    for number in range(5):
        await keys.claim(b"%d" % number, b"", lease_seconds=0, keep_seconds=0)
    await Leases().tick(keys)
    assert await keys.purge(9) == 0
