"""Idempotency-Key, as clients of the endpoints meet it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute, iter_route_contexts

from mien_api.idempotency.exchange import SAFE_METHODS
from mien_api.operations import Operation
from mien_api.routers.skin import PATH
from mien_core.adapters.memory.idempotency import MemoryIdempotencyKeys
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.errors import Unavailable
from mien_core.idempotency import Answered, Claim, InFlight, OtherRequest
from mien_core.model.keys import original_key
from mien_core.ports.objects import ObjectFacts, PresignedPut
from mien_core.rules.load import Limits
from tests.unit.api.conftest import NOW_HEADERS, Platform
from tests.unit.api.test_skin import PHOTO, png

ANNOUNCEMENT = {"contentType": "image/jpeg", "contentLength": 4}
UPLOAD_ID = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"


def keyed(key: str = "8e03978e-40d5-43dd-bc93-6894a57f9324", **more: str) -> dict[str, str]:
    return {"Idempotency-Key": key, **more}


async def announce(client: httpx.AsyncClient, key: str = "a", **changes: object) -> httpx.Response:
    return await client.post("/upload-url", json={**ANNOUNCEMENT, **changes}, headers=keyed(key))


def is_replay(answer: httpx.Response) -> bool:
    return "Idempotency-Replayed" in answer.headers


async def test_the_same_request_is_done_once_and_answered_the_same(
    platform: Platform, client: httpx.AsyncClient
) -> None:
    """The second answer is the first one byte for byte, says that it is a replay, and how old it is."""
    first, second = await announce(client), await announce(client)
    assert (first.status_code, is_replay(first)) == (200, False)
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["Content-Type"] == first.headers["Content-Type"]
    assert (second.headers["Idempotency-Replayed"], second.headers["Age"]) == ("true", "0")
    assert second.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert len(platform.database.state.uploads) == 1


async def test_another_key_is_another_request(platform: Platform, client: httpx.AsyncClient) -> None:
    """The same body under another key, and without any, is done again."""
    await announce(client, "a")
    await announce(client, "b")
    for _ in range(2):
        assert not is_replay(await client.post("/upload-url", json=ANNOUNCEMENT))
    assert len(platform.database.state.uploads) == 4


async def test_a_key_is_for_one_request(platform: Platform, client: httpx.AsyncClient) -> None:
    """Another body, route or query under the key is refused, and nothing is done."""
    await announce(client)
    others = [
        await announce(client, contentLength=5),
        await client.post("/upload-url?x=1", json=ANNOUNCEMENT, headers=keyed("a")),
        await client.post("/analyze", json=ANNOUNCEMENT, headers=keyed("a")),
        await client.post(PATH, files={"image": PHOTO}, headers=keyed("a")),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in others} == {(422, "idempotency_key_reused")}
    assert len(platform.database.state.uploads) == 1


async def test_anothers_key_is_another_key(platform: Platform, client: httpx.AsyncClient) -> None:
    """Neither another tenant nor a credential with other scopes is answered with what somebody else was."""
    first = await announce(client)
    for tenant, scopes in (("other", "*"), ("acme", "glam")):
        async with platform.client(await platform.secret(tenant, scopes)) as other:
            answer = await announce(other)
            assert (answer.status_code, is_replay(answer)) == (200, False)
            assert answer.json()["uploadId"] != first.json()["uploadId"]
    async with platform.client(await platform.secret(scopes="skin")) as other:
        answer = await announce(other)
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_another_key_of_the_same_caller_may_ask_again(platform: Platform, client: httpx.AsyncClient) -> None:
    """A credential that was exchanged between two attempts changes nothing: the caller is the same."""
    first = await announce(client)
    async with platform.client(await platform.secret()) as renewed:
        answer = await announce(renewed)
    assert is_replay(answer)
    assert answer.content == first.content


@pytest.mark.parametrize("key", [b"", b" ", b"a b", b"x" * 256, b"\xc3\xbc", b"a\x00b", b"a\tb", b"\x7f"])
async def test_a_key_is_visible_ascii(platform: Platform, client: httpx.AsyncClient, key: bytes) -> None:
    """Anything else is refused before anything is done; 255 characters are fine."""
    headers = [(b"Idempotency-Key", key)]
    answer = await client.post("/upload-url", json=ANNOUNCEMENT, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_malformed")
    assert not platform.database.state.uploads
    assert (await announce(client, "~" * 255)).status_code == 200


async def test_two_keys_are_none(client: httpx.AsyncClient) -> None:
    """Which of them would count nobody can know."""
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    answer = await client.post("/upload-url", json=ANNOUNCEMENT, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_malformed")


class SlowStore(MemoryObjectStore):
    """Takes as long as the test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def head(self, key: str) -> ObjectFacts | None:
        self.asked.set()
        await self.go_on.wait()
        return await super().head(key)


@asynccontextmanager
async def held_up(platform: Platform, client: httpx.AsyncClient) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """POST /analyze, standing still in the middle of its work."""
    upload_id = await platform.uploaded(client)
    assert isinstance(platform.object_store, SlowStore)
    body = {"uploadId": upload_id}
    running = asyncio.create_task(client.post("/analyze", json=body, headers=keyed(**NOW_HEADERS)))
    await platform.object_store.asked.wait()
    yield running
    platform.object_store.go_on.set()


async def test_while_it_is_in_flight_a_repeat_is_a_conflict() -> None:
    """The second one is told when to come again, and then gets the first one's answer."""
    platform = Platform(object_store=SlowStore())
    async with platform.client(await platform.secret()) as client:
        async with held_up(platform, client) as running:
            [upload_id] = platform.database.state.uploads
            body = {"uploadId": upload_id}
            meanwhile = await client.post("/analyze", json=body, headers=keyed(**NOW_HEADERS))
            other = await client.post("/analyze", json={"uploadId": UPLOAD_ID}, headers=keyed(**NOW_HEADERS))
        first = await running
        again = await client.post("/analyze", json=body, headers=keyed(**NOW_HEADERS))
    assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "request_in_flight")
    assert meanwhile.headers["Retry-After"] == "1"
    assert other.json()["code"] == "idempotency_key_reused"
    assert first.status_code == 202
    assert (again.content, is_replay(again)) == (first.content, True)
    assert [again.headers[name] for name in ("Location", "Preference-Applied", "Retry-After")] == [
        f"/jobs/{first.json()['id']}",
        "wait=0",
        "1",
    ]


async def test_who_was_refused_may_ask_again(platform: Platform, client: httpx.AsyncClient) -> None:
    """What an endpoint refuses did not begin: the key is free for the corrected request, or for a better moment."""
    assert (await announce(client, contentLength="many")).json()["code"] == "invalid_request"
    upload_id = (await announce(client)).json()["uploadId"]
    body, headers = {"uploadId": upload_id}, keyed("b", **NOW_HEADERS)
    early = await client.post("/analyze", json=body, headers=headers)
    assert early.json()["code"] == "upload_not_received"
    await platform.object_store.put(original_key(upload_id), b"jpeg", "image/jpeg")
    answer = await client.post("/analyze", json=body, headers=headers)
    assert (answer.status_code, is_replay(answer)) == (202, False)


async def test_what_is_away_may_be_back_at_the_next_attempt(platform: Platform, client: httpx.AsyncClient) -> None:
    """A 503 is no answer to be kept."""
    upload_id = await platform.uploaded(client)
    platform.object_store.go_away()
    body, headers = {"uploadId": upload_id}, keyed(**NOW_HEADERS)
    assert (await client.post("/analyze", json=body, headers=headers)).status_code == 503
    platform.object_store.come_back()
    assert (await client.post("/analyze", json=body, headers=headers)).status_code == 202


class BuggyStore(MemoryObjectStore):
    """Has a bug, once."""

    bugs = 1

    async def presign_put(self, key: str, content_type: str, content_length: int, expires_seconds: int) -> PresignedPut:
        self.bugs -= 1
        if self.bugs >= 0:
            raise ZeroDivisionError
        return await super().presign_put(key, content_type, content_length, expires_seconds)


async def test_a_bug_holds_no_key() -> None:
    """A 500 is no answer to be kept, and the next attempt is free at once."""
    platform = Platform(object_store=BuggyStore())
    async with platform.client(await platform.secret()) as client:
        assert (await announce(client)).status_code == 500
        assert (await announce(client)).status_code == 200


async def test_a_job_that_failed_is_an_answer(platform: Platform, client: httpx.AsyncClient) -> None:
    """Work was done and came to this: the problem is kept, and no second photo is analysed."""
    files = {"image": ("me.png", PHOTO, "image/png")}

    async def send() -> httpx.Response:
        return await client.post(PATH, files=files, headers=keyed(Prefer="wait=30"))

    running = asyncio.create_task(send())
    async with asyncio.timeout(30):
        while not platform.database.state.jobs:  # noqa: ASYNC110 - the state of a test has no event
            await asyncio.sleep(0.01)
    [job_id] = platform.database.state.jobs
    await platform.fail(job_id, "no_face")
    first, second = await running, await send()
    assert (first.status_code, first.json()["detail"]) == (400, "No face detected in the image")
    assert (second.status_code, second.content, is_replay(second)) == (400, first.content, True)
    assert second.headers["Content-Type"] == "application/problem+json"
    assert len(platform.database.state.jobs) == 1


async def test_the_same_form_is_the_same_under_another_boundary(platform: Platform, client: httpx.AsyncClient) -> None:
    """Each attempt of a browser draws a boundary; other pixels, another field, a query are another request."""

    async def send(image: bytes = PHOTO, path: str = PATH, **fields: str) -> httpx.Response:
        return await client.post(path, files={"image": image}, data=fields, headers=keyed(**NOW_HEADERS))

    first, second = await send(), await send()
    assert first.request.headers["Content-Type"] != second.request.headers["Content-Type"]
    assert (first.status_code, second.content, is_replay(second)) == (202, first.content, True)
    others = [await send(png(65)), await send(user_id="anna"), await send(path=f"{PATH}?user_id=anna")]
    assert {answer.json()["code"] for answer in others} == {"idempotency_key_reused"}
    assert len(platform.database.state.jobs) == 1


class NotedKeys(MemoryIdempotencyKeys):
    """Notes what it is asked for, and fails at complete and release where the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.away = False

    async def claim(
        self, key: bytes, request_digest: bytes, *, lease_seconds: float, keep_seconds: float
    ) -> Claim | Answered | InFlight | OtherRequest:
        self.asked.append("claim")
        return await super().claim(key, request_digest, lease_seconds=lease_seconds, keep_seconds=keep_seconds)

    async def complete(self, claim: Claim, answer: bytes) -> bool:
        self.asked.append("complete")
        self._fail()
        return await super().complete(claim, answer)

    async def release(self, claim: Claim) -> None:
        self.asked.append("release")
        self._fail()
        await super().release(claim)

    async def renew(self, claims: Sequence[Claim], lease_seconds: float) -> None:
        self.asked.append("renew")
        await super().renew(claims, lease_seconds)

    def _fail(self) -> None:
        if self.away:
            raise Unavailable("database_unavailable", "Away.")


@pytest.fixture
def keys(platform: Platform) -> NotedKeys:
    platform.database.idempotency_keys = NotedKeys()
    return platform.database.idempotency_keys


async def test_a_key_costs_two_statements_and_a_replay_one(keys: NotedKeys, client: httpx.AsyncClient) -> None:
    """Without the header, or with a method that is safe, none is made."""
    await client.post("/upload-url", json=ANNOUNCEMENT)
    await client.get(f"/look/{UPLOAD_ID}", headers=keyed())
    await client.post("/nowhere", headers=keyed())
    assert keys.asked == []
    await announce(client)
    assert keys.asked == ["claim", "complete"]
    await announce(client)
    assert keys.asked == ["claim", "complete", "claim"]


async def test_who_has_no_credential_begins_nothing(platform: Platform, keys: NotedKeys) -> None:
    """A 401 leaves no trace of the key."""
    async with platform.client(None) as client:
        assert (await announce(client)).status_code == 401
    assert keys.asked == []


async def test_work_that_is_sent_away_begins_nothing() -> None:
    """Overload is told before the key is looked at: it costs no statement, and the key is free."""
    platform = Platform(limits=Limits(requests=1), object_store=SlowStore())
    platform.database.idempotency_keys = keys = NotedKeys()
    async with platform.client(await platform.secret()) as client:
        async with held_up(platform, client) as running:
            answer = await announce(client)
        await running
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert keys.asked == ["claim", "complete"]
        assert (await announce(client)).status_code == 200


async def test_an_answer_that_can_not_be_kept_is_still_given(
    platform: Platform, keys: NotedKeys, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The work is done: to hide that would have it done twice. Whoever repeats is told to wait for the lease's end."""
    keys.away = True
    assert (await announce(client)).status_code == 200
    assert "can't be kept" in caplog.text
    assert (await announce(client)).json()["code"] == "request_in_flight"
    assert (await announce(client, "b", contentLength="x")).json()["code"] == "invalid_request"
    assert "until its lease is over" in caplog.text
    assert len(platform.database.state.uploads) == 1


async def test_what_was_taken_over_is_not_answered_twice(keys: NotedKeys) -> None:
    """A request that lost its claim to another attempt gives no answer of its own: there is one answer."""
    platform = Platform(object_store=SlowStore())
    platform.database.idempotency_keys = keys
    async with platform.client(await platform.secret()) as client:
        async with held_up(platform, client) as running:
            [row] = keys._rows.values()
            claim = Claim(next(iter(keys._rows)), row.attempt, row.seed)
            await keys.renew([claim], 0)
            successor = await keys.claim(claim.key, row.request_digest, lease_seconds=99, keep_seconds=99)
        answer = await running
    assert isinstance(successor, Claim)
    assert (answer.status_code, answer.json()["code"]) == (409, "request_in_flight")
    assert await keys.complete(successor, b"its answer")


async def test_a_cancelled_request_keeps_its_claim_for_a_lease(platform: Platform) -> None:
    """What it has done by then nobody knows, so no other one begins at once; and it is renewed no more."""
    platform.object_store = SlowStore()
    async with platform.client(await platform.secret()) as client, held_up(platform, client) as running:
        running.cancel()
        await asyncio.wait({running})
        [upload_id] = platform.database.state.uploads
        answer = await client.post("/analyze", json={"uploadId": upload_id}, headers=keyed())
    assert running.cancelled()
    assert answer.json()["code"] == "request_in_flight"


async def test_what_is_kept_can_not_be_read(platform: Platform, client: httpx.AsyncClient) -> None:
    """Neither the key nor anything of the answer, such as its presigned URL, lies in the table."""
    answer = await announce(client, "a-key-that-is-easily-found")
    [(key, row)] = platform.database.idempotency_keys._rows.items()
    assert row.answer is not None
    kept = key + row.request_digest + row.answer
    assert len(kept) > len(answer.content)
    for secret in (b"easily-found", b"uploadUrl", answer.json()["uploadId"].encode(), b"acme"):
        assert secret not in kept


async def _hello() -> AsyncIterator[str]:
    yield "hello "
    yield "world"


async def _streaming() -> StreamingResponse:
    return StreamingResponse(_hello(), media_type="text/plain")


async def test_a_stream_is_not_kept(platform: Platform, keys: NotedKeys) -> None:
    """An answer in several pieces goes out as it comes; the key is free after its end."""
    app = platform.app()
    app.add_api_route("/stream", _streaming, methods=["POST"])
    headers = keyed(Authorization=await platform.secret())
    async with (
        LifespanManager(app) as manager,
        httpx.AsyncClient(transport=httpx.ASGITransport(manager.app), base_url="http://mien.test") as client,
    ):
        for _ in range(2):
            answer = await client.post("/stream", headers=headers)
            assert (answer.text, is_replay(answer)) == ("hello world", False)
    assert keys.asked == ["claim", "renew"] * 2


def forgetful(app: FastAPI) -> list[str]:
    """Routes with an unsafe method that are no Operation, which begins the key."""
    return [
        str(route.path)
        for route in iter_route_contexts(app.routes)
        if (route.methods or set()) - SAFE_METHODS and not isinstance(route.original_route, Operation)
    ]


def test_no_unsafe_route_forgets_the_key(platform: Platform) -> None:
    """Every route of every router is in; one that were made past them would be found here."""
    app = platform.app()
    assert forgetful(app) == []
    app.add_api_route("/later", _streaming, methods=["POST"])
    assert forgetful(app) == []
    app.router.routes.append(APIRoute("/past-the-routers", _streaming, methods=["POST"]))
    assert forgetful(app) == ["/past-the-routers"]


async def test_openapi_declares_the_key(client: httpx.AsyncClient) -> None:
    """On every unsafe operation, with its answers, and on no other; asking twice changes nothing."""
    await client.get("/openapi.json")
    document = (await client.get("/openapi.json")).json()
    for path in document["paths"].values():
        for method, operation in path.items():
            names = [parameter["name"] for parameter in operation.get("parameters", [])]
            unsafe = method.upper() not in SAFE_METHODS
            assert names.count("Idempotency-Key") == unsafe
            if unsafe:
                assert "application/problem+json" in operation["responses"]["409"]["content"]
                assert "application/problem+json" in operation["responses"]["422"]["content"]


async def test_a_page_may_read_that_it_is_a_replay(client: httpx.AsyncClient) -> None:
    """Browsers show these headers to the frontend's code."""
    answer = await client.get("/api/health", headers={"Origin": "http://localhost:3000"})
    exposed = answer.headers["Access-Control-Expose-Headers"]
    assert "Idempotency-Replayed" in exposed
    assert "Age" in exposed
