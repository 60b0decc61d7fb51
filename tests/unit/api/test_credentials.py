"""Who may call, and what they may see."""

import asyncio
import re
import time

import httpx
import pytest

from mien_api import keys
from mien_api.credentials import hash_of, new_api_key
from mien_api.known_keys import REMEMBER_SECONDS
from mien_core.errors import Missing, Rejected
from tests.unit.api.conftest import NOW_HEADERS, Platform

GUARDED = [("POST", "/upload-url"), ("POST", "/analyze"), ("GET", "/look/{id}"), ("GET", "/jobs/{id}")]


async def _call(client: httpx.AsyncClient, method: str, path: str, upload_id: str, job_id: str) -> httpx.Response:
    bodies = {"/upload-url": {"contentType": "image/jpeg", "contentLength": 4}, "/analyze": {"uploadId": upload_id}}
    thing = job_id if path.startswith("/jobs") else upload_id
    return await client.request(method, path.format(id=thing), json=bodies.get(path), headers=NOW_HEADERS)


async def _work(platform: Platform) -> tuple[str, str]:
    async with platform.client(await platform.secret()) as owner:
        upload_id = await platform.uploaded(owner)
        started = await owner.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)
        return upload_id, started.json()["id"]


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "credential_missing"),
        ("  ", "credential_missing"),
        ("Bearer mien_unknown", "credential_invalid"),
        ("mien_unknown", "credential_invalid"),
        ("Basic bWllbg==", "credential_invalid"),
        ("Bearer ", "credential_invalid"),
    ],
)
async def test_nothing_without_a_valid_credential(
    platform: Platform, method: str, path: str, authorization: str | None, code: str
) -> None:
    """401 on every operation, with the challenge that HTTP asks for."""
    upload_id, job_id = await _work(platform)
    async with platform.client(authorization) as client:
        answer = await _call(client, method, path, upload_id, job_id)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_a_key_works_as_bearer_and_raw(platform: Platform, method: str, path: str) -> None:
    """The owner's credential opens every operation, in both forms."""
    upload_id, job_id = await _work(platform)
    secret = await platform.secret()
    for authorization in (f"Bearer {secret}", f"bearer {secret}", secret):
        async with platform.client(authorization) as client:
            answer = await _call(client, method, path, upload_id, job_id)
        assert answer.is_success


@pytest.mark.parametrize(("method", "path"), GUARDED[1:])
async def test_another_tenants_things_do_not_exist(platform: Platform, method: str, path: str) -> None:
    """404, the same as for an unknown id: nobody can probe for ids."""
    upload_id, job_id = await _work(platform)
    async with platform.client(await platform.secret(tenant="other")) as client:
        foreign = await _call(client, method, path, upload_id, job_id)
        unknown = await _call(client, method, path, job_id, upload_id)
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["code"] == unknown.json()["code"]


async def test_a_revoked_key_opens_nothing(platform: Platform) -> None:
    """Revocation counts a second later at the latest, however busy the key is."""
    key, secret = await keys.create(platform.database, "acme", "frontend", frozenset({"*"}))
    async with platform.client(secret) as client:
        body = {"contentType": "image/jpeg", "contentLength": 4}
        assert (await client.post("/upload-url", json=body)).status_code == 200
        await keys.revoke(platform.database, key.id)
        revoked_at = time.monotonic()
        while time.monotonic() - revoked_at <= REMEMBER_SECONDS:
            await client.post("/upload-url", json=body)
            await asyncio.sleep(0.02)
        answer = await client.post("/upload-url", json=body)
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_invalid")


async def test_a_key_without_the_scope_is_refused(platform: Platform) -> None:
    """403, because the credential is good but not for this."""
    secret = await platform.secret()
    key = next(iter(platform.database.state.api_keys.values()))
    platform.database.state.api_keys[key.id] = type(key)(
        key.id, key.tenant, key.owner, frozenset({"skin"}), key.secret_hash, key.created_at, None
    )
    async with platform.client(secret) as client:
        answer = await client.post("/upload-url", json={"contentType": "image/jpeg", "contentLength": 4})
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_a_photo_is_announced_and_looked_at_by_whom_it_is_for(platform: Platform) -> None:
    """A key of one application announces that one's photos; what another's photo shows it may not read."""
    photo: dict[str, str | int] = {"contentType": "image/jpeg", "contentLength": 4}
    async with platform.client(await platform.secret(scopes="cycle")) as client:
        announced = await client.post("/upload-url", json=photo | {"purpose": "cycle"})
        assert announced.status_code == 200
        assert (await client.get("/get-presigned-url", params=photo | {"purpose": "cycle"})).status_code == 200
        answers = [
            await client.post("/upload-url", json=photo),
            await client.get("/get-presigned-url", params=photo | {"purpose": "poster"}),
        ]
    upload_id = announced.json()["uploadId"]
    async with platform.client(await platform.secret(scopes="glam")) as client:
        answers += [
            await client.get(f"/look/{upload_id}"),
            await client.get("/get-recommendation", params={"uploadId": upload_id}),
        ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(403, "scope_missing")] * 4


async def test_only_the_hash_is_kept(platform: Platform) -> None:
    """The secret is nowhere in the database, and the audit log says who made and revoked the key."""
    key, secret = await keys.create(platform.database, "acme", "frontend", frozenset({"glam"}))
    assert re.fullmatch(r"mien_[\w-]{43}", secret)
    assert secret not in repr(platform.database.state)
    assert platform.database.state.api_keys[key.id].secret_hash == hash_of(secret)
    await keys.revoke(platform.database, key.id)
    actions = [(action, subject) for _, action, subject in platform.database.state.audit_log]
    assert actions == [("api_key.created", key.id), ("api_key.revoked", key.id)]


async def test_keys_are_listed_by_tenant(platform: Platform) -> None:
    """A tenant's list has its own keys only; without a tenant all are listed."""
    await keys.create(platform.database, "acme", "one", frozenset({"*"}))
    await keys.create(platform.database, "other", "two", frozenset({"*"}))
    assert [key.owner for key in await keys.list_keys(platform.database, "other")] == ["two"]
    assert len(await keys.list_keys(platform.database, None)) == 2


async def test_wrong_keys_commands_are_refused(platform: Platform) -> None:
    """An unknown scope and an unknown key id are named as such."""
    with pytest.raises(Rejected, match="unknown_scope"):
        new_api_key("acme", "frontend", frozenset({"everything"}))
    with pytest.raises(Missing, match="api_key_not_found"):
        await keys.revoke(platform.database, "no-such-key")


async def test_a_key_for_no_application_opens_no_job(platform: Platform) -> None:
    """Who may see a tenant's figures may neither look at its jobs nor end them; who has one application, may."""
    async with platform.client(await platform.secret()) as client:
        upload_id = await platform.uploaded(client)
        job_id = (await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)).json()["id"]
    async with platform.client(await platform.secret(scopes="usage,webhooks")) as client:
        answers = [
            await client.get(f"/jobs/{job_id}"),
            await client.get(f"/jobs/{job_id}/events"),
            await client.delete(f"/jobs/{job_id}"),
        ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(403, "scope_missing")}
    async with platform.client(await platform.secret(scopes="glam")) as client:
        assert (await client.delete(f"/jobs/{job_id}")).status_code == 200
