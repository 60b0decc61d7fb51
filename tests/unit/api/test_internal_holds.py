"""What the operator asks for of legal holds and erasures, and what holds mean to users, over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.unit.api.conftest import Platform

HOLDS = "/internal/v1/holds"
ERASURES = "/internal/v1/erasures"
HOLD = {"name": "mien/case-7", "tenant": "acme", "userId": "anna", "reason": "A lawsuit."}
ERASURE = {"tenant": "acme", "userId": "anna", "requestedBy": "data-protection"}


@asynccontextmanager
async def operator(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with platform.client(await platform.secret("platform", "operator")) as client:
        yield client


async def test_what_is_held_is_kept_from_its_own_user(platform: Platform, client: httpx.AsyncClient) -> None:
    """Neither deleted nor written over nor erased: 409 with what to do; the rest goes on, and so it does afterwards."""
    entry = {"userId": "anna", "date": "2026-11-20", "text": "As it was."}
    path = f"/journal/{(await client.post('/journal', json=entry)).json()['entryId']}"
    async with operator(platform) as asking:
        hold = f"{HOLDS}/{uuid4()}"
        assert (await asking.put(hold, json={**HOLD, "dataClasses": ["journal"]})).is_success
        answers = [
            await client.delete(path),
            await client.put(path, json={**entry, "text": "As it never was."}),
            await client.delete("/users/anna"),
        ]
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "legal_hold")] * 3
        assert "Ask whoever runs this platform" in answers[0].json()["detail"]
        assert (await client.get(path)).json()["text"] == "As it was."
        assert (await client.post("/journal", json=entry)).is_success
        assert (await asking.delete(hold)).json()["userId"] is None
    assert (await client.delete(path)).status_code == 204
    assert (await client.delete("/users/anna")).status_code == 202


async def test_holds_are_listed_page_by_page(platform: Platform) -> None:
    """Those that stand, each once."""
    async with operator(platform) as asking:
        ids = sorted(str(uuid4()) for _ in range(5))
        for hold_id in ids:
            assert (await asking.put(f"{HOLDS}/{hold_id}", json=HOLD)).is_success
        await asking.delete(f"{HOLDS}/{ids[2]}")
        found, cursor = [], ""
        while cursor is not None:
            page = (await asking.get(HOLDS, params={"limit": "2", "cursor": cursor})).json()
            found += [hold["id"] for hold in page["holds"]]
            cursor = page["nextCursor"]
        assert found == [*ids[:2], *ids[3:]]
        lifted = (await asking.get(f"{HOLDS}/{ids[2]}")).json()
        assert lifted["releasedAt"] is not None
        assert (await asking.get(f"{HOLDS}/{uuid4()}")).json()["code"] == "hold_not_found"


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (HOLDS, {"userId": "anna@mail.example"}),
        (HOLDS, {"dataClasses": []}),
        (HOLDS, {"dataClasses": ["faces"]}),
        (HOLDS, {"reason": ""}),
        (ERASURES, {"userId": "anna@mail.example"}),
        (ERASURES, {"requestedBy": "anna@mail.example"}),
        (ERASURES, {"id": "7"}),
    ],
)
async def test_what_makes_no_sense_is_refused(platform: Platform, path: str, wrong: dict[str, Any]) -> None:
    """422, and nothing is written."""
    async with operator(platform) as asking:
        if path == HOLDS:
            answer = await asking.put(f"{HOLDS}/{uuid4()}", json={**HOLD, **wrong})
        else:
            answer = await asking.post(ERASURES, json={"id": str(uuid4()), **ERASURE, **wrong})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert not platform.database.state.legal_holds
    assert not platform.database.state.erasure_requests


async def test_an_erasure_says_where_it_is_and_what_it_is_at(platform: Platform) -> None:
    """Blocked without a job, then with one; whom it is about only by pseudonym."""
    async with operator(platform) as asking:
        hold, body = f"{HOLDS}/{uuid4()}", {"id": str(uuid4()), **ERASURE}
        await asking.put(hold, json=HOLD)
        blocked = await asking.post(ERASURES, json=body)
        assert blocked.headers["Location"] == f"{ERASURES}/{body['id']}"
        assert (blocked.json()["state"], blocked.json()["jobId"]) == ("blocked", None)
        await asking.delete(hold)
        begun = (await asking.post(ERASURES, json=body)).json()
        assert begun["state"] == "erasing"
        assert (await asking.get(f"{ERASURES}/{body['id']}")).json() == begun
        assert "anna" not in str(begun)
        assert (await asking.get(f"{ERASURES}/{uuid4()}")).json()["code"] == "erasure_not_found"
        answer = await asking.get(f"{ERASURES}/{body['id']}/certificate")
        assert (answer.status_code, answer.json()["code"]) == (404, "certificate_not_found")
