"""Glow Cycle's scans: a photo becomes a line of the skin diary."""

import asyncio
import io
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import Image

from mien_api.routers.scans import MAX_BODY_BYTES, PATH
from mien_core.model.cycle import DiaryMetrics, NewSkinScan
from mien_core.model.keys import original_key, photo_key
from mien_core.model.platform import JobStatus, UploadState
from mien_core.rules.load import Limits
from mien_core.rules.uploads import MAX_BYTES
from tests.unit.api.conftest import Platform

DAY = date(2026, 11, 20)
METRICS = DiaryMetrics(62.0, 55.5, 70.25, None, 80.0)
SHOWN = {"radiance": 62.0, "moisture": 55.5, "texture": 70.25, "pores": None, "darkCircles": 80.0}


def png(side: int = 64) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), (190, 150, 130)).save(file, "PNG")
    return file.getvalue()


PHOTO = png()


async def send(
    client: httpx.AsyncClient, image: bytes = PHOTO, fields: Mapping[str, str] | None = None, *, wait: int = 0
) -> httpx.Response:
    """Send a photo as a browser's form does."""
    data = {"userId": "anna", "date": "2026-11-20", **(fields or {})}
    files = {"image": ("me.jpg", image, "image/jpeg")}
    return await client.post(PATH, files=files, data=data, headers={"Prefer": f"wait={wait}"})


async def begun(client: httpx.AsyncClient) -> str:
    """Send a photo without waiting; the scan's id."""
    scan_id: str = (await send(client)).json()["scanId"]
    return scan_id


async def scanned(platform: Platform, job_id: str, metrics: DiaryMetrics = METRICS) -> None:
    """Do what streams would."""
    async with platform.database.transaction() as transaction:
        job = await transaction.jobs.get(job_id)
        assert job is not None
        assert job.user_id is not None
        day = await transaction.photo_days.of_upload(job.photo_id)
        assert day is not None
        await transaction.skin_scans.add(NewSkinScan(job.id, job.tenant, job.user_id, day, metrics, None))
        await transaction.jobs.change(job_id, JobStatus.COMPLETED, timings={"serving": 80.0})


async def uploaded(platform: Platform, client: httpx.AsyncClient, **fields: Any) -> str:
    """Announce a photo for the skin diary and put its bytes there; the upload's id."""
    announced = {"contentType": "image/jpeg", "contentLength": 4, "purpose": "cycle", "userId": "anna", **fields}
    upload_id: str = (await client.post("/upload-url", json=announced)).json()["uploadId"]
    await platform.object_store.put(original_key(upload_id), b"jpeg", "image/jpeg")
    return upload_id


async def ask(client: httpx.AsyncClient, upload_id: str, wait: int = 0, **fields: Any) -> httpx.Response:
    body = {"uploadId": upload_id, "userId": "anna", "date": "2026-11-20", **fields}
    return await client.post(PATH, json=body, headers={"Prefer": f"wait={wait}"})


async def test_a_photo_is_taken_in(platform: Platform, client: httpx.AsyncClient) -> None:
    """Row, object, day, job and event are there, and 202 says where the scan is going to be."""
    answer = await send(client, fields={"consent": "true"})
    body = answer.json()
    [upload] = platform.database.state.uploads.values()
    [job] = platform.database.state.jobs.values()
    assert (upload.tenant, upload.user_id, upload.purpose, upload.consent) == ("acme", "anna", "cycle", "given")
    assert upload.state is UploadState.RECEIVED
    assert platform.object_store.keys() == {photo_key(upload.id)}
    assert platform.database.state.photo_days == {upload.id: DAY}
    assert [row.record.topic for _, row in platform.database.state.outbox.values()] == ["mien.upload-received.v1"]
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/jobs/{job.id}")
    assert (answer.headers["Preference-Applied"], answer.headers["Retry-After"]) == ("wait=0", "1")
    assert (body["scanId"], body["uploadId"], body["status"]) == (job.id, upload.id, "created")
    assert platform.database.state.skin_scans == {}


async def test_the_answer_is_the_line_of_the_diary(platform: Platform, client: httpx.AsyncClient) -> None:
    """The contract's fields, whoever wrote them: waited for, looked up later, and in the list."""
    waiting = asyncio.create_task(send(client, wait=30))
    while not platform.database.state.jobs:  # noqa: ASYNC110 - the request has no event to wait for
        await asyncio.sleep(0.005)
    [job_id] = platform.database.state.jobs
    await scanned(platform, job_id)
    answer = await waiting
    body = answer.json()
    assert answer.status_code == 200, answer.text
    created_at = body.pop("createdAt")
    assert datetime.fromisoformat(created_at).tzinfo is not None
    assert body == {
        "scanId": job_id,
        "userId": "anna",
        "date": "2026-11-20",
        "metrics": SHOWN,
        "cycleDay": None,
        "change": None,
        "notice": "An appearance measure, not a diagnosis.",
    }
    assert "serving;dur=80.0" in answer.headers["Server-Timing"]
    assert answer.headers["Cache-Control"] == "private, no-cache"
    later = await client.get(f"{PATH}/{job_id}")
    assert (later.status_code, later.json()) == (200, {**body, "createdAt": created_at})
    [line] = (await client.get("/skin/user/anna")).json()["scans"]
    assert {**line, "change": None} == later.json()


async def test_a_scan_is_compared_with_its_own_phase(platform: Platform, client: httpx.AsyncClient) -> None:
    """The log tells the day and the phase; the mean is that of the user's earlier scans in it."""
    for days_ago in (58, 30, 2):
        await client.post("/period", json={"userId": "anna", "date": str(DAY - timedelta(days=days_ago))})
    for days_ago, radiance, user_id in ((58, 50, "anna"), (29, 40, "anna"), (15, 99, "anna"), (30, 1, "berta")):
        line = {"userId": user_id, "date": str(DAY - timedelta(days=days_ago)), "metrics": {"radiance": radiance}}
        assert (await client.post("/skin", json=line)).status_code == 201
    after = {"userId": "anna", "date": str(DAY + timedelta(days=1)), "metrics": {"radiance": 0}}
    await client.post("/skin", json=after)
    scan_id = await begun(client)
    await scanned(platform, scan_id)
    body = (await client.get(f"{PATH}/{scan_id}")).json()
    assert body["cycleDay"] == 3
    nothing = dict.fromkeys(("moisture", "texture", "pores", "darkCircles"))
    assert body["change"] == {**nothing, "radiance": 17.0}


async def test_without_a_date_it_is_today(platform: Platform, client: httpx.AsyncClient) -> None:
    """UTC's, since nothing else is known of the user's."""
    before = datetime.now(UTC).date()
    await client.post(PATH, files={"image": PHOTO}, data={"userId": "anna"}, headers={"Prefer": "wait=0"})
    [day] = platform.database.state.photo_days.values()
    assert before <= day <= datetime.now(UTC).date()


async def test_an_uploaded_photo_is_scanned_once(platform: Platform, client: httpx.AsyncClient) -> None:
    """Whoever asks again, also for another day, gets the same scan; the first day counts."""
    upload_id = await uploaded(platform, client)
    first = await ask(client, upload_id)
    again = await ask(client, upload_id, date="2026-11-01")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["scanId"] == again.json()["scanId"]
    assert platform.database.state.photo_days == {upload_id: DAY}
    await scanned(platform, first.json()["scanId"])
    done = await ask(client, upload_id)
    assert (done.status_code, done.json()["metrics"], done.json()["date"]) == (200, SHOWN, "2026-11-20")
    assert len(platform.database.state.jobs) == 1


@pytest.mark.parametrize(
    ("announced", "asked", "status", "code"),
    [
        ({"purpose": "skin"}, {}, 409, "purpose_not_cycle"),
        ({"purpose": "glam"}, {}, 409, "purpose_not_cycle"),
        ({"userId": None}, {}, 409, "upload_without_user"),
        ({"userId": "berta"}, {}, 404, "upload_not_found"),
        ({}, {"userId": "berta"}, 404, "upload_not_found"),
        ({}, {"uploadId": str(uuid4())}, 404, "upload_not_found"),
    ],
)
async def test_only_the_users_own_photo_for_the_diary_is_scanned(  # noqa: PLR0917 - fixtures and parameters, by name
    platform: Platform,
    client: httpx.AsyncClient,
    announced: dict[str, Any],
    asked: dict[str, Any],
    status: int,
    code: str,
) -> None:
    """Another purpose's, nobody's and another user's are refused, and nothing begins."""
    answer = await ask(client, **{"upload_id": await uploaded(platform, client, **announced), **renamed(asked)})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not platform.database.state.jobs


def renamed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The upload's id under the name that ask has for it."""
    return {"upload_id" if name == "uploadId" else name: value for name, value in fields.items()}


async def test_a_photo_that_has_not_arrived_is_waited_for(platform: Platform, client: httpx.AsyncClient) -> None:
    """409 with what to do, and the same request works once it is there."""
    upload_id = await uploaded(platform, client)
    await platform.object_store.delete(original_key(upload_id))
    answer = await ask(client, upload_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_not_received")
    await platform.object_store.put(original_key(upload_id), b"jpeg", "image/jpeg")
    assert (await ask(client, upload_id)).status_code == 202


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"userId": ""}, "/userId"),
        ({"date": "yesterday"}, "/date"),
        ({"date": "0001-01-01"}, "/date"),
        ({"consent": "perhaps"}, "/consent"),
    ],
)
async def test_a_wrong_field_is_pointed_at(client: httpx.AsyncClient, fields: dict[str, str], pointer: str) -> None:
    """Under the name that the frontend knows."""
    answer = await send(client, fields=fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_json"),
        (b"\xff", "application/json; charset=utf-8", 400, "malformed_json"),
        (b"[" * 10_000, "application/json", 400, "malformed_json"),
        (b"[]", "application/json", 422, "invalid_request"),
        (b'{"userId": "anna"}', "application/json", 422, "invalid_request"),
        (b'{"userId": "anna", "uploadId": "7"}', "application/json", 422, "invalid_request"),
        (b'{"userId": "anna", "x": "' + b"x" * 20_000 + b'"}', "application/json", 413, "request_too_large"),
        (b"", "", 422, "invalid_request"),
        (b"--b--\r\n", "multipart/form-data; boundary=b", 422, "invalid_request"),
        (b"no form", "multipart/form-data; boundary=b", 400, "malformed_form"),
        (bytes(MAX_BODY_BYTES + 1), "multipart/form-data; boundary=b", 413, "request_too_large"),
    ],
)
async def test_a_broken_body_is_refused(  # noqa: PLR0917 - fixtures and parameters, by name
    platform: Platform, client: httpx.AsyncClient, content: bytes, media_type: str, status: int, code: str
) -> None:
    """As a problem that says why; nothing is kept."""
    answer = await client.post(PATH, content=content, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not platform.database.state.uploads


@pytest.mark.parametrize(
    ("image", "code"),
    [(b"hello", "not_an_image"), (PHOTO[:80], "truncated_image"), (PHOTO + bytes(MAX_BYTES), "photo_too_large")],
)
async def test_what_is_no_photo_is_refused_at_the_door(
    platform: Platform, client: httpx.AsyncClient, image: bytes, code: str
) -> None:
    """422 with the code, and nothing kept anywhere."""
    answer = await send(client, image)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert not platform.database.state.uploads
    assert not platform.object_store.keys()


@pytest.mark.parametrize(
    ("code", "status"), [("no_face", 422), ("skin_not_visible", 422), ("internal_error", 500), ("photo_expired", 410)]
)
async def test_a_failed_scan_is_a_problem_with_its_code(
    platform: Platform, client: httpx.AsyncClient, code: str, status: int
) -> None:
    """And the diary has no line of it."""
    scan_id = await begun(client)
    await platform.fail(scan_id, code)
    answer = await client.get(f"{PATH}/{scan_id}")
    assert (answer.status_code, answer.json()["code"], answer.json()["scanId"]) == (status, code, scan_id)
    assert answer.json()["detail"] == "What went wrong."


async def test_a_cancelled_scan_is_a_conflict(client: httpx.AsyncClient) -> None:
    """It has no result and never will have one."""
    scan_id = await begun(client)
    assert (await client.delete(f"/jobs/{scan_id}")).is_success
    answer = await client.get(f"{PATH}/{scan_id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "analysis_cancelled")


async def test_a_line_that_was_deleted_is_missing(platform: Platform, client: httpx.AsyncClient) -> None:
    """Its job is still known, and brings it back for nobody."""
    upload_id = await uploaded(platform, client)
    scan_id = (await ask(client, upload_id)).json()["scanId"]
    await scanned(platform, scan_id)
    assert (await client.delete(f"/skin/{scan_id}")).status_code == 204
    for answer in (await client.get(f"{PATH}/{scan_id}"), await ask(client, upload_id)):
        assert (answer.status_code, answer.json()["code"]) == (404, "scan_not_found")


async def test_others_scans_do_not_exist(platform: Platform, client: httpx.AsyncClient) -> None:
    """An unknown id, another tenant's scan, another application's job and one without a photo are 404 alike."""
    scan_id = await begun(client)
    skin = await client.post("/v1/analyze/skin", files={"image": PHOTO}, headers={"Prefer": "wait=0"})
    insight = await client.post("/insights", json={"userId": "anna"}, headers={"Prefer": "wait=0"})
    async with platform.client(await platform.secret("other")) as other:
        answers = [
            await other.get(f"{PATH}/{scan_id}"),
            await client.get(f"{PATH}/{uuid4()}"),
            await client.get(f"{PATH}/{skin.json()['analysis_id']}"),
            await client.get(f"{PATH}/{insight.json()['insightId']}"),
        ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "scan_not_found")}
    for other_id in (scan_id, insight.json()["insightId"]):
        assert (await client.get(f"/v1/analyze/skin/{other_id}")).status_code == 404


@pytest.mark.parametrize(
    ("required", "said", "status"), [(False, "", 202), (False, "false", 403), (True, "", 403), (True, "true", 202)]
)
async def test_consent_is_recorded_or_required(platform: Platform, *, required: bool, said: str, status: int) -> None:
    """By setting; an explicit no always counts."""
    platform.consent_required = required
    async with platform.client(await platform.secret()) as client:
        answer = await send(client, fields={"consent": said} if said else {})
    assert answer.status_code == status
    assert len(platform.database.state.uploads) == (status == 202)


async def test_the_key_must_cover_the_cycle(platform: Platform) -> None:
    """Another application's key is refused on both paths."""
    async with platform.client(await platform.secret(scopes="skin,glam")) as client:
        for answer in (await send(client), await client.get(f"{PATH}/{uuid4()}")):
            assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_too_many_photos_at_once_are_sent_away(platform: Platform) -> None:
    """As everywhere where a photo comes along: 503 with Retry-After before anything is kept."""
    platform.limits = Limits(open_jobs=1)
    async with platform.client(await platform.secret()) as client:
        answers = [await send(client), await send(client)]
    assert [answer.status_code for answer in answers] == [202, 503]
    assert (answers[1].json()["code"], "Retry-After" in answers[1].headers) == ("overloaded", True)
    assert len(platform.database.state.uploads) == 1


async def test_a_repeat_under_its_key_is_one_scan(platform: Platform, client: httpx.AsyncClient) -> None:
    """The same photo under the same key is taken in once; what failed for good may be tried anew."""
    files = {"image": ("me.jpg", PHOTO, "image/jpeg")}
    headers = {"Idempotency-Key": "once", "Prefer": "wait=0"}
    answers = [await client.post(PATH, files=files, data={"userId": "anna"}, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(platform.database.state.jobs) == len(platform.database.state.uploads) == 1
