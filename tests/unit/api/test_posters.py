"""The Movie Poster Generator: accounts, posters and their history."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from mien_api.handlers import Handlers
from mien_api.poster_handlers import PosterHandlers
from mien_api.poster_settings import PosterSettings
from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.errors import Missing, Rejected
from mien_core.events import PosterRequested, from_record
from mien_core.model.keys import original_key
from mien_core.model.platform import Caller, JobStatus, UploadState
from mien_core.rules.load import Limits
from tests.unit.api.conftest import NOW_HEADERS, Platform

PATH = "/movie-poster-api-design"
ORDER: dict[str, Any] = {"user_id": "anna", "prompt": "A door beneath the sea."}
# what in an order may be wrong, and the pointer to it
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"prompt": None}, "/prompt"),
    ({"prompt": ""}, "/prompt"),
    ({"prompt": " \n "}, "/prompt"),
    ({"prompt": "a\x00b"}, "/prompt"),
    ({"prompt": "x" * 2001}, "/prompt"),
    ({"title": "a\nb"}, "/title"),
    ({"title": "x" * 201}, "/title"),
    ({"genre": ""}, "/genre"),
    ({"style": "x" * 65}, "/style"),
    ({"aspect": "3:2"}, "/aspect"),
    ({"aspect": "2:3 "}, "/aspect"),
    ({"upload_id": "x"}, "/upload_id"),
    ({"user_id": ""}, "/user_id"),
    ({"user_id": "a\x00"}, "/user_id"),
]


async def ordered(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post(PATH, json={**ORDER, **fields}, headers=NOW_HEADERS)
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def credits_of(client: httpx.AsyncClient, user_id: str = "anna") -> int:
    found: int = (await client.get("/user", params={"user_id": user_id})).json()["credits"]
    return found


async def ended(platform: Platform, job_id: str, status: JobStatus = JobStatus.COMPLETED) -> None:
    async with platform.database.transaction() as transaction:
        await transaction.jobs.change(job_id, status)


async def announced(platform: Platform, client: httpx.AsyncClient, *, sent: bool = True, **fields: Any) -> str:
    body = {"contentType": "image/jpeg", "contentLength": 4, "purpose": "poster", "userId": "anna", **fields}
    upload_id: str = (await client.post("/upload-url", json=body)).json()["uploadId"]
    if sent:
        await platform.object_store.put(original_key(upload_id), b"jpeg", "image/jpeg")
    return upload_id


async def test_an_account_has_its_first_credits(client: httpx.AsyncClient) -> None:
    """201 the first time, 200 then; credits and plan are the server's to say, whatever is sent."""
    sent = {"user_id": "anna", "email": "anna@example.org", "name": "Anna", "credits": 1000, "plan": "pro"}
    first = await client.post("/user", json=sent)
    again = await client.post("/user", json={"user_id": "anna", "name": "Anna B."})
    expected = {"user_id": "anna", "email": "anna@example.org", "name": "Anna", "credits": 3, "plan": "free"}
    assert (first.status_code, first.json()) == (201, expected)
    assert (again.status_code, again.json()) == (200, {**expected, "name": "Anna B."})
    found = await client.get("/user?user_id=anna")
    assert (found.status_code, found.json()) == (200, again.json())
    assert found.headers["Cache-Control"] == "private, no-cache"


async def test_nobody_has_an_account_unasked(client: httpx.AsyncClient) -> None:
    """404 for a user without one; an API key says whose it asks for."""
    answer = await client.get("/user?user_id=nobody")
    assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")
    for unnamed in (await client.get("/user"), await client.post("/user", json={}), await client.get("/history")):
        assert (unnamed.status_code, unnamed.json()["code"]) == (422, "user_id_missing")


async def test_an_email_is_one_users(client: httpx.AsyncClient) -> None:
    """409 to another user of the tenant, and nothing of theirs is changed."""
    await client.post("/user", json={"user_id": "anna", "email": "anna@example.org"})
    taken = await client.post("/user", json={"user_id": "bea", "email": "anna@example.org"})
    assert (taken.status_code, taken.json()["code"]) == (409, "email_taken")
    assert (await client.get("/user?user_id=bea")).status_code == 404
    for wrong in ("anna", "a b@example.org", "@", "a@b\n", "x" * 251 + "@b.c"):
        answer = await client.post("/user", json={"user_id": "bea", "email": wrong})
        assert answer.json()["errors"][0]["pointer"] == "/email", wrong


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_poster_is_a_job(platform: Platform, client: httpx.AsyncClient, method: str) -> None:
    """202 with its Location and no URL yet, one credit less, and an event that names the job and nothing else."""
    query, sent = (ORDER, None) if method == "GET" else (None, ORDER)
    answer = await client.request(method, PATH, headers=NOW_HEADERS, params=query, json=sent)
    body = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/jobs/{body['job_id']}")
    assert (answer.headers["Cache-Control"], answer.headers["Retry-After"]) == ("no-store", "1")
    assert answer.headers["Preference-Applied"] == "wait=0"
    assert (body["user_id"], body["poster_url"], body["status"]) == ("anna", None, "created")
    assert body["timestamp"]
    assert await credits_of(client) == 2
    job = (await client.get(answer.headers["Location"])).json()
    assert (job["kind"], job["uploadId"], job["status"]) == ("render-poster", None, "created")
    [row] = [row for _, row in platform.database.state.outbox.values()]
    event = from_record(row.record.headers, row.record.value)
    assert event.data == PosterRequested(job_id=event.data.job_id)
    assert row.record.key.decode() == body["job_id"]


async def test_the_same_order_is_the_same_poster(platform: Platform, client: httpx.AsyncClient) -> None:
    """Within an hour, by GET and POST, whatever spaces and capitals it is written with: one job and one debit."""
    first = await ordered(client, genre="Film  Noir")
    again = await client.get(PATH, params={**ORDER, "genre": "film noir ", "aspect": "2:3"}, headers=NOW_HEADERS)
    assert again.json() == first
    await ended(platform, first["job_id"])
    done = await client.get(PATH, params={**ORDER, "genre": "film noir"})
    assert (done.status_code, done.json()["timestamp"]) == (200, first["timestamp"])
    assert f"posters/{first['job_id']}.png" in done.json()["poster_url"]
    assert done.headers["Cache-Control"] == "no-store"
    assert await credits_of(client) == 2
    assert len(platform.database.state.jobs) == 1


@pytest.mark.parametrize(
    "other", [{"prompt": "Another."}, {"title": "T"}, {"genre": "war"}, {"style": "neon"}, {"aspect": "1:1"}]
)
async def test_another_order_is_another_poster(client: httpx.AsyncClient, other: dict[str, Any]) -> None:
    """Each parameter counts."""
    assert (await ordered(client))["job_id"] != (await ordered(client, **other))["job_id"]
    assert await credits_of(client) == 1


async def test_whoever_has_no_credits_pays_first(platform: Platform, client: httpx.AsyncClient) -> None:
    """402 with the code, and no job; what is there already costs nothing, so it is still answered."""
    for number in range(3):
        await ordered(client, prompt=f"Number {number}")
    answer = await client.get(PATH, params={**ORDER, "prompt": "Number 3"})
    assert (answer.status_code, answer.json()["code"]) == (402, "insufficient_credits")
    assert "/pay" in answer.json()["detail"]
    assert len(platform.database.state.jobs) == len(platform.database.state.posters) == 3
    await ordered(client, prompt="Number 2")
    assert await credits_of(client) == 0


@pytest.mark.parametrize(
    ("status", "code"), [(JobStatus.CANCELLED, "poster_cancelled"), (JobStatus.FAILED, "photo_expired")]
)
async def test_what_comes_to_nothing_is_given_back(
    platform: Platform, client: httpx.AsyncClient, status: JobStatus, code: str
) -> None:
    """Whoever waits is told why; the credit is there again, and the same order then makes another poster."""
    first = await ordered(client)
    if status is JobStatus.CANCELLED:
        assert (await client.delete(f"/jobs/{first['job_id']}")).json()["status"] == "cancelled"
    else:
        await platform.fail(first["job_id"], code)
    assert await credits_of(client) == 3
    again = await client.delete(f"/jobs/{first['job_id']}")
    assert again.status_code == (200 if status is JobStatus.CANCELLED else 409)
    assert await credits_of(client) == 3
    second = await ordered(client)
    assert second["job_id"] != first["job_id"]
    statuses = [one["status"] for one in (await client.get("/history?user_id=anna")).json()["posters"]]
    assert statuses == ["created", status.value]


async def test_who_waits_for_a_poster_that_fails_is_told_why(
    platform: Platform, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job's problem, with its id, as the answer of POST; under the same key it then is another poster's."""
    key = {"Idempotency-Key": "one"}
    monkeypatch.setattr("mien_api.poster_handlers.wait_for_end", failing(platform))
    answer = await client.post(PATH, json=ORDER, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (503, "serving_unavailable")
    assert answer.json()["job_id"] in platform.database.state.jobs
    assert answer.headers["Cache-Control"] == "no-store"
    monkeypatch.undo()
    again = await client.post(PATH, json=ORDER, headers={**key, **NOW_HEADERS})
    assert again.status_code == 202, again.text
    assert again.json()["job_id"] != answer.json()["job_id"]
    assert await credits_of(client) == 2


def failing(platform: Platform) -> Any:
    """A wait in which the job fails."""

    async def wait(_database: object, job: Any, _seconds: float, result: Any) -> Any:
        await platform.fail(job.id, "serving_unavailable")
        return platform.database.state.jobs[job.id], await result(job)

    return wait


async def test_a_key_makes_a_repeat_safe(client: httpx.AsyncClient) -> None:
    """The same answer, byte for byte; the same key with another order is refused."""
    headers = {"Idempotency-Key": "one", **NOW_HEADERS}
    first = await client.post(PATH, json=ORDER, headers=headers)
    again = await client.post(PATH, json=ORDER, headers=headers)
    other = await client.post(PATH, json={**ORDER, "prompt": "Another."}, headers=headers)
    assert (again.status_code, again.content) == (202, first.content)
    assert "Idempotency-Replayed" in again.headers
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await credits_of(client) == 2


async def test_posters_are_listed_newest_first_in_pages(platform: Platform, client: httpx.AsyncClient) -> None:
    """With title and prompt; a URL where there is a picture. Each user's own; a cursor of another list is refused."""
    made = [await ordered(client, prompt=f"number {n}. More.", title="My Title" if n else None) for n in range(3)]
    await ordered(client, user_id="bea")
    await ended(platform, made[1]["job_id"])
    found: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(2):
        page = await client.get("/history", params={"user_id": "anna", "limit": 2, "cursor": cursor})
        assert page.headers["Cache-Control"] == "no-store"
        found += page.json()["posters"]
        cursor = page.json()["next_cursor"]
    assert cursor is None
    assert [one["timestamp"] for one in found] == [one["timestamp"] for one in made[::-1]]
    assert [one["title"] for one in found] == ["My Title", "My Title", "Number 0"]
    assert found[0]["prompt"] == "number 2. More."
    assert [one["poster_url"] is not None for one in found] == [False, True, False]
    assert [one["status"] for one in found] == ["created", "completed", "created"]
    assert (await client.get("/history?user_id=nobody")).json() == {"posters": [], "next_cursor": None}
    cursor = (await client.get("/history?user_id=anna&limit=1")).json()["next_cursor"]
    answer = await client.get("/history", params={"user_id": "bea", "cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(("fields", "pointer"), WRONG)
async def test_a_wrong_field_is_pointed_at(client: httpx.AsyncClient, fields: dict[str, Any], pointer: str) -> None:
    """422 with a JSON pointer, and nothing is spent."""
    answer = await client.post(PATH, json={**ORDER, **fields})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await client.get("/user?user_id=anna")).status_code == 404


async def test_a_get_is_checked_as_a_post_is(client: httpx.AsyncClient) -> None:
    """The same fields in the query, the same answer to wrong ones."""
    for wrong in ({}, {"prompt": ""}, {"prompt": "x", "aspect": "9:9"}, {"prompt": "x", "upload_id": "1"}):
        answer = await client.get(PATH, params={"user_id": "anna", **wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_poster_may_show_a_photo(platform: Platform, client: httpx.AsyncClient) -> None:
    """One that was announced for it and has come; from then on it is kept as photos are."""
    upload_id = await announced(platform, client)
    before = platform.database.state.uploads[upload_id]
    poster = await ordered(client, upload_id=upload_id)
    upload = platform.database.state.uploads[upload_id]
    assert upload.state is UploadState.RECEIVED
    assert upload.expires_at > before.expires_at
    assert platform.database.state.posters[poster["job_id"]].design.upload_id == upload_id
    # a photo may be on many posters, so it isn't the job's own
    assert platform.database.state.jobs[poster["job_id"]].upload_id is None
    assert (await ordered(client, upload_id=upload_id, style="neon"))["job_id"] != poster["job_id"]


async def test_a_poster_shows_nobody_elses_photo(platform: Platform, client: httpx.AsyncClient) -> None:
    """404 for an unknown one, another tenant's and another user's; 409 for another purpose and one that isn't there."""
    async with platform.client(await platform.secret("other")) as other:
        foreign = await announced(platform, other)
    refused = {
        str(uuid4()): (404, "upload_not_found"),
        foreign: (404, "upload_not_found"),
        await announced(platform, client, userId="bea"): (404, "upload_not_found"),
        await announced(platform, client, purpose="glam"): (409, "purpose_not_poster"),
        await announced(platform, client, sent=False): (409, "upload_not_received"),
    }
    for upload_id, expected in refused.items():
        answer = await client.post(PATH, json={**ORDER, "upload_id": upload_id})
        assert (answer.status_code, answer.json()["code"]) == expected
    await ordered(client, upload_id=await announced(platform, client, userId=None))
    assert await credits_of(client) == 2


async def test_a_key_needs_the_scope(platform: Platform) -> None:
    """403 to a key of another application, 401 without one."""
    for authorization, status in ((await platform.secret(scopes="glam"), 403), (None, 401)):
        async with platform.client(authorization) as client:
            answers = [
                await client.post("/user", json={"user_id": "anna"}),
                await client.get("/user?user_id=anna"),
                await client.get(PATH, params=ORDER),
                await client.post(PATH, json=ORDER),
                await client.get("/history?user_id=anna"),
                await client.post("/pay", json={"user_id": "anna", "pack": "starter"}),
            ]
        assert [answer.status_code for answer in answers] == [status] * 6
    assert not platform.database.state.poster_accounts


async def test_a_user_acts_for_themselves_alone(platform: Platform) -> None:
    """Whose credential is one user's needn't name themselves, and names nobody else."""
    database, store = platform.database, platform.object_store
    base = Handlers(database, store, consent_required=False, upload_expires=900, download_expires=900)
    handlers = PosterHandlers(base, PosterSettings())
    anna, bea, tenant = Caller("acme", "anna"), Caller("acme", "bea"), Caller("acme", None)
    account, is_new = await handlers.open_account(anna, None, email=None, name=None)
    assert (account.user_id, is_new) == ("anna", True)
    assert await handlers.account(anna, None) == await handlers.account(tenant, "anna") == account
    for deed in (
        handlers.account(bea, "anna"),
        handlers.open_account(bea, "anna", email=None, name=None),
        handlers.history(bea, "anna", cursor=None, limit=1),
    ):
        with pytest.raises(Missing, match="user_not_found"):
            await deed
    with pytest.raises(Rejected, match="user_id_missing"):
        await handlers.account(tenant, None)


async def test_a_full_platform_sends_orders_away() -> None:
    """503 to a GET as to a POST, since both bring work; whoever reads is served."""
    platform = Platform(limits=Limits(open_jobs=1))
    async with platform.client(await platform.secret()) as client:
        await ordered(client)
        for answer in (
            await client.get(PATH, params={**ORDER, "prompt": "More."}),
            await client.post(PATH, json={**ORDER, "prompt": "More."}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert (await client.get("/history?user_id=anna")).status_code == 200
        assert await credits_of(client) == 2


async def test_the_welcome_is_a_setting() -> None:
    """A platform may give nothing."""
    platform = Platform(MemoryDatabase(), MemoryObjectStore(), posters=PosterSettings(welcome_credits=0))
    async with platform.client(await platform.secret()) as client:
        answer = await client.post(PATH, json=ORDER)
        assert (answer.status_code, answer.json()["code"]) == (402, "insufficient_credits")
        assert (await client.post("/user", json={"user_id": "bea"})).json()["credits"] == 0
