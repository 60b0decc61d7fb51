"""What tenants are told of what they called."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from mien_api import usage
from mien_api.usage import UsageMeter, usage_of
from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Rejected, Unavailable
from mien_core.model.platform import Caller
from mien_core.ports.database import Transaction
from tests.unit.api.conftest import NOW_HEADERS, Platform

NOWHERE = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
TENANT = Caller("acme", None)


async def told(platform: Platform, tenant: str = "acme", **days: str) -> list[dict[str, Any]]:
    """What a process that begins later tells; whoever asks is not yet in it."""
    async with platform.client(await platform.secret(tenant)) as client:
        answer = await client.get("/usage", params=days)
    assert answer.status_code == 200
    listed: list[dict[str, Any]] = answer.json()["days"]
    return listed


def numbers(days: list[dict[str, Any]]) -> dict[str, tuple[int, int, int]]:
    """Calls, errors and jobs by operation; a test that runs over midnight is still right."""
    found: dict[str, tuple[int, int, int]] = {}
    for day in days:
        operation = f"{day['method']} {day['route']}"
        so_far = found.get(operation, (0, 0, 0))
        found[operation] = (so_far[0] + day["calls"], so_far[1] + day["errors"], so_far[2] + day["jobs"])
    return found


async def test_calls_errors_and_jobs_are_counted_by_operation(platform: Platform) -> None:
    """Routes are templates; a job counts once however often it is asked for; what stops writes what it counted."""
    async with platform.client(await platform.secret()) as client:
        upload_ids = [await platform.uploaded(client) for _ in range(2)]
        for upload_id in (*upload_ids, upload_ids[0]):
            await client.post("/analyze", json={"uploadId": upload_id}, headers=NOW_HEADERS)
        await client.post("/analyze", json={"uploadId": NOWHERE})
        await client.get(f"/jobs/{NOWHERE}")
        await client.get("/api/health")
    assert numbers(await told(platform)) == {
        "POST /upload-url": (2, 0, 0),
        "POST /analyze": (4, 1, 2),
        "GET /jobs/{job_id}": (1, 1, 0),
    }
    assert numbers(await told(platform))["GET /usage"] == (1, 0, 0)


async def test_usage_is_a_tenants_own(platform: Platform) -> None:
    """A tenant reads of its own calls alone, and nobody's are those of strangers."""
    for tenant, calls in (("acme", 2), ("other", 3)):
        async with platform.client(await platform.secret(tenant)) as client:
            for _ in range(calls):
                await client.get(f"/jobs/{NOWHERE}")
    async with platform.client("mien_x") as stranger:
        await stranger.get(f"/jobs/{NOWHERE}")
    assert numbers(await told(platform))["GET /jobs/{job_id}"] == (2, 2, 0)
    assert numbers(await told(platform, "other"))["GET /jobs/{job_id}"] == (3, 3, 0)
    assert {count.of.tenant for count in platform.database.state.usage.values()} == {"acme", "other"}


async def test_a_bug_counts_as_an_error(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was answered 500 is a call that failed."""
    secret = await platform.secret()

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with platform.client(secret) as client:
        monkeypatch.setattr("mien_api.handlers.Handlers.job", broken)
        assert (await client.get(f"/jobs/{NOWHERE}")).status_code == 500
    assert numbers(await told(platform)) == {"GET /jobs/{job_id}": (1, 1, 0)}


async def test_the_answer_has_the_contracts_fields(platform: Platform, client: httpx.AsyncClient) -> None:
    """Besides the days, from and to say which days were meant: 30 up to today, unless others are asked for."""
    async with platform.client(await platform.secret()) as earlier:
        await earlier.get(f"/jobs/{NOWHERE}")
    before = datetime.now(UTC).date()
    body = (await client.get("/usage")).json()
    assert body["to"] in {str(before), str(before + timedelta(days=1))}
    assert date.fromisoformat(body["to"]) - date.fromisoformat(body["from"]) == timedelta(days=29)
    assert set(body["days"][0]) == {"date", "route", "method", "calls", "errors", "jobs"}
    assert (await client.get("/usage", params={"from": "2026-01-01", "to": "2026-01-01"})).json() == {
        "from": "2026-01-01",
        "to": "2026-01-01",
        "days": [],
    }


@pytest.mark.parametrize(
    ("days", "code"),
    [
        ({"from": "2026-02-02", "to": "2026-02-01"}, "days_reversed"),
        ({"from": "2099-01-01"}, "days_reversed"),
        ({"from": "2024-01-01", "to": "2025-01-01"}, "too_many_days"),
        ({"from": "yesterday"}, "invalid_request"),
        ({"from": "1700006400"}, "invalid_request"),
        ({"to": "2026-02-30"}, "invalid_request"),
        ({"to": ""}, "invalid_request"),
    ],
)
async def test_days_that_cannot_be_are_refused(client: httpx.AsyncClient, days: dict[str, str], code: str) -> None:
    """422 with a code of its own: reversed, more than a year, no dates."""
    answer = await client.get("/usage", params=days)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_year_and_the_ends_of_the_calendar_can_be_asked_for(client: httpx.AsyncClient) -> None:
    """366 days at once, the first day there is, the last one."""
    for days in (
        {"from": "2024-01-01", "to": "2024-12-31"},
        {"to": "1900-01-01"},
        {"from": "2099-12-31", "to": "2099-12-31"},
    ):
        assert (await client.get("/usage", params=days)).status_code == 200


async def test_a_users_credential_does_not_show_the_tenants_usage() -> None:
    """A tenant's numbers are nothing for its single users."""
    with pytest.raises(Rejected, match="tenant_credential_required"):
        await usage_of(MemoryDatabase(), Caller("acme", "anna"), None, None)


class Away(MemoryDatabase):
    """Can't be reached, as long as it is told so."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble: Exception | None = None
        self.tries = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self.tries += 1
        if self.trouble is not None:
            raise self.trouble
        async with super().transaction() as transaction:
            yield transaction


def answered(meter: UsageMeter, *job_ids: str, status: int = 200) -> None:
    class Route:
        path = "/analyze"

    state = {"caller": TENANT, "job_ids": list(job_ids)}
    meter.count({"type": "http", "method": "POST", "route": Route(), "state": state}, status)


async def total(database: MemoryDatabase) -> tuple[int, int, int]:
    _, _, counts = await usage_of(database, TENANT, None, None)
    return sum(c.calls for c in counts), sum(c.errors for c in counts), sum(c.jobs for c in counts)


async def test_what_cannot_be_written_is_kept() -> None:
    """Calls and jobs of a failed batch come with the next one, with what was counted meanwhile, once."""
    database, meter = Away(), UsageMeter()
    database.trouble = Unavailable("database_unavailable", "Away.")
    answered(meter, "one")
    with pytest.raises(Unavailable):
        await meter.flush(database)
    answered(meter, "two", status=500)
    database.trouble = None
    for _ in range(2):
        await meter.flush(database)
    assert await total(database) == (2, 1, 2)


@pytest.mark.parametrize("trouble", [Unavailable("database_unavailable", "Away."), ZeroDivisionError("a bug")])
async def test_writing_goes_on_after_trouble(monkeypatch: pytest.MonkeyPatch, trouble: Exception) -> None:
    """The database away or a bug: batches are tried again and again, and the rest is written at the end."""
    monkeypatch.setattr(usage, "FLUSH_SECONDS", 0.001)
    database, meter = Away(), UsageMeter()
    database.trouble = trouble
    async with meter.writing(database), asyncio.timeout(30):
        answered(meter)
        while database.tries < 3:  # noqa: ASYNC110 - tries are counted, and no event
            await asyncio.sleep(0.001)
        database.trouble = None
    assert await total(database) == (1, 0, 0)


async def test_without_calls_nothing_is_written() -> None:
    """A process that nobody calls costs the database nothing."""
    database, meter = Away(), UsageMeter()
    async with meter.writing(database):
        await meter.flush(database)
    assert database.tries == 0
