"""The endpoints of webhooks."""

import json
from typing import Any

import httpx
import pytest
from pydantic_core import to_jsonable_python

from mien_api import webhook_handlers
from mien_api.skin_schemas import SkinJobBody
from mien_core.adapters.memory.names import MemoryResolver
from mien_core.model.platform import JobError, JobKind, JobStatus
from mien_core.model.webhooks import Delivery
from mien_core.rules.webhooks import job_data
from tests.makers import new_job, new_upload
from tests.unit.api.conftest import Platform
from tests.webhooks import KEYS, webhook_rules

WEBHOOK = {"url": "https://shop.example/mien", "events": ["job.failed", "job.completed", "job.failed"]}
UNKNOWN = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"


@pytest.fixture
def platform() -> Platform:
    return Platform(webhook_rules=webhook_rules())


async def register(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/webhooks", json={**WEBHOOK, **fields})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def listed(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await client.get("/webhooks", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def waiting(platform: Platform) -> list[Delivery]:
    async with platform.database.transaction() as transaction:
        return await transaction.webhook_deliveries.claim({}, limit=100, per_webhook=100, lease_seconds=60)


async def test_a_webhook_is_registered_and_its_secret_shown_once(client: httpx.AsyncClient, platform: Platform) -> None:
    """201 with the id and a whsec_ secret, kept by nobody on the way; the list has all but the secret."""
    answer = await client.post("/webhooks", json=WEBHOOK)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    body = answer.json()
    assert body["secret"] == KEYS.shown(KEYS.origin(body["id"]))
    assert body["secret"].startswith("whsec_")
    assert (body["url"], body["events"], body["userId"]) == (WEBHOOK["url"], ["job.completed", "job.failed"], None)
    del body["secret"]
    assert await listed(client) == {"webhooks": [body], "nextCursor": None}
    assert ("acme", "webhook.registered", body["id"]) in platform.database.state.audit_log


async def test_the_same_request_again_shows_the_same_secret(client: httpx.AsyncClient, platform: Platform) -> None:
    """Under an Idempotency-Key there is one webhook, with one secret."""
    headers = {"Idempotency-Key": "one"}
    first, again = [await client.post("/webhooks", json=WEBHOOK, headers=headers) for _ in range(2)]
    assert first.content == again.content
    assert len(platform.database.state.webhooks) == 1


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://shop.example/mien", "webhook_url_invalid"),
        ("https://user:word@shop.example/mien", "webhook_url_invalid"),
        ("https://shop.example:22/", "webhook_url_invalid"),
        ("https://169.254.169.254/latest/meta-data", "webhook_address_refused"),
        ("https://[::ffff:10.0.0.1]/", "webhook_address_refused"),
        ("https://private.example/mien", "webhook_address_refused"),
        ("https://both.example/mien", "webhook_address_refused"),
    ],
)
async def test_where_nothing_would_be_sent_nothing_is_registered(platform: Platform, url: str, code: str) -> None:
    """No other scheme or port, no address, no name that leads to a private one, be it one of several: 422."""
    names = {"private.example": ["10.0.0.7"], "both.example": ["93.184.216.34", "fd00::1"]}
    platform.webhook_rules = webhook_rules(MemoryResolver(names))
    async with platform.client(await platform.secret()) as client:
        answer = await client.post("/webhooks", json={**WEBHOOK, "url": url})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert platform.database.state.webhooks == {}


async def test_a_name_with_public_addresses_or_none_yet_is_taken(platform: Platform) -> None:
    """Where it leads is decided when a message is sent, so DNS needn't know the name today."""
    platform.webhook_rules = webhook_rules(MemoryResolver({"shop.example": ["93.184.216.34", "2606:4700::1111"]}))
    async with platform.client(await platform.secret()) as client:
        await register(client)
        await register(client, url="https://tomorrow.example/")


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": []},
        {"events": ["job.processing"]},
        {"events": ["test"]},
        {"events": None},
        {"events": ["job.completed"] * 11},
        {"url": None},
        {"url": 7},
        {"url": "https://shop.example/" + "a" * 2048},
        {"url": ""},
    ],
    ids=str,
)
async def test_a_body_that_says_something_else_is_refused(client: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    """422, and nothing is registered."""
    answer = await client.post("/webhooks", json={**WEBHOOK, **wrong})
    assert answer.status_code == 422, answer.text
    assert (await listed(client))["webhooks"] == []


async def test_the_list_goes_on_by_cursor(client: httpx.AsyncClient) -> None:
    """Newest first, each once, also when one is deleted in between."""
    ids = [(await register(client))["id"] for _ in range(5)]
    first = await listed(client, limit=2)
    await client.delete(f"/webhooks/{ids[3]}")
    second = await listed(client, limit=2, cursor=first["nextCursor"])
    third = await listed(client, limit=2, cursor=second["nextCursor"])
    seen = [one["id"] for page in (first, second, third) for one in page["webhooks"]]
    assert (seen, third["nextCursor"]) == (ids[::-1], None)


async def test_there_may_be_so_many(
    client: httpx.AsyncClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more is 409; another tenant has its own number, and so has who deletes one."""
    monkeypatch.setattr(webhook_handlers, "MOST_WEBHOOKS", 2)
    ids = [(await register(client))["id"] for _ in range(2)]
    full = await client.post("/webhooks", json=WEBHOOK)
    assert (full.status_code, full.json()["code"]) == (409, "too_many_webhooks")
    async with platform.client(await platform.secret("other")) as other:
        await register(other)
    assert (await client.delete(f"/webhooks/{ids[0]}")).status_code == 204
    await register(client)


async def test_a_test_message_is_sent_and_named(client: httpx.AsyncClient, platform: Platform) -> None:
    """202 with the webhook-id that is going to come; again it is another one."""
    webhook_id = (await register(client))["id"]
    answers = [await client.post(f"/webhooks/{webhook_id}/test") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    deliveries = await waiting(platform)
    assert {delivery.id for delivery in deliveries} == {answer.json()["id"] for answer in answers}
    assert {(delivery.type, delivery.webhook.id) for delivery in deliveries} == {("test", webhook_id)}


async def test_who_is_disabled_says_so_and_is_sent_no_test(client: httpx.AsyncClient, platform: Platform) -> None:
    """409; the list says since when and why."""
    webhook_id = (await register(client))["id"]
    async with platform.database.transaction() as transaction:
        await transaction.webhooks.disable(webhook_id, "failing")
    answer = await client.post(f"/webhooks/{webhook_id}/test")
    assert (answer.status_code, answer.json()["code"]) == (409, "webhook_disabled")
    [shown] = (await listed(client))["webhooks"]
    assert (shown["disabledReason"], shown["disabledAt"] is not None) == ("failing", True)


async def test_a_deleted_webhook_is_gone(client: httpx.AsyncClient, platform: Platform) -> None:
    """With what waits for it; the second time it is 404, and so is everything else that names it."""
    webhook_id = (await register(client))["id"]
    await client.post(f"/webhooks/{webhook_id}/test")
    assert (await client.delete(f"/webhooks/{webhook_id}")).status_code == 204
    assert await waiting(platform) == []
    assert ("acme", "webhook.deleted", webhook_id) in platform.database.state.audit_log
    for method, path in (("DELETE", ""), ("POST", "/test"), ("POST", "/rotate")):
        for one in (webhook_id, UNKNOWN):
            answer = await client.request(method, f"/webhooks/{one}{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "webhook_not_found")


async def test_a_secret_is_rotated_once_for_a_request(client: httpx.AsyncClient, platform: Platform) -> None:
    """Another secret, with the one before it known; a repeat under the same key is the same rotation."""
    registered = await register(client)
    rotate = f"/webhooks/{registered['id']}/rotate"
    first, again = [await client.post(rotate, headers={"Idempotency-Key": "one"}) for _ in range(2)]
    assert (first.status_code, first.headers["Cache-Control"]) == (200, "no-store")
    assert first.content == again.content
    async with platform.database.reading() as reading:
        webhook = await reading.webhooks.get(registered["id"])
    assert webhook is not None
    assert webhook.previous is not None
    assert first.json()["secret"] == KEYS.shown(webhook.secret) != registered["secret"]
    assert KEYS.shown(webhook.previous) == registered["secret"]


async def test_webhooks_ask_for_their_scope(platform: Platform) -> None:
    """A key for an application has none of them: 403."""
    async with platform.client(await platform.secret(scopes="glam,usage")) as client:
        answers = [await client.post("/webhooks", json=WEBHOOK), await client.get("/webhooks")]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(403, "scope_missing")}


async def test_without_a_key_there_are_none(platform: Platform) -> None:
    """503 says whom to ask; the credential is looked at first."""
    platform.webhook_rules = None
    async with platform.client(await platform.secret()) as client:
        answer = await client.get("/webhooks")
    assert (answer.status_code, answer.json()["code"]) == (503, "webhooks_unavailable")
    async with platform.client(None) as client:
        assert (await client.get("/webhooks")).status_code == 401


@pytest.mark.parametrize("purpose", ["glam", "skin", "cycle", "poster", "tryon"])
async def test_a_message_has_the_job_as_get_jobs_shows_it(
    client: httpx.AsyncClient, platform: Platform, purpose: str
) -> None:
    """Field by field, in the case of the application to which the photo belongs."""
    async with platform.database.transaction() as transaction:
        upload = await transaction.uploads.add(new_upload(purpose=purpose))
        job, _ = await transaction.jobs.create(new_job(upload))
        await transaction.jobs.change(job.id, JobStatus.PROCESSING, timings={"outbox": 2.25})
        await transaction.jobs.change(job.id, JobStatus.FAILED, error=JobError("no_face", "There is no face."))
        [history] = await transaction.jobs.histories([job.id])
    told = to_jsonable_python(job_data(history, upload))
    shown = (await client.get(f"/jobs/{job.id}")).json()
    if purpose in {"glam", "cycle"}:
        assert told == shown
    else:
        snake = SkinJobBody(analysis_id=job.id, **told).model_dump(mode="json")
        del snake["analysis_id"]
        assert told == snake
        assert sorted(json.dumps(told).replace("_", "").lower()) == sorted(json.dumps(shown).lower().replace("_", ""))


async def test_a_job_about_no_photo_is_told_in_the_style_of_its_work(
    client: httpx.AsyncClient, platform: Platform
) -> None:
    """Glow Cycle's insights in camelCase, as they are shown; posters in snake_case."""
    async with platform.database.transaction() as transaction:
        upload = await transaction.uploads.add(new_upload())
        insight, _ = await transaction.jobs.create(new_job(upload, kind=JobKind.WRITE_INSIGHT, upload_id=None))
        poster, _ = await transaction.jobs.create(new_job(upload, kind=JobKind.RENDER_POSTER, upload_id=None))
        told = {one.job.id: job_data(one, None) for one in await transaction.jobs.histories([insight.id, poster.id])}
    assert to_jsonable_python(told[insight.id]) == (await client.get(f"/jobs/{insight.id}")).json()
    assert "upload_id" in told[poster.id]
