"""Skin Chapters' endpoints: send a photo, get what it shows of the skin."""

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from uuid import uuid4

import httpx
import numpy as np
import pytest
from PIL import Image

from mien_api.routers.skin import MAX_BODY_BYTES, PATH
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.model.keys import photo_key
from mien_core.model.platform import JobStatus, UploadState
from mien_core.photo import open_kept_photo, open_photo
from mien_core.rules.uploads import MAX_BYTES
from tests.unit.api.conftest import NOW_HEADERS, Platform


def png(side: int = 64, *, noise: bool = False) -> bytes:
    shape = (side, side, 3)
    pixels = np.random.default_rng(0).integers(0, 255, shape, np.uint8) if noise else np.full(shape, 127, np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


PHOTO = png()


async def send(
    client: httpx.AsyncClient, image: bytes = PHOTO, fields: Mapping[str, str] | None = None, *, wait: int = 0
) -> httpx.Response:
    """Send a photo as a browser's form does."""
    files = {"image": ("me.jpg", image, "image/jpeg")}
    return await client.post(PATH, files=files, data=fields or {}, headers={"Prefer": f"wait={wait}"})


async def begun(client: httpx.AsyncClient) -> str:
    """Send a photo without waiting; the analysis' id."""
    analysis_id: str = (await send(client)).json()["analysis_id"]
    return analysis_id


async def test_a_photo_is_taken_in(platform: Platform, client: httpx.AsyncClient) -> None:
    """Row, object, job and event are there; what lies in the store went through the door, and its pixels are known."""
    answer = await send(client, fields={"user_id": "anna", "consent": "true"})
    assert answer.status_code == 202
    [upload] = platform.database.state.uploads.values()
    assert (upload.tenant, upload.user_id, upload.purpose, upload.consent) == ("acme", "anna", "skin", "given")
    assert (upload.state, upload.content_type) == (UploadState.RECEIVED, "image/jpeg")
    assert platform.object_store.keys() == {photo_key(upload.id)}
    kept = await platform.object_store.get(photo_key(upload.id))
    assert upload.content_length == len(kept)
    assert upload.pixel_digest == open_kept_photo(kept).digest == open_photo(PHOTO).digest
    [job] = platform.database.state.jobs.values()
    assert (job.id, job.upload_id, job.user_id) == (answer.json()["analysis_id"], upload.id, "anna")
    assert [row.record.topic for _, row in platform.database.state.outbox.values()] == ["mien.upload-received.v1"]


async def test_a_wait_that_is_over_gives_the_job(client: httpx.AsyncClient) -> None:
    """202 with the job's Location, and with the id under which the answer is going to be."""
    answer = await send(client)
    body = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/jobs/{body['analysis_id']}"
    assert (answer.headers["Preference-Applied"], answer.headers["Retry-After"]) == ("wait=0", "1")
    assert (body["status"], [step["status"] for step in body["steps"]]) == ("created", ["created"])
    assert (await client.get(answer.headers["Location"])).json()["id"] == body["analysis_id"]


async def test_the_answer_has_the_contracts_fields(platform: Platform, client: httpx.AsyncClient) -> None:
    """Type, conditions, score, chapter, id and time; and what they rest on."""
    waiting = asyncio.create_task(send(client, wait=30))
    while not platform.database.state.jobs:  # noqa: ASYNC110 - the request has no event to wait for
        await asyncio.sleep(0.005)
    [job_id] = platform.database.state.jobs
    await platform.complete(job_id)
    answer = await waiting
    assert answer.status_code == 200
    body = answer.json()
    assert (body["skin_type"], body["conditions"]) == (None, ["dullness"])
    assert (body["skin_score"], body["recommended_chapter"], body["analysis_id"]) == (79, 5, job_id)
    assert datetime.fromisoformat(body["created_at"]).tzinfo is not None
    assert body["probabilities"]["dullness"] == 0.61
    assert "blackheads" not in body["probabilities"]
    assert body["abstained"] == [
        {"measure": "pores", "condition": "blackheads", "reason": "blur", "advice": "Hold the camera still."}
    ]
    assert set(body["metrics"]) == {"radiance", "moisture", "texture", "pores", "dark_circles"}
    assert (body["metrics"]["pores"], body["metrics"]["radiance"]) == (None, 62.0)
    assert list(body["masks"]) == ["radiance"]
    assert "/masks/radiance.png?" in body["masks"]["radiance"]
    assert "/annotated.png?" in body["annotated_url"]
    assert body["quality"]["gates"][0]["code"] == "blur"
    assert body["model_revision"] == "face@sha256:0123456789ab"
    assert body["notice"] == "An appearance measure, not a diagnosis."
    assert "serving;dur=80.0" in answer.headers["Server-Timing"]


async def test_the_answer_can_be_had_later(platform: Platform, client: httpx.AsyncClient) -> None:
    """GET says what POST would: the job while it is under way, then the analysis."""
    analysis_id = await begun(client)
    early = await client.get(f"{PATH}/{analysis_id}")
    assert (early.status_code, early.headers["Location"]) == (202, f"/jobs/{analysis_id}")
    await platform.complete(analysis_id)
    late = await client.get(f"{PATH}/{analysis_id}")
    assert (late.status_code, late.json()["skin_score"]) == (200, 79)


async def test_others_analyses_do_not_exist(platform: Platform, client: httpx.AsyncClient) -> None:
    """An unknown id, another tenant's analysis and another application's job are 404 alike."""
    analysis_id = await begun(client)
    glam = await client.post("/analyze", json={"uploadId": await platform.uploaded(client)}, headers=NOW_HEADERS)
    async with platform.client(await platform.secret("other")) as other:
        answers = [
            await other.get(f"{PATH}/{analysis_id}"),
            await client.get(f"{PATH}/{uuid4()}"),
            await client.get(f"{PATH}/{glam.json()['id']}"),
        ]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert {answer.json()["code"] for answer in answers} == {"analysis_not_found"}
    assert len({answer.json()["detail"] for answer in answers}) == 1


@pytest.mark.parametrize(
    ("image", "refusal"),
    [
        (b"hello", (400, "not_an_image", "Invalid image format")),
        (b"", (400, "not_an_image", "Invalid image format")),
        (b"GIF89a" + bytes(20), (400, "unsupported_image_format", "Invalid image format")),
        (PHOTO[:80], (400, "truncated_image", "Invalid image format")),
        (png(16), (422, "too_few_pixels", "The photo has 16 x 16 pixels; each side needs at least 32.")),
        (PHOTO + bytes(MAX_BYTES), (413, "photo_too_large", "The image is too large")),
    ],
    ids=["text", "empty", "gif", "cut off", "tiny", "11 MB"],
)
async def test_what_is_no_photo_is_refused_at_the_door(
    platform: Platform, client: httpx.AsyncClient, image: bytes, refusal: tuple[int, str, str]
) -> None:
    """The contract's words, the specific code, what to do about it, and nothing kept anywhere."""
    answer = await send(client, image)
    body = answer.json()
    assert (answer.status_code, body["code"], body["detail"]) == refusal
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.status_code == 422 or body["advice"]
    assert not platform.database.state.uploads
    assert not platform.object_store.keys()


@pytest.mark.parametrize("announced", [True, False])
async def test_too_large_a_body_is_refused(platform: Platform, client: httpx.AsyncClient, *, announced: bool) -> None:
    """413 whether the length is announced or the bytes just keep coming; elsewhere the limit is what it was."""
    request = client.build_request("POST", PATH, files={"image": ("me.png", bytes(MAX_BODY_BYTES))})
    content = request.read()

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 100_000):
            yield content[start : start + 100_000]

    headers = {"Content-Type": request.headers["Content-Type"]}
    answer = await client.post(PATH, content=content if announced else chunks(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
    assert "smaller photo" in answer.json()["detail"]
    assert not platform.database.state.uploads
    assert (await client.post("/analyze", content=content, headers=headers)).status_code == 413


async def test_a_photo_never_touches_the_disk(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large it is."""

    def roll_over(_file: object) -> None:
        raise AssertionError("a file was spooled to the disk")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", roll_over)
    large = png(1200, noise=True)
    assert len(large) > 4_000_000
    assert (await send(client, large)).status_code == 202


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b'{"image": "x"}', {"Content-Type": "application/json"}, 415, "unsupported_media_type"),
        (b"image=x", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        (b"", {}, 422, "invalid_request"),
        (b"--b--\r\n", {"Content-Type": "multipart/form-data; boundary=b"}, 422, "invalid_request"),
        (b"no form at all", {"Content-Type": "multipart/form-data; boundary=b"}, 400, "malformed_form"),
        (b"--b--\r\n", {"Content-Type": "multipart/form-data"}, 400, "malformed_form"),
    ],
    ids=["json", "urlencoded", "nothing", "empty form", "not the boundary", "no boundary"],
)
async def test_a_body_without_a_photo_is_refused(
    client: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    """What is missing is pointed at; what is no form at all is said to be none."""
    answer = await client.post(PATH, content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if status == 422:
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/image"]


async def test_two_photos_are_one_too_many(client: httpx.AsyncClient) -> None:
    """Which of them was meant is not guessed; and an endless number of parts is not read."""
    two = [("image", ("a.png", PHOTO)), ("image", ("b.png", PHOTO))]
    answer = await client.post(PATH, files=two)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_form")
    many = await client.post(PATH, files={"image": PHOTO}, data={f"field-{number}": "x" for number in range(50)})
    assert (many.status_code, many.json()["code"]) == (400, "malformed_form")


@pytest.mark.parametrize(
    ("query", "fields", "user"),
    [
        ("anna", {}, "anna"),
        (None, {"user_id": "anna"}, "anna"),
        ("anna", {"user_id": "anna"}, "anna"),
        (None, {}, None),
    ],
)
async def test_the_user_is_named_by_query_or_form(
    platform: Platform, client: httpx.AsyncClient, query: str | None, fields: dict[str, str], user: str | None
) -> None:
    """Either will do, and none is fine."""
    params = {"user_id": query} if query else {}
    answer = await client.post(PATH, params=params, files={"image": PHOTO}, data=fields, headers=NOW_HEADERS)
    assert answer.status_code == 202
    assert [upload.user_id for upload in platform.database.state.uploads.values()] == [user]


async def test_two_users_are_one_too_many(platform: Platform, client: httpx.AsyncClient) -> None:
    """Nothing is taken in where the query names another user than the form."""
    answer = await client.post(PATH, params={"user_id": "anna"}, files={"image": PHOTO}, data={"user_id": "bea"})
    assert (answer.status_code, answer.json()["code"]) == (422, "users_differ")
    assert not platform.database.state.uploads


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"user_id": "a\x00b"}, "/user_id"),
        ({"user_id": "x" * 256}, "/user_id"),
        ({"consent": "perhaps"}, "/consent"),
    ],
)
async def test_wrong_fields_are_pointed_at(
    platform: Platform, client: httpx.AsyncClient, fields: dict[str, str], pointer: str
) -> None:
    """Nothing is taken in for a user that can't be told."""
    answer = await client.post(PATH, files={"image": PHOTO}, data=fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert not platform.database.state.uploads


@pytest.mark.parametrize(
    ("required", "fields", "status"),
    [
        (False, {}, 202),
        (False, {"consent": "false"}, 403),
        (True, {}, 403),
        (True, {"consent": "false"}, 403),
        (True, {"consent": "true"}, 202),
    ],
)
async def test_no_analysis_without_consent(
    platform: Platform, *, required: bool, fields: dict[str, str], status: int
) -> None:
    """Where consent is required it must come with the photo; an explicit no is always respected."""
    platform.consent_required = required
    async with platform.client(await platform.secret()) as client:
        answer = await send(client, fields=fields)
    assert answer.status_code == status
    assert len(platform.database.state.uploads) == (1 if status == 202 else 0)
    if status == 403:
        assert answer.json()["code"] == "consent_required"


async def test_the_key_must_cover_skin(platform: Platform) -> None:
    """Another application's key is refused on both paths, and one with the scope is not."""
    async with platform.client(await platform.secret(scopes="glam")) as client:
        for answer in (await send(client), await client.get(f"{PATH}/{uuid4()}")):
            assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    async with platform.client(await platform.secret(scopes="skin")) as client:
        assert (await send(client)).status_code == 202


async def test_no_photo_is_read_for_nobody(platform: Platform) -> None:
    """Without a credential the answer comes before the body was taken in."""
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield bytes(10_000)

    async with platform.client(None) as client:
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = await client.post(PATH, content=endless(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_missing")
    assert read <= 1


@pytest.mark.parametrize(
    ("code", "status", "detail"),
    [
        ("no_face", 400, "No face detected in the image"),
        ("truncated_image", 400, "Invalid image format"),
        ("blur", 422, "What went wrong."),
        ("skin_not_visible", 422, "What went wrong."),
        ("internal_error", 500, "What went wrong."),
        ("serving_unavailable", 503, "What went wrong."),
    ],
)
async def test_a_failed_analysis_is_a_problem_with_its_code(
    platform: Platform, client: httpx.AsyncClient, code: str, status: int, detail: str
) -> None:
    """The contract's words where it has some, with what to do beside them; else the job's own."""
    analysis_id = await begun(client)
    await platform.fail(analysis_id, code)
    answer = await client.get(f"{PATH}/{analysis_id}")
    body = answer.json()
    assert (answer.status_code, body["code"], body["detail"]) == (status, code, detail)
    assert body["analysis_id"] == analysis_id
    assert status != 400 or body["advice"] == "What went wrong."


async def test_a_cancelled_analysis_is_a_conflict(platform: Platform, client: httpx.AsyncClient) -> None:
    """It has no result and never will have one."""
    analysis_id = await begun(client)
    async with platform.database.transaction() as transaction:
        await transaction.jobs.change(analysis_id, JobStatus.CANCELLED)
    answer = await client.get(f"{PATH}/{analysis_id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "analysis_cancelled")


async def sent_with_a_key(platform: Platform, client: httpx.AsyncClient) -> tuple[asyncio.Task[httpx.Response], str]:
    """A request under an Idempotency-Key that waits for its job; the job's id."""
    known = set(platform.database.state.jobs)
    files = {"image": ("me.jpg", PHOTO, "image/jpeg")}
    headers = {"Idempotency-Key": "once", "Prefer": "wait=60"}
    sent = asyncio.create_task(client.post(PATH, files=files, headers=headers))
    async with asyncio.timeout(60):
        while not platform.database.state.jobs.keys() - known:
            assert not sent.done(), sent.result().text
            await asyncio.sleep(0.01)
    [job_id] = platform.database.state.jobs.keys() - known
    return sent, job_id


async def test_what_was_cancelled_is_not_done_under_the_same_key(platform: Platform, client: httpx.AsyncClient) -> None:
    """Who repeats the request that was cancelled meanwhile is told so again, and no second analysis begins."""
    sent, job_id = await sent_with_a_key(platform, client)
    async with platform.database.transaction() as transaction:
        await transaction.jobs.change(job_id, JobStatus.CANCELLED)
    first = await sent
    files = {"image": ("me.jpg", PHOTO, "image/jpeg")}
    again = await client.post(PATH, files=files, headers={"Idempotency-Key": "once", "Prefer": "wait=60"})
    assert [(one.status_code, one.json()["code"]) for one in (first, again)] == [(409, "analysis_cancelled")] * 2
    assert again.headers["Idempotency-Replayed"] == "true"
    assert list(platform.database.state.jobs) == [job_id]


async def test_what_failed_for_a_while_may_be_tried_again_under_the_same_key(
    platform: Platform, client: httpx.AsyncClient
) -> None:
    """A job that failed with a 503 has ended: the next attempt begins another, which may succeed."""
    sent, job_id = await sent_with_a_key(platform, client)
    await platform.fail(job_id, "serving_unavailable")
    assert (await sent).status_code == 503
    again, another_id = await sent_with_a_key(platform, client)
    assert another_id != job_id
    await platform.complete(another_id)
    assert (await again).status_code == 200


async def test_an_analysis_that_was_erased_is_missing(platform: Platform, client: httpx.AsyncClient) -> None:
    """Its job may still be known for a moment."""
    analysis_id = await begun(client)
    await platform.complete(analysis_id)
    platform.database.state.analyses.clear()
    answer = await client.get(f"{PATH}/{analysis_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "analysis_not_found")


async def test_a_store_that_is_away_is_unavailable(platform: Platform, client: httpx.AsyncClient) -> None:
    """503 with Retry-After, no job, and the same request works once the store is back."""
    platform.object_store.go_away()
    answer = await send(client)
    assert (answer.status_code, answer.json()["code"]) == (503, "object_store_unavailable")
    assert not platform.database.state.jobs
    platform.object_store.come_back()
    assert (await send(client)).status_code == 202


class StoppingStore(MemoryObjectStore):
    """A store whose process is killed right before or right after its first write."""

    def __init__(self, *, after: bool) -> None:
        super().__init__()
        self._after = after

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        if self._after:
            await super().put(key, data, content_type)
        raise SystemExit


@pytest.mark.parametrize("after", [False, True])
async def test_wherever_it_is_killed_every_object_has_its_row(platform: Platform, *, after: bool) -> None:
    """What lies in the store belongs to a row that expires, so that a sweep finds it; no job waits for nothing."""
    platform.object_store = StoppingStore(after=after)
    async with platform.client(await platform.secret()) as client:
        with pytest.raises(SystemExit):
            await send(client)
    rows = platform.database.state.uploads
    assert platform.object_store.keys() <= {photo_key(upload_id) for upload_id in rows}
    assert [upload.state for upload in rows.values()] == [UploadState.EXPECTED]
    assert not platform.database.state.jobs
    assert not platform.database.state.outbox


async def test_many_photos_at_once_are_all_taken_in(platform: Platform, client: httpx.AsyncClient) -> None:
    """More than the door opens at a time: each gets its own analysis."""
    answers = await asyncio.gather(*(send(client) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["analysis_id"] for answer in answers}) == len(platform.database.state.jobs) == 8
