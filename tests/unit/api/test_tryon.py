"""TryOnAI's endpoints: send a photo without a credential, and look what becomes of it."""

import io
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
from PIL import Image

from mien_api import limits
from mien_api.credential_settings import CredentialSettings
from mien_api.limits import RateLimits
from mien_api.routers.tryon import MAX_BODY_BYTES, PATH
from mien_core.model.keys import photo_key, tryon_key
from mien_core.model.looks import Preset
from mien_core.model.platform import JobKind, JobStatus, UploadState
from mien_core.photo import open_kept_photo
from mien_core.rules.tryon import DEFAULT_LOOK, KEEP_SECONDS, LOOKS
from mien_core.rules.uploads import MAX_BYTES
from tests.unit.api.conftest import Platform

PATIENT = RateLimits.model_validate({"tryon": {"anonymous": 10_000}, "anonymous": 10_000})
UNKNOWN = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"


def photo(form: str = "PNG", side: int = 64) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), (190, 150, 130)).save(file, form)
    return file.getvalue()


PHOTO = photo()


@pytest.fixture
async def anybody(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without a credential."""
    platform.rate_limits = PATIENT
    async with platform.client(None) as client:
        yield client


async def send(
    client: httpx.AsyncClient, image: bytes = PHOTO, headers: Mapping[str, str] | None = None, **fields: str
) -> httpx.Response:
    """Send a photo as a browser's form does."""
    form = {"user_token": "visitor-1", **fields}
    return await client.post(PATH, files={"image": ("me.png", image, "image/png")}, data=form, headers=headers)


async def begun(client: httpx.AsyncClient) -> str:
    answer = await send(client)
    assert answer.status_code == 201, answer.text
    session_id: str = answer.json()["session_id"]
    return session_id


async def move(platform: Platform, session_id: str, status: JobStatus) -> None:
    """Do what streams would."""
    async with platform.database.transaction() as transaction:
        await transaction.jobs.change(session_id, status)


async def look_at(client: httpx.AsyncClient, session_id: str) -> dict[str, Any]:
    answer = await client.get(f"{PATH}/{session_id}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_photo_begins_a_session(platform: Platform, anybody: httpx.AsyncClient) -> None:
    """The contract's answer; row, object, job, session and event are there, and all are kept for a day."""
    answer = await send(anybody, look="berry")
    session_id = answer.json()["session_id"]
    assert answer.status_code == 201
    assert answer.json() == {
        "session_id": session_id,
        "status": "created",
        "message": "Session created successfully",
    }
    assert answer.headers["Location"] == f"{PATH}/{session_id}"
    [upload] = platform.database.state.uploads.values()
    assert (upload.tenant, upload.user_id, upload.purpose, upload.consent) == ("public", None, "tryon", "attested")
    assert upload.state is UploadState.RECEIVED
    assert (upload.expires_at - upload.created_at).total_seconds() == pytest.approx(KEEP_SECONDS, abs=60)
    assert platform.object_store.keys() == {photo_key(upload.id)}
    kept = await platform.object_store.get(photo_key(upload.id))
    assert (upload.content_length, upload.pixel_digest) == (len(kept), open_kept_photo(kept).digest)
    [job] = platform.database.state.jobs.values()
    assert (job.id, job.kind, job.upload_id) == (session_id, JobKind.RENDER_TRYON, upload.id)
    [(session, _)] = platform.database.state.tryon_sessions.values()
    assert (session.id, session.user_token, session.presets) == (session_id, "visitor-1", LOOKS["berry"])
    assert session.keep_seconds == KEEP_SECONDS
    assert [row.record.topic for _, row in platform.database.state.outbox.values()] == ["mien.try-on-requested.v1"]


async def test_a_session_shows_each_of_its_states(platform: Platform, anybody: httpx.AsyncClient) -> None:
    """Created, processing and completed with words for people; the picture has a URL once it is there."""
    session_id = await begun(anybody)
    created = await look_at(anybody, session_id)
    assert created == {
        "id": session_id,
        "status": "created",
        "output_image_url": None,
        "error_reason": None,
        "progress_message": created["progress_message"],
    }
    await move(platform, session_id, JobStatus.PROCESSING)
    processing = await look_at(anybody, session_id)
    await move(platform, session_id, JobStatus.COMPLETED)
    completed = await look_at(anybody, session_id)
    assert (processing["status"], completed["status"]) == ("processing", "completed")
    assert processing["output_image_url"] is None
    assert f"/{tryon_key(session_id)}?" in completed["output_image_url"]
    assert len({one["progress_message"] for one in (created, processing, completed)}) == 3
    answer = await anybody.get(f"{PATH}/{session_id}")
    assert "private" in answer.headers["Cache-Control"]


async def test_a_failure_says_why(platform: Platform, anybody: httpx.AsyncClient) -> None:
    """The reason for programs, and the job's own words for people."""
    session_id = await begun(anybody)
    await platform.fail(session_id, "no_face")
    body = await look_at(anybody, session_id)
    assert (body["status"], body["error_reason"]) == ("failed", "no_face")
    assert (body["output_image_url"], body["progress_message"]) == (None, "What went wrong.")


async def test_the_id_opens_the_job_too(anybody: httpx.AsyncClient) -> None:
    """Whoever has it looks at the job, follows it and cancels it; the session then shows failed, cancelled."""
    session_id = await begun(anybody)
    job = (await anybody.get(f"/jobs/{session_id}")).json()
    assert (job["id"], job["kind"], job["status"]) == (session_id, "render-tryon", "created")
    cancelled = await anybody.delete(f"/jobs/{session_id}")
    assert cancelled.json()["status"] == "cancelled"
    events = await anybody.get(f"/jobs/{session_id}/events")
    assert events.status_code == 200
    assert [line for line in events.text.splitlines() if line.startswith("event: ")] == [
        "event: created",
        "event: cancelled",
    ]
    body = await look_at(anybody, session_id)
    assert (body["status"], body["error_reason"]) == ("failed", "cancelled")


async def test_a_session_with_a_credential_is_its_owners(platform: Platform, anybody: httpx.AsyncClient) -> None:
    """It belongs to the key's tenant: with the key it opens, without it there is none, nor a job."""
    async with platform.client(await platform.secret()) as owner:
        session_id = await begun(owner)
        assert (await look_at(owner, session_id))["id"] == session_id
    assert (await anybody.get(f"{PATH}/{session_id}")).json()["code"] == "session_not_found"
    assert (await anybody.get(f"/jobs/{session_id}")).status_code == 401
    async with platform.client(await platform.secret("other")) as other:
        assert (await other.get(f"{PATH}/{session_id}")).status_code == 404
    async with platform.client(await platform.secret(scopes="glam")) as other_application:
        assert (await send(other_application)).json()["code"] == "scope_missing"


async def test_who_may_come_without_a_credential_is_a_setting(platform: Platform) -> None:
    """Where the setting names no tenant for try-on, it asks for a credential as all others do."""
    platform.credentials = CredentialSettings(anonymous={})
    async with platform.client(None) as client:
        answer = await send(client)
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_missing")
    assert platform.object_store.keys() == frozenset()


async def test_what_is_unknown_or_over_is_not_found(platform: Platform, anybody: httpx.AsyncClient) -> None:
    """An id that never was, one of another application's job, and a session after its day, swept or not."""
    session_id = await begun(anybody)
    async with platform.database.transaction() as transaction:
        job = await transaction.jobs.get(session_id)
        assert job is not None
    session, created_at = platform.database.state.tryon_sessions[session_id]
    platform.database.state.tryon_sessions[session_id] = (replace(session, keep_seconds=0), created_at)
    for gone in (session_id, UNKNOWN, job.photo_id):
        answer = await anybody.get(f"{PATH}/{gone}")
        assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
    malformed = await anybody.get(f"{PATH}/x")
    assert (malformed.status_code, malformed.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
async def test_photos_are_told_by_their_content(anybody: httpx.AsyncClient, form: str) -> None:
    """Whatever a file calls itself."""
    answer = await anybody.post(
        PATH, files={"image": ("notes.txt", photo(form), "text/plain")}, data={"user_token": "v"}
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("image", "status", "code"),
    [
        (b"no image", 422, "not_an_image"),
        (photo("GIF"), 422, "unsupported_image_format"),
        (PHOTO[: len(PHOTO) // 2], 422, "truncated_image"),
        (photo(side=16), 422, "too_few_pixels"),
        (PHOTO + bytes(MAX_BYTES), 413, "photo_too_large"),
        (PHOTO + bytes(MAX_BODY_BYTES), 413, "request_too_large"),
    ],
    ids=["text", "gif", "cut", "tiny", "large", "huge"],
)
async def test_what_is_no_photo_begins_nothing(
    platform: Platform, anybody: httpx.AsyncClient, image: bytes, status: int, code: str
) -> None:
    """The door's verdicts, and the sizes'; no row, no object."""
    answer = await send(anybody, image)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["detail"]
    assert (platform.object_store.keys(), platform.database.state.uploads) == (frozenset(), {})


async def look_of(platform: Platform, client: httpx.AsyncClient, look: str) -> tuple[Preset, ...]:
    answer = await send(client, look=look)
    assert answer.status_code == 201, answer.text
    return platform.database.state.tryon_sessions[answer.json()["session_id"]][0].presets


async def test_a_look_is_a_name_or_presets(platform: Platform, anybody: httpx.AsyncClient) -> None:
    """Every named look, none of them, and a saved look's presets as /looks/{userId} shows them."""
    for name, presets in LOOKS.items():
        assert await look_of(platform, anybody, name) == presets
    for nothing in ("", " "):
        assert await look_of(platform, anybody, nothing) == LOOKS[DEFAULT_LOOK]
    saved = [{"category": "lipstick", "color": "#A4414B", "finish": "satin", "intensity": 0.7, "assetId": None}]
    assert await look_of(platform, anybody, json.dumps(saved)) == (
        Preset(category="lipstick", color="#A4414B", finish="satin", intensity=0.7),
    )
    plain = await anybody.post(PATH, files={"image": ("me.png", PHOTO)}, data={"user_token": "v"})
    assert platform.database.state.tryon_sessions[plain.json()["session_id"]][0].presets == LOOKS[DEFAULT_LOOK]


@pytest.mark.parametrize(
    ("look", "pointer"),
    [
        ("[]", "/look"),
        ("[1]", "/look/0"),
        ('[{"category": "hat", "color": "#A4414B", "finish": "satin", "intensity": 1}]', "/look/0/category"),
        ('[{"category": "blush", "color": "red", "finish": "satin", "intensity": 1}]', "/look/0/color"),
        ('[{"category": "blush", "color": "#A4414B", "finish": "satin", "intensity": NaN}]', "/look/0/intensity"),
    ],
    ids=["empty", "number", "category", "color", "nan"],
)
async def test_another_look_is_refused_by_its_place(anybody: httpx.AsyncClient, look: str, pointer: str) -> None:
    """422 with a pointer to what is wrong."""
    answer = await send(anybody, look=look)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("look", ["neon", "[", "[" * 3000, '{"presets": []}'], ids=["name", "json", "deep", "object"])
async def test_an_unknown_look_is_told_which_there_are(anybody: httpx.AsyncClient, look: str) -> None:
    """Its problem names them all."""
    answer = await send(anybody, look=look)
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_look"), answer.text
    assert all(name in answer.json()["detail"] for name in LOOKS)


@pytest.mark.parametrize("token", ["", "x" * 256, "line\nbreak", "nul\0"])
async def test_a_user_token_is_text_of_one_line(anybody: httpx.AsyncClient, token: str) -> None:
    """1 to 255 characters; all others are 422."""
    answer = await send(anybody, user_token=token)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/user_token"]


async def test_what_the_form_lacks_is_named(anybody: httpx.AsyncClient) -> None:
    """Photo and token, where neither came: a text is no photo; a body that is no form is of another type."""
    answer = await anybody.post(PATH, files={"another": b"file"}, data={"image": "text"})
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/image", "/user_token"}
    assert (await anybody.post(PATH, json={})).json()["code"] == "unsupported_media_type"
    longest = "\u05d0" * 255
    assert (await send(anybody, user_token=longest)).status_code == 201


@pytest.mark.parametrize(
    ("fields", "headers", "status"),
    [
        ({}, {}, 403),
        ({"consent": "false"}, {}, 403),
        ({"consent": "true"}, {}, 201),
        ({}, {"Consent": "given"}, 201),
        ({}, {"Consent": "refused"}, 403),
        ({"consent": "true"}, {"Consent": "refused"}, 403),
        ({"consent": "false"}, {"Consent": "given"}, 403),
    ],
)
async def test_consent_may_be_required(
    platform: Platform, fields: dict[str, str], headers: dict[str, str], status: int
) -> None:
    """Each photo then carries its own, as a field or as a header; an explicit no always counts."""
    platform.consent_required = True
    async with platform.client(None) as client:
        client.headers.update(headers)
        answer = await send(client, PHOTO, None, **fields)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "consent_required"
        assert platform.object_store.keys() == frozenset()


@pytest.fixture
def long_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """No window ends during a test."""
    monkeypatch.setattr(limits, "WINDOW_SECONDS", 3600.0)


@pytest.mark.usefixtures("long_windows")
async def test_an_address_may_call_ten_times_in_a_window(platform: Platform) -> None:
    """POST and GET count together; the eleventh is told when to come again."""
    platform.rate_limits = RateLimits()
    async with platform.client(None) as client:
        statuses = [(await send(client)).status_code]
        statuses += [(await client.get(f"{PATH}/{UNKNOWN}")).status_code for _ in range(9)]
        eleventh = await send(client)
    assert statuses == [201, *[404] * 9]
    assert (eleventh.status_code, eleventh.json()["code"]) == (429, "rate_limited")
    assert eleventh.headers["RateLimit-Policy"] == '"tryon-anonymous";q=10;w=3600'
    assert int(eleventh.headers["Retry-After"]) > 0


@pytest.mark.usefixtures("long_windows")
async def test_how_often_an_address_may_call_is_a_setting(platform: Platform) -> None:
    """As MIEN_API__LIMITS__TRYON__ANONYMOUS says."""
    platform.rate_limits = RateLimits.model_validate({"tryon": {"anonymous": 2}})
    async with platform.client(None) as client:
        statuses = [(await client.get(f"{PATH}/{UNKNOWN}")).status_code for _ in range(3)]
    assert statuses == [404, 404, 429]


async def test_the_same_request_is_one_session(platform: Platform, anybody: httpx.AsyncClient) -> None:
    """A repeat under its Idempotency-Key gets the session that the first one began."""
    first, again = [await send(anybody, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert first.json() == again.json()
    assert "Idempotency-Replayed" in again.headers
    assert len(platform.database.state.jobs) == 1
