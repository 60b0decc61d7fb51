"""Diaries and looks over HTTP on a real server: what happens at once, and what a call costs."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg
import pytest
from asgi_lifespan import LifespanManager
from pydantic import SecretStr

from mien_api import keys
from mien_api.app import create_app
from mien_api.handlers import Handlers
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.settings import PostgresSettings

ENTRY = {"userId": "anna", "date": "2026-11-20", "text": "\u200f\u05d0 🙂 'quoted' % \\", "tags": ["a"]}
PERIOD = {"userId": "anna", "date": "2026-11-18", "flow": "light"}
SCAN = {"userId": "anna", "date": "2026-11-20", "metrics": {"pores": 50}}
PRESET = {"category": "blush", "color": "#A4414B", "finish": "matte", "intensity": 0.5}
LOOK = {"userId": "anna", "name": "Soft evening", "presets": [PRESET]}

CREATIONS: dict[str, dict[str, Any]] = {"/journal": ENTRY, "/period": PERIOD, "/skin": SCAN, "/looks/save": LOOK}
# the process asks for other things besides, of its own
TABLES = re.compile(r"journal_entries|periods|skin_scans|looks|uploads")


@pytest.fixture
async def client(fresh_database: str) -> AsyncIterator[httpx.AsyncClient]:
    """The API on PostgreSQL, with a key of tenant acme."""
    async with PostgresDatabase(PostgresSettings(url=SecretStr(fresh_database))) as database:
        _, secret = await keys.create(database, "acme", "test", frozenset({"*"}))

        @asynccontextmanager
        async def open_handlers() -> AsyncIterator[Handlers]:
            yield Handlers(
                database, MemoryObjectStore(), consent_required=False, upload_expires=900, download_expires=900
            )

        async with (
            LifespanManager(create_app(open_handlers, [])) as manager,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(manager.app),
                base_url="http://mien.test",
                headers={"Authorization": f"Bearer {secret}"},
            ) as client,
        ):
            yield client


async def test_of_many_puts_at_once_one_wins(client: httpx.AsyncClient) -> None:
    """Each knows the same ETag: one gets 200, all others 412, and what the one wrote stands there, three times over."""
    path = (await client.post("/journal", json=ENTRY)).headers["Location"]
    etag = (await client.get(path)).headers["ETag"]
    for turn in range(3):
        answers = await asyncio.gather(
            *(
                client.put(path, json={**ENTRY, "text": f"{turn} {number}"}, headers={"If-Match": etag})
                for number in range(12)
            )
        )
        assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 11}
        [winner] = [answer for answer in answers if answer.status_code == 200]
        assert (await client.get(path)).json() == winner.json()
        etag = winner.headers["ETag"]


async def test_what_was_sent_comes_back(client: httpx.AsyncClient) -> None:
    """Through all lists, with the day of the cycle that the log tells."""
    entry, period, scan, look = [
        (await client.post(path, json=body)).raise_for_status().json() for path, body in CREATIONS.items()
    ]
    journal = (await client.get("/journal/user/anna?tag=a&from=2026-11-20")).json()
    assert journal["entries"] == [{**entry, "cycleDay": 3, "etag": '"1-3"'}]
    assert (await client.get("/period/user/anna")).json() == {"periods": [period], "nextCursor": None}
    assert (await client.get("/skin/user/anna")).json()["scans"] == [scan]
    assert (scan["cycleDay"], scan["metrics"]["pores"]) == (3, 50)
    assert (await client.get("/looks/anna")).json() == {"looks": [look], "nextCursor": None}


async def test_no_call_asks_the_database_more_than_twice(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the call and however long its answer; the credential and the commit are not counted."""
    sent: list[str] = []
    execute = psycopg.AsyncCursor.execute

    async def noted(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        sent.append(str(query))
        return await execute(self, query, *arguments, **options)

    for day in ("2026-11-02", "2026-11-09", "2026-11-16"):
        for path, body in CREATIONS.items():
            await client.post(path, json={**body, "date": day})
    path = (await client.post("/journal", json=ENTRY)).headers["Location"]
    upload_id = (await client.post("/upload-url", json={"contentType": "image/jpeg", "contentLength": 4})).json()[
        "uploadId"
    ]
    calls: list[tuple[str, str, dict[str, Any] | None]] = [
        ("POST", "/journal", ENTRY),
        ("GET", path, None),
        ("PUT", path, ENTRY),
        ("GET", "/journal/user/anna?tag=a", None),
        ("DELETE", path, None),
        ("POST", "/period", PERIOD),
        ("GET", "/period/user/anna", None),
        ("POST", "/skin", SCAN),
        ("GET", "/skin/user/anna?limit=2", None),
        ("POST", "/looks/save", {**LOOK, "uploadId": upload_id}),
        ("GET", "/looks/anna", None),
    ]
    monkeypatch.setattr(psycopg.AsyncCursor, "execute", noted)
    for method, url, sent_body in calls:
        sent.clear()
        answer = await client.request(method, url, json=sent_body)
        assert answer.is_success, (method, url, answer.text)
        own = [query for query in sent if TABLES.search(query)]
        assert 1 <= len(own) <= 2, (method, url, own)
