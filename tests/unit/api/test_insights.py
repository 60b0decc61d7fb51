"""Glow Cycle's insights: what a user is told of their own diary."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from mien_core.model.insights import Words
from mien_core.model.platform import JobKind, JobStatus
from mien_core.rules.load import Limits
from tests.unit.api.conftest import NOW_HEADERS, Platform

PATH = "/insights"
WORDS = Words("You slept well.", "summary", None)


async def asked(client: httpx.AsyncClient, user_id: str = "anna", **fields: Any) -> str:
    """Ask without waiting; the insight's id."""
    answer = await client.post(PATH, json={"userId": user_id, **fields}, headers=NOW_HEADERS)
    assert answer.status_code == 202, answer.text
    insight_id: str = answer.json()["insightId"]
    return insight_id


async def write(platform: Platform, insight_id: str, words: Words = WORDS) -> None:
    """Do what streams would."""
    async with platform.database.transaction() as transaction:
        await transaction.insights.write(insight_id, words)
        await transaction.jobs.change(insight_id, JobStatus.COMPLETED, timings={"writing": 3.0})


async def test_what_is_asked_for_is_a_job(platform: Platform, client: httpx.AsyncClient) -> None:
    """Without a photo, with an event that names the job alone; 202 says what the insight is going to be called."""
    answer = await client.post(PATH, json={"userId": "anna"}, headers=NOW_HEADERS)
    body = answer.json()
    [job] = platform.database.state.jobs.values()
    assert (job.kind, job.tenant, job.user_id, job.upload_id) == (JobKind.WRITE_INSIGHT, "acme", "anna", None)
    [(_, row)] = platform.database.state.outbox.values()
    assert (row.record.topic, row.record.key) == ("mien.insight-requested.v1", job.id.encode())
    assert b"anna" not in row.record.value
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/jobs/{job.id}")
    assert (body["insightId"], body["id"], body["uploadId"], body["kind"]) == (job.id, job.id, None, "write-insight")
    assert (await client.get(answer.headers["Location"])).json()["status"] == "created"
    assert (await client.get(f"{PATH}/anna")).json() == {"insights": [], "nextCursor": None}


async def test_who_waits_gets_the_insight(platform: Platform, client: httpx.AsyncClient) -> None:
    """With who wrote it, of which days, and what it is not."""
    body = {"userId": "anna", "from": "2026-11-01", "to": "2026-11-30"}
    waiting = asyncio.create_task(client.post(PATH, json=body, headers={"Prefer": "wait=30"}))
    while not platform.database.state.jobs:  # noqa: ASYNC110 - the request has no event to wait for
        await asyncio.sleep(0.005)
    [job_id] = platform.database.state.jobs
    await write(platform, job_id)
    answer = await waiting
    shown = answer.json()
    assert answer.status_code == 200, answer.text
    assert datetime.fromisoformat(shown.pop("createdAt")).tzinfo is not None
    notice = shown.pop("notice")
    assert "without a language model" in notice
    assert "not for contraception" in notice
    assert shown == {
        "insightId": job_id,
        "userId": "anna",
        "text": "You slept well.",
        "engine": "summary",
        "model": None,
        "from": "2026-11-01",
        "to": "2026-11-30",
    }
    assert answer.headers["Preference-Applied"] == "wait=30"
    assert "writing;dur=3.0" in answer.headers["Server-Timing"]


async def test_a_language_models_words_are_called_so(platform: Platform, client: httpx.AsyncClient) -> None:
    """Engine, model and notice say that a machine wrote them."""
    await write(platform, await asked(client), Words("You slept well.", "bedrock", "anthropic.claude"))
    [shown] = (await client.get(f"{PATH}/anna")).json()["insights"]
    assert (shown["engine"], shown["model"]) == ("bedrock", "anthropic.claude")
    assert "(AI)" in shown["notice"]


async def test_without_days_the_last_ones_are_meant(platform: Platform, client: httpx.AsyncClient) -> None:
    """Thirty, up to UTC's today."""
    before = datetime.now(UTC).date()
    await asked(client)
    [insight] = platform.database.state.asked_insights.values()
    assert before <= insight.span.last <= datetime.now(UTC).date()
    assert insight.span.first == insight.span.last - timedelta(days=29)


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [("2026-11-02", "2026-11-01", "days_reversed"), ("1900-01-01", "2099-12-31", "too_many_days")],
)
async def test_days_that_make_no_span_are_refused(
    platform: Platform, client: httpx.AsyncClient, first: str, last: str, code: str
) -> None:
    """The wrong way round, and more than a year."""
    answer = await client.post(PATH, json={"userId": "anna", "from": first, "to": last})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert not platform.database.state.jobs


@pytest.mark.parametrize("day", [date(1900, 1, 1), date(2099, 12, 31)])
async def test_the_ends_of_time_are_days(client: httpx.AsyncClient, day: date) -> None:
    """No date that is taken makes one that isn't."""
    await asked(client, to=str(day))
    await asked(client, **{"from": str(day), "to": str(day)})


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/userId"),
        ({"userId": "anna", "from": "soon"}, "/from"),
        ({"userId": "anna", "to": 7}, "/to"),
        ({"userId": ["anna"]}, "/userId"),
    ],
)
async def test_a_wrong_field_is_pointed_at(client: httpx.AsyncClient, body: dict[str, Any], pointer: str) -> None:
    """Under the name that the frontend knows."""
    answer = await client.post(PATH, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_lists_are_newest_first_in_pages(platform: Platform, client: httpx.AsyncClient) -> None:
    """Laid together they are the user's whole list; a cursor of another list or user is none."""
    ids = [await asked(client) for _ in range(3)]
    for insight_id in [*ids, await asked(client, "berta")]:
        await write(platform, insight_id)
    await asked(client)
    found, cursor = [], ""
    while cursor is not None:
        page = (await client.get(f"{PATH}/anna", params={"limit": 2, "cursor": cursor})).json()
        found += [one["insightId"] for one in page["insights"]]
        last, cursor = cursor, page["nextCursor"]
    assert found == ids[::-1]
    for path in (f"{PATH}/berta", "/skin/user/anna"):
        answer = await client.get(path, params={"cursor": last})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(("code", "status"), [("bedrock_unavailable", 503), ("deadline_exceeded", 503)])
async def test_a_failed_insight_is_a_problem_with_its_code(
    platform: Platform, client: httpx.AsyncClient, code: str, status: int
) -> None:
    """Whoever waits is told why."""
    waiting = asyncio.create_task(client.post(PATH, json={"userId": "anna"}, headers={"Prefer": "wait=30"}))
    while not platform.database.state.jobs:  # noqa: ASYNC110 - the request has no event to wait for
        await asyncio.sleep(0.005)
    [job_id] = platform.database.state.jobs
    await platform.fail(job_id, code)
    answer = await waiting
    assert (answer.status_code, answer.json()["code"], answer.json()["insightId"]) == (status, code, job_id)


async def test_a_cancelled_insight_is_a_conflict(platform: Platform, client: httpx.AsyncClient) -> None:
    """Who waits for it is told so."""
    waiting = asyncio.create_task(client.post(PATH, json={"userId": "anna"}, headers={"Prefer": "wait=30"}))
    while not platform.database.state.jobs:  # noqa: ASYNC110 - the request has no event to wait for
        await asyncio.sleep(0.005)
    [job_id] = platform.database.state.jobs
    await client.delete(f"/jobs/{job_id}")
    answer = await waiting
    assert (answer.status_code, answer.json()["code"]) == (409, "insight_cancelled")


async def test_the_key_must_cover_the_cycle(platform: Platform) -> None:
    """Another application's key is refused on both paths."""
    async with platform.client(await platform.secret(scopes="skin,glam")) as client:
        for answer in (await client.post(PATH, json={"userId": "anna"}), await client.get(f"{PATH}/anna")):
            assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_too_many_at_once_are_sent_away(platform: Platform) -> None:
    """503 with Retry-After, while photos, which wait for others, are still taken."""
    platform.limits = Limits(open_jobs=1)
    async with platform.client(await platform.secret()) as client:
        await asked(client)
        answer = await client.post(PATH, json={"userId": "anna"}, headers=NOW_HEADERS)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        photo = await client.post("/upload-url", json={"contentType": "image/jpeg", "contentLength": 4})
        assert photo.status_code == 200


async def test_a_repeat_under_its_key_is_one_insight(platform: Platform, client: httpx.AsyncClient) -> None:
    """The same request under the same key is done once."""
    headers = {"Idempotency-Key": "once", **NOW_HEADERS}
    answers = [await client.post(PATH, json={"userId": "anna"}, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(platform.database.state.jobs) == len(platform.database.state.outbox) == 1
