"""What every answer has: ids, problems, logs, metrics, CORS; and the health of what is behind."""

import logging
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_api.preferences import wait_seconds
from mien_api.request_ids import choose_request_id
from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Unavailable
from mien_core.ports.messages import Record
from tests.unit.api.conftest import Platform

PATHS = {
    "/upload-url",
    "/analyze",
    "/look/{upload_id}",
    "/v1/analyze/skin",
    "/v1/analyze/skin/{analysis_id}",
    "/looks/save",
    "/looks/{user_id}",
    "/journal",
    "/journal/{entry_id}",
    "/journal/user/{user_id}",
    "/period",
    "/period/{period_id}",
    "/period/user/{user_id}",
    "/period/predictions/{user_id}",
    "/skin",
    "/skin/{scan_id}",
    "/skin/user/{user_id}",
    "/skin/analyze",
    "/skin/analyze/{scan_id}",
    "/insights",
    "/insights/{user_id}",
    "/api/tryon/sessions",
    "/api/tryon/sessions/{session_id}",
    "/jobs/{job_id}",
    "/usage",
    "/users/{user_id}",
    "/users/{user_id}/export",
    "/user",
    "/movie-poster-api-design",
    "/history",
    "/pay",
    "/jobs/{job_id}/events",
    "/webhooks",
    "/webhooks/{webhook_id}",
    "/webhooks/{webhook_id}/rotate",
    "/webhooks/{webhook_id}/test",
    "/api/health",
}


async def test_a_well_formed_request_id_is_kept(client: httpx.AsyncClient) -> None:
    """The client's id comes back on the answer."""
    answer = await client.get("/api/health", headers={"X-Request-ID": "abc-123.x_Y"})
    assert answer.headers["X-Request-ID"] == "abc-123.x_Y"


@given(st.text(max_size=200))
def test_what_is_logged_as_request_id_is_harmless(proposed: str) -> None:
    """Whatever a client proposes, the id in use is 1 to 128 harmless characters: no line breaks into the log."""
    chosen = choose_request_id(proposed)
    assert 1 <= len(chosen) <= 128
    assert chosen.isascii()
    assert all(character.isalnum() or character in "._-" for character in chosen)


async def test_errors_are_problems(client: httpx.AsyncClient) -> None:
    """An unknown route, a wrong method, a body that is no JSON and wrong fields: all problem+json with the id."""
    cases = [
        (await client.get("/nowhere"), 404, "route_not_found"),
        (await client.get("/analyze"), 405, "method_not_allowed"),
        (
            await client.post("/analyze", content=b"{", headers={"Content-Type": "application/json"}),
            400,
            "malformed_json",
        ),
        (await client.post("/analyze", json={"uploadId": "x"}), 422, "invalid_request"),
        (await client.get("/look/x"), 422, "invalid_request"),
    ]
    for answer, status, code in cases:
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert set(problem) >= {"type", "title", "status", "detail", "code", "request_id"}
        assert problem["request_id"] == answer.headers["X-Request-ID"]
        assert problem["status"] == status


async def test_allow_names_every_method_of_the_path(client: httpx.AsyncClient) -> None:
    """RFC 9110 wants all of them on a 405, whichever route has which."""
    answer = await client.request("PATCH", "/journal/6f9619ff-8b86-d011-b42d-00cf4fc964ff")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "DELETE, GET, PUT")
    for path in ("/journal", "/looks/save", "/skin/analyze"):
        assert (await client.request("OPTIONS", path)).headers["Allow"] == "POST"


async def test_a_validation_problem_points_at_the_field(client: httpx.AsyncClient) -> None:
    """errors[] holds JSON pointers into the body."""
    answer = await client.post("/upload-url", json={"contentType": "image/jpeg"})
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/contentLength"]


async def test_too_large_a_body_is_refused(client: httpx.AsyncClient) -> None:
    """413 whether the length is announced or the bytes just keep coming."""
    large = b'{"uploadId": "' + b"x" * 100_000 + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 1000):
            yield large[start : start + 1000]

    for content in (large, chunks()):
        answer = await client.post("/analyze", content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


class BrokenDatabase(MemoryDatabase):
    """Has a bug."""

    def reading(self):  # type: ignore[no-untyped-def]  # noqa: ANN201 - it never returns
        raise ZeroDivisionError


async def test_a_bug_is_a_500_that_says_nothing(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    """The client gets an id and no internals; the log gets the trace, once, under that id."""
    platform.database = BrokenDatabase()
    async with platform.client("mien_x") as client:
        answer = await client.post("/analyze", json={"uploadId": "6f9619ff-8b86-d011-b42d-00cf4fc964ff"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "ZeroDivision" not in answer.text
    assert answer.headers["X-Request-ID"] == answer.json()["request_id"]
    assert len([record for record in caplog.records if record.exc_info]) == 1


async def test_each_request_logs_two_lines(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    """The first names method, path and client, the second status and seconds, both the request; no query string.

    Each of them is a field of its own besides.
    """
    with caplog.at_level(logging.INFO, "mien_api.requests"):
        await client.get("/look/x?secret=42", headers={"X-Request-ID": "abc-123"})
    first, second = [record for record in caplog.records if record.name == "mien_api.requests"]
    assert first.getMessage() == "[abc-123] GET /look/x - Client: 192.0.2.7"
    assert re.match(r"\[abc-123\] Completed 422 in \d+\.\d{3}s$", second.getMessage())
    assert {"method": "GET", "path": "/look/x", "client": "192.0.2.7"}.items() <= vars(first).items()
    assert {"status": 422, "route": "/look/{upload_id}"}.items() <= vars(second).items()
    # the test's own client may log the URL that it asks for
    assert not [record for record in caplog.records if record.name != "httpx" and "secret" in record.getMessage()]


async def test_metrics_count_by_route_not_by_path(client: httpx.AsyncClient) -> None:
    """One series per route: ids in paths make none."""
    await client.get("/jobs/6f9619ff-8b86-d011-b42d-00cf4fc964ff")
    text = (await client.get("/metrics")).text
    assert 'mien_http_requests_total{method="GET",route="/jobs/{job_id}",status="404"}' in text
    assert "6f9619ff" not in text


async def test_the_frontends_origin_may_call(client: httpx.AsyncClient) -> None:
    """The configured origin passes the preflight and may read the headers that it needs; another one may not."""
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,prefer"}
    mine = await client.options("/analyze", headers={**preflight, "Origin": "http://localhost:3000"})
    other = await client.options("/analyze", headers={**preflight, "Origin": "http://evil.test"})
    assert mine.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert "Access-Control-Allow-Origin" not in other.headers
    answer = await client.get("/api/health", headers={"Origin": "http://localhost:3000"})
    assert "Location" in answer.headers["Access-Control-Expose-Headers"]


async def test_the_frontends_page_may_read_every_answer(platform: Platform) -> None:
    """A bug and a body that is too long are told to the page, and not hidden as an error of CORS."""
    origin = {"Origin": "http://localhost:3000"}
    async with platform.client(f"Bearer {await platform.secret()}") as client:
        too_large = await client.post("/analyze", content=b"x" * 100_000, headers=origin)
    platform.database = BrokenDatabase()
    async with platform.client("mien_x") as client:
        bug = await client.get("/look/6f9619ff-8b86-d011-b42d-00cf4fc964ff", headers=origin)
    assert [too_large.status_code, bug.status_code] == [413, 500]
    for answer in (too_large, bug):
        assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
        assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]
        assert answer.headers["X-Request-ID"] == answer.json()["request_id"]


async def test_health_names_what_is_away(platform: Platform) -> None:
    """200 while all is well, 503 naming the dependency that isn't; no credential is needed."""
    async with platform.client(None) as client:
        well = await client.get("/api/health")
        platform.object_store.go_away()
        ill = await client.get("/api/health")
    assert (well.status_code, well.json()["status"]) == (200, "ok")
    assert set(well.json()["dependencies"]) == {"postgres", "object_store", "pipeline"}
    assert (ill.status_code, ill.json()["status"]) == (503, "degraded")
    assert ill.json()["dependencies"]["object_store"] == "unavailable"
    assert ill.headers["Retry-After"]


async def test_health_notices_a_stalled_pipeline(platform: Platform) -> None:
    """An event that nobody publishes for half a minute means that work isn't being done."""
    async with platform.database.transaction() as transaction:
        await transaction.outbox.add(Record("topic", b"", b"", ()), delay_seconds=-60)
    async with platform.client(None) as client:
        answer = await client.get("/api/health")
    assert (answer.status_code, answer.json()["dependencies"]["pipeline"]) == (503, "stalled")


class AwayDatabase(MemoryDatabase):
    """Can't be reached."""

    async def check(self) -> None:
        raise Unavailable("database_unavailable", "Away.")


async def test_health_notices_a_database_that_is_away(platform: Platform) -> None:
    """The check of the database is part of the answer."""
    platform.database = AwayDatabase()
    async with platform.client(None) as client:
        answer = await client.get("/api/health")
    assert answer.json()["dependencies"]["postgres"] == "unavailable"


async def test_the_contract_is_published(client: httpx.AsyncClient) -> None:
    """OpenAPI lists the operations and their credential; the human docs are there."""
    document = (await client.get("/openapi.json")).json()
    assert set(document["paths"]) >= PATHS
    assert document["paths"]["/analyze"]["post"]["security"]
    form = document["paths"]["/v1/analyze/skin"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert form["schema"]["required"] == ["image"]
    assert "dark_circles" in document["components"]["schemas"]["MetricsBody"]["properties"]
    assert (await client.get("/api/docs")).status_code == 200


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, 30.0),
        ("", 30.0),
        ("wait=5", 5.0),
        ("Wait = 5", 5.0),
        ('wait="5"', 5.0),
        ("respond-async, wait=10", 10.0),
        ("respond-async", 0.0),
        ("wait=3, wait=9", 3.0),
        ("wait=100000", 120.0),
        ("wait=soon", 30.0),
        ("return=minimal", 30.0),
        ("wait=4; foo=bar", 4.0),
    ],
)
def test_prefer_is_read_as_rfc_7240_has_it(prefer: str | None, seconds: float) -> None:
    """Wait is bounded, the first counts, unknown and unreadable preferences are ignored."""
    assert wait_seconds(prefer, default=30.0, longest=120.0) == seconds
