"""Users' rights over HTTP: the export and the erasure."""

import io
import json
import zipfile
from typing import Any

import httpx
import pytest

from mien_api.credential_settings import CredentialSettings
from mien_api.known_keys import KnownKeys
from mien_core.model.keys import annotated_key, photo_key
from mien_core.model.personal_data import PERSONAL_TABLES
from mien_core.model.platform import Caller, JobKind, JobStatus
from mien_core.model.privacy import Person
from tests.people import SHARED_TABLES, live
from tests.unit.api.conftest import Platform


async def archive_of(client: httpx.AsyncClient, user_id: str) -> zipfile.ZipFile:
    answer = await client.get(f"/users/{user_id}/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "attachment" in answer.headers["Content-Disposition"]
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


def rows(archive: zipfile.ZipFile, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(archive.read(f"tables/{table}.json"))
    return found


@pytest.fixture(autouse=True)
def _users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside tenants' keys there are credentials of users: mien_user-<id>, of tenant acme."""
    of_key = KnownKeys.caller

    async def caller(keys: KnownKeys, credential: str) -> Caller:
        user_id = credential.removeprefix("mien_user-")
        if user_id == credential:
            return await of_key(keys, credential)
        return Caller("acme", user_id, frozenset({"glam"}))

    monkeypatch.setattr(KnownKeys, "caller", caller)


async def test_the_export_has_everything_that_is_held(platform: Platform, client: httpx.AsyncClient) -> None:
    """A file for each table, each photo and picture that still exists, and a page that says what each is."""
    anna = await live(platform.database, platform.object_store, "acme", "anna")
    others = [
        await live(platform.database, platform.object_store, *who) for who in (("acme", "eve"), ("other", "anna"))
    ]
    archive = await archive_of(client, "anna")
    readme = archive.read("README.txt").decode()
    for table in PERSONAL_TABLES:
        assert table.name in readme
        assert bool(rows(archive, table.name)) == (table.name in SHARED_TABLES)
    assert {row["id"] for row in rows(archive, "uploads")} == {anna.analysed, anna.announced}
    assert {row["consent"] for row in rows(archive, "uploads")} == {"given", "attested"}
    assert rows(archive, "journal_entries")[0]["user_id"] == "anna"
    objects = {name for name in archive.namelist() if name.startswith("objects/")}
    assert objects == {
        f"objects/uploads/{anna.analysed}/annotated.png",
        f"objects/uploads/{anna.analysed}/masks/radiance.png",
        f"objects/uploads/{anna.analysed}/photo.jpg",
        f"objects/uploads/{anna.announced}/original.webp",
    }
    assert archive.read(f"objects/{photo_key(anna.analysed)}.jpg") == b"\xff\xd8\xffphoto"
    assert archive.read(f"objects/{annotated_key(anna.analysed)}").startswith(b"\x89PNG")
    everything = "".join(archive.read(name).decode(errors="replace") for name in archive.namelist())
    assert not [mark for other in others for mark in other.marks[1:] if mark in everything]
    assert "About anna." in everything
    assert "About eve." not in everything


async def test_an_export_of_more_than_a_page_is_whole(
    platform: Platform, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows and photos there are, each is there once."""
    monkeypatch.setattr("mien_api.personal_archive.ROWS", 2)
    monkeypatch.setattr("mien_api.personal_archive.MEDIA", 2)
    lives = [await live(platform.database, platform.object_store, "acme", "anna") for _ in range(3)]
    archive = await archive_of(client, "anna")
    assert sorted(row["id"] for row in rows(archive, "uploads")) == sorted(
        upload_id for life in lives for upload_id in (life.analysed, life.announced)
    )
    assert len(rows(archive, "job_events")) == 12
    assert len(archive.namelist()) == len(set(archive.namelist())) == 1 + len(PERSONAL_TABLES) + 3 * 4


async def test_of_whom_nothing_is_known_nothing_is_exported(client: httpx.AsyncClient) -> None:
    """The archive is the same, and empty: it tells nobody who is known."""
    archive = await archive_of(client, "nobody")
    assert all(rows(archive, table.name) == [] for table in PERSONAL_TABLES)


async def test_exports_are_on_record(platform: Platform, client: httpx.AsyncClient) -> None:
    """By pseudonym, whoever asks, and before a byte is sent."""
    await archive_of(client, "anna")
    assert ("acme", "user.exported", Person("acme", "anna").pseudonym) in platform.database.state.audit_log


@pytest.mark.parametrize(("method", "path"), [("GET", "/users/anna/export"), ("DELETE", "/users/anna")])
async def test_only_who_may_act_for_a_user_may_ask(platform: Platform, method: str, path: str) -> None:
    """Another user gets 404, a key without the scope users 403; users themselves need no scope."""
    async with platform.client("mien_user-eve") as eve:
        answer = await eve.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")
    async with platform.client(await platform.secret(scopes="glam,skin")) as glam:
        answer = await glam.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert not platform.database.state.erasures
    async with platform.client(await platform.secret(scopes="users")) as tenant:
        assert (await tenant.request(method, path)).is_success
    async with platform.client("mien_user-anna") as anna:
        assert (await anna.request(method, path)).is_success


async def test_an_erasure_is_a_job_that_names_nobody(platform: Platform, client: httpx.AsyncClient) -> None:
    """202 with its Location; the job's row holds no user; asked for again it is the same job."""
    await live(platform.database, platform.object_store, "acme", "anna")
    answer = await client.delete("/users/anna")
    assert (answer.status_code, answer.json()["kind"], answer.json()["status"]) == (202, "erase-user", "created")
    job_id = answer.json()["id"]
    assert answer.headers["Location"] == f"/jobs/{job_id}"
    assert "anna" not in answer.text
    state = platform.database.state
    assert (state.jobs[job_id].user_id, state.jobs[job_id].kind) == (None, JobKind.ERASE_USER)
    assert (await client.delete("/users/anna")).json()["id"] == job_id
    assert [row for row in state.audit_log if row[1] == "user.erasure_requested"] == [
        ("acme", "user.erasure_requested", Person("acme", "anna").pseudonym)
    ]
    events = [row.record for _, row in platform.database.state.outbox.values() if row.record.key == job_id.encode()]
    assert [record.topic for record in events] == ["mien.erasure-requested.v1"]
    assert b"anna" not in events[0].value


async def test_its_job_is_seen_by_whose_it_is(platform: Platform, client: httpx.AsyncClient) -> None:
    """By the user who asked and by their tenant, also when it has ended; by no other user and no other tenant."""
    async with (
        platform.client("mien_user-anna") as anna,
        platform.client("mien_user-eve") as eve,
        platform.client(await platform.secret("other")) as stranger,
    ):
        job_id = (await anna.delete("/users/anna")).json()["id"]

        async def statuses() -> list[int]:
            return [(await one.get(f"/jobs/{job_id}")).status_code for one in (anna, client, eve, stranger)]

        assert await statuses() == [200, 200, 404, 404]
        for answer in [await eve.get(f"/jobs/{job_id}/events"), await eve.delete(f"/jobs/{job_id}")]:
            assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
        async with platform.database.transaction() as transaction:
            await transaction.jobs.change(job_id, JobStatus.COMPLETED)
            await transaction.erasures.end(job_id)
        assert await statuses() == [200, 200, 404, 404]
        assert (await anna.get(f"/jobs/{job_id}")).json()["status"] == "completed"


async def test_it_can_not_be_cancelled(platform: Platform, client: httpx.AsyncClient) -> None:
    """Half an erasure is none, and whoever was told that it is under way must be able to rely on it."""
    job_id = (await client.delete("/users/anna")).json()["id"]
    answer = await client.delete(f"/jobs/{job_id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "erasure_not_cancellable")
    assert platform.database.state.jobs[job_id].status is JobStatus.CREATED


async def test_who_comes_without_a_credential_sees_no_erasure(platform: Platform) -> None:
    """Though its job names no user, and belongs to the tenant of those callers."""
    platform.credentials = CredentialSettings(anonymous={"tryon": "acme"})
    async with platform.client(await platform.secret()) as client:
        job_id = (await client.delete("/users/anna")).json()["id"]
    async with platform.client(None) as nobody:
        assert (await nobody.get(f"/jobs/{job_id}")).status_code == 401


async def test_meanwhile_nothing_is_taken_in_about_the_user(platform: Platform, client: httpx.AsyncClient) -> None:
    """Photos, diaries and looks are 409, theirs only; looking on is allowed; afterwards the user may come back."""
    job_id = (await client.delete("/users/anna")).json()["id"]
    announcement: dict[str, Any] = {"contentType": "image/jpeg", "contentLength": 10}
    look = {"userId": "anna", "name": "Evening", "presets": []}
    for path, body in [("/upload-url", {**announcement, "userId": "anna"}), ("/looks/save", look)]:
        answer = await client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "erasure_in_progress"), path
    assert (await client.post("/upload-url", json={**announcement, "userId": "eve"})).status_code == 200
    assert (await client.get("/looks/anna")).status_code == 200
    async with platform.database.transaction() as transaction:
        await transaction.erasures.end(job_id)
    assert (await client.post("/looks/save", json=look)).status_code == 201
