"""Jobs as every frontend meets them: look, cancel."""

import asyncio

import httpx

from mien_core.model.platform import JobStatus
from tests.unit.api.conftest import NOW_HEADERS, Platform


async def begun(platform: Platform, client: httpx.AsyncClient) -> tuple[str, str]:
    """An upload whose analysis was begun; upload and job."""
    upload_id = await platform.uploaded(client)
    answer = await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)
    return upload_id, answer.json()["id"]


async def test_a_cancelled_job_is_shown_as_it_is_from_then_on(platform: Platform, client: httpx.AsyncClient) -> None:
    """The answer is the job, at once, and every later look says the same; a second time changes nothing."""
    _, job_id = await begun(platform, client)
    answer = await client.delete(f"/jobs/{job_id}")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["error"]) == ("cancelled", None)
    assert [step["status"] for step in answer.json()["steps"]] == ["created", "cancelled"]
    assert (await client.get(f"/jobs/{job_id}")).json() == answer.json()
    again = await client.delete(f"/jobs/{job_id}")
    assert (again.status_code, again.json()) == (200, answer.json())


async def test_two_who_cancel_at_once_cancel_once(platform: Platform, client: httpx.AsyncClient) -> None:
    """Both are told so, and the job has one end."""
    _, job_id = await begun(platform, client)
    answers = await asyncio.gather(*(client.delete(f"/jobs/{job_id}") for _ in range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len(answers[0].json()["steps"]) == 2
    assert all(answer.json() == answers[0].json() for answer in answers)


async def test_what_has_ended_can_not_be_cancelled(platform: Platform, client: httpx.AsyncClient) -> None:
    """A result or a failure stays, and whoever cancels is told that there is one."""
    _, completed = await begun(platform, client)
    await platform.complete(completed)
    _, failed = await begun(platform, client)
    await platform.fail(failed, "no_face")
    for job_id, status in [(completed, "completed"), (failed, "failed")]:
        answer = await client.delete(f"/jobs/{job_id}")
        assert (answer.status_code, answer.json()["code"]) == (409, "job_already_ended")
        assert (await client.get(f"/jobs/{job_id}")).json()["status"] == status


async def test_a_strangers_job_can_not_be_cancelled(platform: Platform, client: httpx.AsyncClient) -> None:
    """It looks as if there were none, and goes on."""
    _, job_id = await begun(platform, client)
    async with platform.client(await platform.secret("other")) as stranger:
        answer = await stranger.delete(f"/jobs/{job_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
    assert platform.database.state.jobs[job_id].status is JobStatus.CREATED


async def test_whoever_waits_for_a_job_hears_of_its_cancellation(platform: Platform, client: httpx.AsyncClient) -> None:
    """A held POST answers at once that there will be no analysis, and so does every later one."""
    upload_id, job_id = await begun(platform, client)
    waiting = asyncio.create_task(client.post("/analyze", json={"uploadId": upload_id}))
    await client.delete(f"/jobs/{job_id}")
    for answer in (await waiting, await client.post("/analyze", json={"uploadId": upload_id})):
        assert (answer.status_code, answer.json()["code"]) == (409, "analysis_cancelled")
    assert (await client.get(f"/look/{upload_id}")).json()["status"] == "cancelled"
