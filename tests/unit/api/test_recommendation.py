"""GlamAI's recommended looks, and the announcement for older clients."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from mien_core.model.keys import original_key
from mien_core.model.platform import JobError, JobKind, JobStatus
from tests.makers import new_job, new_recommendation
from tests.unit.api.conftest import NOW_HEADERS, Platform

ANNOUNCED = {"contentType": "image/jpeg", "contentLength": "4"}
# to the letter as the contract has it
SHOWN = {
    "engine": "ranker",
    "looks": [
        {
            "name": "Soft evening",
            "reason": "Warm colours.",
            "presets": [
                {"category": "lipstick", "color": "#A4414B", "finish": "satin", "intensity": 0.7, "assetId": None}
            ],
            "products": [
                {
                    "productId": "lip-017",
                    "name": "Velvet",
                    "shade": {"name": "Rosewood", "hex": "#A4414B"},
                    "url": "https://shop.example/lip-017",
                    "reason": "It is warm.",
                }
            ],
        }
    ],
}


async def save(platform: Platform, upload_id: str, job_id: str) -> None:
    async with platform.database.transaction() as transaction:
        upload = await transaction.uploads.get(upload_id)
        assert upload is not None
        await transaction.recommendations.save(new_recommendation(upload, job_id))


async def end(platform: Platform, job_id: str, status: JobStatus) -> None:
    error = JobError("refused", "The engine refuses.") if status is JobStatus.FAILED else None
    async with platform.database.transaction() as transaction:
        await transaction.jobs.change(job_id, status, error=error)


async def begun(platform: Platform, client: httpx.AsyncClient) -> tuple[str, str]:
    """A photo whose analysis has begun; its id and the job's."""
    upload_id = await platform.uploaded(client)
    answer = await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)
    return upload_id, answer.json()["id"]


async def left_to_the_agent(platform: Platform, client: httpx.AsyncClient) -> tuple[str, str, str]:
    """A photo whose face was analysed and whose looks are a job of their own; the ids of photo, analysis and looks."""
    upload_id, job_id = await begun(platform, client)
    await platform.complete(job_id)
    async with platform.database.transaction() as transaction:
        upload = await transaction.uploads.get(upload_id)
        assert upload is not None
        own, _ = await transaction.jobs.create(new_job(upload, kind=JobKind.RECOMMEND_LOOKS))
    return upload_id, job_id, own.id


async def get(client: httpx.AsyncClient, path: str, **params: str) -> dict[str, Any]:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_an_analysis_comes_with_its_looks(platform: Platform, client: httpx.AsyncClient) -> None:
    """In POST /analyze, in the look, and alone, in the contract's words."""
    upload_id, job_id = await begun(platform, client)
    await save(platform, upload_id, job_id)
    await platform.complete(job_id)
    analysed = (await client.post("/analyze", json={"uploadId": upload_id})).json()
    assert (analysed["status"], analysed["jobId"], analysed["recommendation"]) == ("completed", job_id, SHOWN)
    assert (await get(client, f"/look/{upload_id}"))["recommendation"] == SHOWN
    alone = await get(client, "/get-recommendation", uploadId=upload_id)
    assert alone == {"uploadId": upload_id, "recommendation": SHOWN}


async def test_there_are_no_looks_before_there_are_some(platform: Platform, client: httpx.AsyncClient) -> None:
    """Null while the photo is being analysed, and after an analysis that nothing was recommended for."""
    upload_id, job_id = await begun(platform, client)
    assert (await get(client, "/get-recommendation", uploadId=upload_id))["recommendation"] is None
    await platform.complete(job_id)
    assert (await get(client, "/get-recommendation", uploadId=upload_id))["recommendation"] is None
    look = await get(client, f"/look/{upload_id}")
    assert (look["status"], look["recommendation"]) == ("completed", None)


async def test_a_waiting_analyze_waits_for_the_looks_too(platform: Platform, client: httpx.AsyncClient) -> None:
    """The face's analysis alone isn't the whole: the answer comes with the looks, under the analysis' job."""
    upload_id, job_id, own = await left_to_the_agent(platform, client)
    look = await get(client, f"/look/{upload_id}")
    assert (look["status"], look["recommendation"]) == ("processing", None)
    assert look["face"] is not None
    waiting = asyncio.create_task(client.post("/analyze", json={"uploadId": upload_id}))
    await save(platform, upload_id, own)
    await end(platform, own, JobStatus.COMPLETED)
    answer = await waiting
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["status"], body["jobId"], body["recommendation"]) == ("completed", job_id, SHOWN)


async def test_a_wait_that_ends_before_the_looks_gives_their_job(platform: Platform, client: httpx.AsyncClient) -> None:
    """202: Location is the job that is still open, and the look shows what there is."""
    upload_id, _, own = await left_to_the_agent(platform, client)
    answer = await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/jobs/{own}")
    assert (answer.json()["id"], answer.json()["kind"]) == (own, "recommend-looks")
    assert await get(client, answer.headers["Location"]) == answer.json()


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED])
async def test_looks_that_come_to_nothing_leave_the_analysis(
    platform: Platform, client: httpx.AsyncClient, status: JobStatus
) -> None:
    """completed, with all its other parts and a recommendation that is null; whoever waited is told the same."""
    upload_id, job_id, own = await left_to_the_agent(platform, client)
    waiting = asyncio.create_task(client.post("/analyze", json={"uploadId": upload_id}))
    await end(platform, own, status)
    answer = await waiting
    assert answer.status_code == 200, answer.text
    for body in (answer.json(), await get(client, f"/look/{upload_id}")):
        assert (body["status"], body["jobId"], body["recommendation"]) == ("completed", job_id, None)
        assert (body["face"]["faceCount"], body["error"]) == (1, None)
    assert (await get(client, "/get-recommendation", uploadId=upload_id))["recommendation"] is None


async def test_a_failed_analysis_waits_for_no_looks(platform: Platform, client: httpx.AsyncClient) -> None:
    """The problem comes at once."""
    upload_id, job_id = await begun(platform, client)
    await platform.fail(job_id, "no_face")
    answer = await client.post("/analyze", json={"uploadId": upload_id})
    assert (answer.status_code, answer.json()["code"]) == (422, "no_face")


async def test_nobody_sees_the_looks_of_others(platform: Platform, client: httpx.AsyncClient) -> None:
    """404 for an unknown upload, another tenant's, and one that nobody asked about; 422 for what is no id."""
    upload_id, job_id = await begun(platform, client)
    await save(platform, upload_id, job_id)
    silent = await platform.uploaded(client)
    for asked, code in ((str(uuid4()), "upload_not_found"), (silent, "analysis_not_found")):
        answer = await client.get("/get-recommendation", params={"uploadId": asked})
        assert (answer.status_code, answer.json()["code"]) == (404, code)
    async with platform.client(await platform.secret("other")) as other:
        answer = await other.get("/get-recommendation", params={"uploadId": upload_id})
    assert (answer.status_code, answer.json()["code"]) == (404, "upload_not_found")
    for params in ({}, {"uploadId": "x"}):
        answer = await client.get("/get-recommendation", params=params)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/uploadId")


async def test_older_clients_announce_by_query(platform: Platform, client: httpx.AsyncClient) -> None:
    """The same answer and the same row as of POST /upload-url, a new one each time, and no copy is kept anywhere."""
    params = {**ANNOUNCED, "purpose": "skin", "userId": "anna", "consent": "true"}
    answers = [await client.get("/get-presigned-url", params=params) for _ in range(2)]
    ids = set()
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        body = answer.json()
        assert set(body) == {"uploadId", "uploadUrl", "method", "headers", "expiresIn"}
        sent = await platform.object_store.accept(body["uploadUrl"], body["method"], body["headers"], b"jpeg")
        assert sent.status == 200
        assert await platform.object_store.get(original_key(body["uploadId"])) == b"jpeg"
        ids.add(body["uploadId"])
    assert len(ids) == 2
    uploads = [platform.database.state.uploads[upload_id] for upload_id in ids]
    assert {(one.tenant, one.user_id, one.purpose, one.consent) for one in uploads} == {
        ("acme", "anna", "skin", "given")
    }


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({**ANNOUNCED, "contentType": "image/gif"}, 422, "unsupported_content_type"),
        ({**ANNOUNCED, "contentLength": str(11 * 1024 * 1024)}, 422, "photo_too_large"),
        ({**ANNOUNCED, "contentLength": "0"}, 422, "invalid_request"),
        ({**ANNOUNCED, "contentLength": "many"}, 422, "invalid_request"),
        ({**ANNOUNCED, "purpose": "passport"}, 422, "invalid_request"),
        ({**ANNOUNCED, "userId": "a\x00b"}, 422, "invalid_request"),
        ({**ANNOUNCED, "consent": "false"}, 403, "consent_required"),
        ({"contentType": "image/jpeg"}, 422, "invalid_request"),
    ],
)
async def test_what_is_refused_by_body_is_refused_by_query(
    platform: Platform, client: httpx.AsyncClient, params: dict[str, str], status: int, code: str
) -> None:
    """Each with the code that POST /upload-url has for it, and no row is left."""
    answer = await client.get("/get-presigned-url", params=params)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not platform.database.state.uploads


async def test_consent_that_is_required_is_required_by_query(platform: Platform) -> None:
    """403 without it."""
    platform.consent_required = True
    async with platform.client(await platform.secret()) as client:
        for consent, status in ((None, 403), ("true", 200)):
            params = ANNOUNCED if consent is None else {**ANNOUNCED, "consent": consent}
            assert (await client.get("/get-presigned-url", params=params)).status_code == status
