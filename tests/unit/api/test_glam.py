"""GlamAI's endpoints: announce, analyse, look."""

import asyncio
from uuid import uuid4

import httpx
import pytest

from mien_core.intake import start_analysis
from mien_core.model.keys import original_key
from mien_core.model.platform import UploadState
from tests.makers import skin_report
from tests.unit.api.conftest import NOW_HEADERS, Platform


async def test_an_upload_url_takes_the_announced_bytes(platform: Platform, client: httpx.AsyncClient) -> None:
    """The URL, method and headers of the answer are all that it takes to send the photo."""
    answer = await client.post("/upload-url", json={"contentType": "image/png", "contentLength": 3})
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"uploadId", "uploadUrl", "method", "headers", "expiresIn"}
    sent = await platform.object_store.accept(body["uploadUrl"], body["method"], body["headers"], b"png")
    assert sent.status == 200
    assert await platform.object_store.get(original_key(body["uploadId"])) == b"png"


async def test_an_upload_remembers_user_purpose_and_consent(platform: Platform, client: httpx.AsyncClient) -> None:
    """What the client announces is what the row says; the bytes are expected, not yet received."""
    announced = {
        "contentType": "image/webp",
        "contentLength": 10,
        "purpose": "skin",
        "userId": "anna",
        "consent": True,
    }
    upload_id = (await client.post("/upload-url", json=announced)).json()["uploadId"]
    upload = platform.database.state.uploads[upload_id]
    assert (upload.tenant, upload.user_id, upload.purpose, upload.consent) == ("acme", "anna", "skin", "given")
    assert upload.state is UploadState.EXPECTED


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"contentType": "image/gif", "contentLength": 10}, "unsupported_content_type"),
        ({"contentType": "text/html", "contentLength": 10}, "unsupported_content_type"),
        ({"contentType": "image/jpeg", "contentLength": 11 * 1024 * 1024}, "photo_too_large"),
        ({"contentType": "image/jpeg", "contentLength": 0}, "invalid_request"),
        ({"contentType": "image/jpeg"}, "invalid_request"),
        ({"contentType": "image/jpeg", "contentLength": 10, "purpose": "passport"}, "invalid_request"),
        ({"contentType": "image/jpeg", "contentLength": 10, "userId": "a\x00b"}, "invalid_request"),
    ],
)
async def test_what_can_never_be_analysed_is_refused_before_a_byte_is_sent(
    client: httpx.AsyncClient, platform: Platform, body: dict[str, object], code: str
) -> None:
    """Each wrong announcement has its own code, and leaves no row."""
    answer = await client.post("/upload-url", json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == code
    assert not platform.database.state.uploads


async def test_ten_megabytes_are_accepted(client: httpx.AsyncClient) -> None:
    """The limit itself is within the limit."""
    answer = await client.post("/upload-url", json={"contentType": "image/jpeg", "contentLength": 10 * 1024 * 1024})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("required", "consent", "status"),
    [
        (False, None, 200),
        (False, True, 200),
        (False, False, 403),
        (True, None, 403),
        (True, False, 403),
        (True, True, 200),
    ],
)
async def test_no_analysis_without_consent(
    platform: Platform, *, required: bool, consent: bool | None, status: int
) -> None:
    """Where consent is required it must come with the upload; an explicit no is always respected."""
    platform.consent_required = required
    async with platform.client(await platform.secret()) as client:
        body = {"contentType": "image/jpeg", "contentLength": 10, "consent": consent}
        answer = await client.post("/upload-url", json=body)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "consent_required"


async def test_a_photo_that_was_taken_while_the_store_was_slow_is_not_missing(
    client: httpx.AsyncClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notification has begun the job, and serving replaced the original, before the store said that it is gone."""
    upload_id = await platform.uploaded(client)
    upload = platform.database.state.uploads[upload_id]
    begun = []

    async def slow_head(key: str) -> None:
        # the call has looked the job up by the time the store answers
        for _ in range(10):
            await asyncio.sleep(0)
        async with platform.database.transaction() as transaction:
            begun.append(await start_analysis(transaction, upload))
        await platform.object_store.delete(key)

    monkeypatch.setattr(platform.object_store, "head", slow_head)
    answer = await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)
    assert (answer.status_code, answer.json()["id"]) == (202, begun[0].id)


async def test_analyze_before_the_bytes_arrived_is_a_conflict(client: httpx.AsyncClient, platform: Platform) -> None:
    """Nothing starts for a photo that isn't there, and the detail says what to do."""
    announced = await client.post("/upload-url", json={"contentType": "image/jpeg", "contentLength": 4})
    answer = await client.post("/analyze", json={"uploadId": announced.json()["uploadId"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_not_received")
    assert "PUT" in answer.json()["detail"]
    assert not platform.database.state.jobs


async def test_an_upload_for_another_purpose_is_not_analysed_here(client: httpx.AsyncClient) -> None:
    """GlamAI analyses what was announced for it."""
    announced = await client.post(
        "/upload-url", json={"contentType": "image/jpeg", "contentLength": 4, "purpose": "skin"}
    )
    answer = await client.post("/analyze", json={"uploadId": announced.json()["uploadId"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "purpose_not_glam")


async def test_analyze_that_waits_no_longer_gives_the_job(client: httpx.AsyncClient, platform: Platform) -> None:
    """202 with the job and its Location; the event is in the outbox and the upload counts as received."""
    upload_id = await platform.uploaded(client)
    answer = await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)
    assert answer.status_code == 202
    job = answer.json()
    assert (job["status"], job["uploadId"]) == ("created", upload_id)
    assert answer.headers["Location"] == f"/jobs/{job['id']}"
    assert answer.headers["Preference-Applied"] == "wait=0"
    assert [row.record.topic for _, row in platform.database.state.outbox.values()] == ["mien.upload-received.v1"]
    assert platform.database.state.uploads[upload_id].state is UploadState.RECEIVED
    shown = await client.get(answer.headers["Location"])
    assert shown.json() == job


async def test_analyze_twice_is_one_job_and_one_event(client: httpx.AsyncClient, platform: Platform) -> None:
    """Whoever asks again joins the work that has begun."""
    upload_id = await platform.uploaded(client)
    answers = await asyncio.gather(
        *(client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS) for _ in range(5))
    )
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(platform.database.state.outbox) == 1


async def test_a_waiting_analyze_is_woken_by_the_end(client: httpx.AsyncClient, platform: Platform) -> None:
    """The answer is the analysis, in the contract's fields, as soon as the job has completed."""
    upload_id = await platform.uploaded(client)
    job_id = (await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)).json()["id"]
    waiting = asyncio.create_task(client.post("/analyze", json={"uploadId": upload_id}))
    await platform.complete(job_id)
    answer = await waiting
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["uploadId"], body["jobId"]) == ("completed", upload_id, job_id)
    assert set(body["face"]) == {"boundingBox", "confidence", "faceCount", "landmarks", "pose", "quality"}
    assert set(body["tone"]) == {"ita", "class", "monk", "undertone"}
    assert body["tone"]["monk"] == {"tone": 4, "deltaE": 2.1}
    assert body["skin"] == {
        "skinType": None,
        "conditions": ["dullness"],
        "probabilities": dict.fromkeys(body["skin"]["probabilities"], 0.2) | {"dullness": 0.61},
        "abstained": ["blackheads"],
        "skinScore": 79,
        "recommendedChapter": 5,
    }
    assert len(body["skin"]["probabilities"]) == 7
    assert body["recommendation"] is None
    assert body["notice"] == "An appearance measure, not a diagnosis."
    assert body["annotatedUrl"].startswith("memory://")
    assert "serving;dur=80.0" in answer.headers["Server-Timing"]
    assert (await client.get(f"/look/{upload_id}")).json()["face"] == body["face"]


async def test_an_analysis_of_hidden_skin_has_no_score(client: httpx.AsyncClient, platform: Platform) -> None:
    """A photo that shows none of the conditions has neither a perfect score nor a chapter."""
    upload_id = await platform.uploaded(client)
    job_id = (await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)).json()["id"]
    await platform.complete(job_id, skin=skin_report({}))
    skin = (await client.get(f"/look/{upload_id}")).json()["skin"]
    assert (skin["skinScore"], skin["recommendedChapter"], skin["conditions"]) == (None, None, [])
    assert len(skin["abstained"]) == 8


async def test_an_analysis_from_before_skin_was_measured_has_no_skin(
    client: httpx.AsyncClient, platform: Platform
) -> None:
    """Its other parts are shown as they were."""
    upload_id = await platform.uploaded(client)
    job_id = (await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)).json()["id"]
    await platform.complete(job_id, skin=None, etag=None, mask_keys={})
    look = (await client.get(f"/look/{upload_id}")).json()
    assert (look["skin"], look["face"]["faceCount"]) == (None, 1)


@pytest.mark.parametrize(
    ("code", "status"),
    [("no_face", 422), ("truncated_image", 422), ("internal_error", 500), ("serving_unavailable", 503)],
)
async def test_a_failed_analysis_is_a_problem_with_its_code(
    client: httpx.AsyncClient, platform: Platform, code: str, status: int
) -> None:
    """Whoever waits for a job that fails is told why; the look shows the same."""
    upload_id = await platform.uploaded(client)
    job_id = (await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)).json()["id"]
    await platform.fail(job_id, code)
    answer = await client.post("/analyze", json={"uploadId": upload_id})
    assert answer.status_code == status
    assert (answer.json()["code"], answer.json()["jobId"]) == (code, job_id)
    look = await client.get(f"/look/{upload_id}")
    assert (look.json()["status"], look.json()["error"]["code"]) == ("failed", code)
    assert look.json()["face"] is None


async def test_a_look_at_work_in_progress_has_null_parts(client: httpx.AsyncClient, platform: Platform) -> None:
    """What doesn't exist yet is null."""
    upload_id = await platform.uploaded(client)
    await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)
    body = (await client.get(f"/look/{upload_id}")).json()
    assert body["status"] == "created"
    assert [body[part] for part in ("face", "tone", "skin", "recommendation", "annotatedUrl", "error")] == [None] * 6


async def test_what_does_not_exist_is_missing(client: httpx.AsyncClient, platform: Platform) -> None:
    """Unknown ids are 404 with the code of the thing; an upload that nobody analysed has no look."""
    unknown = str(uuid4())
    analyze = await client.post("/analyze", json={"uploadId": unknown})
    look = await client.get(f"/look/{unknown}")
    job = await client.get(f"/jobs/{unknown}")
    fresh = await client.get(f"/look/{await platform.uploaded(client)}")
    answers = (analyze, look, job, fresh)
    assert [answer.status_code for answer in answers] == [404] * 4
    codes = [answer.json()["code"] for answer in answers]
    assert codes == ["upload_not_found", "upload_not_found", "job_not_found", "analysis_not_found"]


async def test_a_store_that_is_away_is_unavailable(client: httpx.AsyncClient, platform: Platform) -> None:
    """503 with Retry-After, and the same request works once the store is back."""
    upload_id = await platform.uploaded(client)
    platform.object_store.go_away()
    answer = await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)
    assert (answer.status_code, answer.json()["code"]) == (503, "object_store_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    platform.object_store.come_back()
    assert (await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)).status_code == 202


async def test_work_under_way_is_joined_without_the_store(client: httpx.AsyncClient, platform: Platform) -> None:
    """Only starting needs the store: a job that exists answers also while the store is away."""
    upload_id = await platform.uploaded(client)
    await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)
    platform.object_store.go_away()
    assert (await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)).status_code == 202
