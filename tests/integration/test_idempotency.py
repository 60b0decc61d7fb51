"""Idempotency-Key between processes: two ingresses over one real Postgres, of which one dies or stands still."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import httpx
import numpy as np
import psycopg
import pytest
from asgi_lifespan import LifespanManager
from PIL import Image
from psycopg import sql
from pydantic import SecretStr

from mien_api import keys
from mien_api.app import create_app
from mien_api.handlers import Handlers
from mien_api.poster_settings import PosterSettings
from mien_api.routers.skin import PATH
from mien_api.routers.tryon import PATH as TRYON_PATH
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.idempotency import Answered, Claim, IdempotencyKeys, InFlight, OtherRequest
from mien_core.model.keys import original_key
from mien_core.ports.objects import ObjectFacts
from mien_core.rules.uploads import MAX_BYTES
from mien_core.settings import PostgresSettings
from tests import mortal
from tests.mortal import Death, KilledError
from tests.operations.world import PATIENT
from tests.webhooks import webhook_rules

DEADLINE_SECONDS = 60.0
VICTIM = "victim"
SHOP = PosterSettings(payment_secret=SecretStr("whsec_of-two-ingresses"))
ANNOUNCEMENT = {"contentType": "image/jpeg", "contentLength": 4}


class MortalKeys:
    """The real ones, with a line before and after each statement."""

    def __init__(self, real: IdempotencyKeys, death: Death) -> None:
        self._real = real
        self._death = death

    @contextlib.contextmanager
    def _lines(self) -> Iterator[None]:
        self._death.pass_by()
        yield
        self._death.pass_by()

    async def claim(
        self, key: bytes, request_digest: bytes, *, lease_seconds: float, keep_seconds: float
    ) -> Claim | Answered | InFlight | OtherRequest:
        with self._lines():
            return await self._real.claim(key, request_digest, lease_seconds=lease_seconds, keep_seconds=keep_seconds)

    async def complete(self, claim: Claim, answer: bytes) -> bool:
        with self._lines():
            return await self._real.complete(claim, answer)

    async def release(self, claim: Claim) -> None:
        with self._lines():
            await self._real.release(claim)

    async def renew(self, claims: Sequence[Claim], lease_seconds: float) -> None:
        with self._lines():
            await self._real.renew(claims, lease_seconds)

    async def purge(self, limit: int) -> int:
        return await self._real.purge(limit)


class MortalDatabase(mortal.MortalDatabase):
    """Has lines around each statement about keys, too."""

    def __init__(self, settings: PostgresSettings, death: Death) -> None:
        super().__init__(settings, death)
        self.idempotency_keys = MortalKeys(self.idempotency_keys, death)  # type: ignore[assignment]  # it wraps it


class MortalStore(mortal.MortalStore):
    """Stands still at a look where the test says so."""

    def __init__(self, death: Death) -> None:
        super().__init__(death)
        self.frozen = asyncio.Event()
        self.thaw: asyncio.Event | None = None

    async def head(self, key: str) -> ObjectFacts | None:
        thaw, self.thaw = self.thaw, None
        if thaw is not None:
            self.frozen.set()
            await thaw.wait()
        return await super().head(key)


@dataclass
class Ingresses:
    """Two of them, what they share, and who may die in the first."""

    first: httpx.AsyncClient
    second: httpx.AsyncClient
    store: MortalStore
    death: Death
    url: str

    def counts(self) -> dict[str, int]:
        """How many rows each of TABLES has."""
        counts = [sql.SQL("(SELECT count(*) FROM {})").format(sql.Identifier(table)) for table in TABLES]
        [row] = self.sql(sql.SQL("SELECT {}").format(sql.SQL(", ").join(counts)))
        return dict(zip(TABLES, row, strict=True))

    def count(self, table: str) -> int:
        return self.counts()[table]

    def end_leases(self) -> None:
        self.sql(sql.SQL("UPDATE idempotency_keys SET leased_until = now() WHERE answer IS NULL RETURNING 1"))

    def sql(self, statement: sql.SQL | sql.Composed) -> list[tuple[int, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement).fetchall()


@asynccontextmanager
async def ingress(
    database: PostgresDatabase, store: MemoryObjectStore, secret: str
) -> AsyncIterator[httpx.AsyncClient]:
    @asynccontextmanager
    async def open_handlers() -> AsyncIterator[Handlers]:
        yield Handlers(database, store, consent_required=False, upload_expires=900, download_expires=900)

    async with (
        LifespanManager(
            create_app(open_handlers, [], PATIENT, webhook_rules=webhook_rules(), poster_settings=SHOP)
        ) as manager,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(manager.app),
            base_url="http://mien.test",
            headers={"Authorization": secret, "Prefer": "wait=0"},
        ) as client,
    ):
        yield client


@pytest.fixture
async def ingresses(fresh_database: str) -> AsyncIterator[Ingresses]:
    """Two ingresses with databases' connections of their own."""
    death, settings = Death(), PostgresSettings(url=SecretStr(fresh_database))
    store = MortalStore(death)
    async with MortalDatabase(settings, death) as one, PostgresDatabase(settings) as other:
        _, secret = await keys.create(other, "acme", "test", frozenset({"*"}))
        async with ingress(one, store, secret) as first, ingress(other, store, secret) as second:
            yield Ingresses(first, second, store, death, fresh_database)


def photo(side: int = 64) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


async def announce(client: httpx.AsyncClient, key: str) -> httpx.Response:
    return await client.post("/upload-url", json=ANNOUNCEMENT, headers={"Idempotency-Key": key})


async def analyse(client: httpx.AsyncClient, key: str, upload_id: str) -> httpx.Response:
    return await client.post("/analyze", json={"uploadId": upload_id}, headers={"Idempotency-Key": key})


async def send(client: httpx.AsyncClient, key: str, image: bytes) -> httpx.Response:
    files = {"image": ("me.png", image, "image/png")}
    return await client.post(PATH, files=files, data={"user_id": "anna"}, headers={"Idempotency-Key": key})


async def scan_photo(client: httpx.AsyncClient, key: str) -> httpx.Response:
    files = {"image": ("me.png", photo(), "image/png")}
    data = {"userId": "anna", "date": "2026-11-20"}
    return await client.post("/skin/analyze", files=files, data=data, headers={"Idempotency-Key": key})


async def uploaded(ingresses: Ingresses) -> str:
    upload_id: str = (await announce(ingresses.first, "upload")).json()["uploadId"]
    await ingresses.store.put(original_key(upload_id), b"jpeg", "image/jpeg")
    return upload_id


def is_replay(answer: httpx.Response) -> bool:
    return "Idempotency-Replayed" in answer.headers


async def test_of_many_at_once_on_two_ingresses_one_does_the_work(ingresses: Ingresses) -> None:
    """Whoever comes meanwhile is told to come again, and in the end all have the same answer, byte for byte."""
    for number in range(5):
        key, before = f"key-{number}", ingresses.count("uploads")
        clients = [ingresses.first, ingresses.second] * 4
        answers = await asyncio.gather(*(announce(client, key) for client in clients))
        done = [answer for answer in answers if answer.status_code == 200]
        assert {answer.status_code for answer in answers} <= {200, 409}
        assert len([answer for answer in done if not is_replay(answer)]) == 1
        last = [await announce(client, key) for client in clients[:2]]
        assert {answer.content for answer in [*done, *last]} == {done[0].content}
        assert all(is_replay(answer) for answer in last)
        assert ingresses.count("uploads") == before + 1


async def try_on(client: httpx.AsyncClient, key: str) -> httpx.Response:
    files = {"image": ("me.png", photo(), "image/png")}
    return await client.post(TRYON_PATH, files=files, data={"user_token": "v"}, headers={"Idempotency-Key": key})


Begin = Callable[[httpx.AsyncClient, str], Awaitable[httpx.Response]]


def posting(path: str, **body: object) -> Begin:
    async def begin(client: httpx.AsyncClient, key: str) -> httpx.Response:
        return await client.post(path, json=body, headers={"Idempotency-Key": key})

    return begin


def as_somebody_new(path: str, **body: object) -> Begin:
    """With an account of their own, so that each has all that comes with it."""

    async def begin(client: httpx.AsyncClient, key: str) -> httpx.Response:
        return await client.post(path, json={"user_id": key, **body}, headers={"Idempotency-Key": key})

    return begin


ANNA = {"userId": "anna"}
CREATIONS: dict[str, tuple[Begin, set[str]]] = {
    # its rows, and an object in the store
    "photo": (lambda client, key: send(client, key, photo()), {"uploads", "jobs", "job_events", "outbox"}),
    "upload": (announce, {"uploads"}),
    "journal": (posting("/journal", **ANNA, date="2026-11-20", text="Fine."), {"journal_entries"}),
    "scan": (posting("/skin", **ANNA, date="2026-11-20", metrics={"radiance": 50}), {"skin_scans"}),
    # its rows, and an object in the store, too
    "scan of a photo": (scan_photo, {"uploads", "photo_days", "jobs", "job_events", "outbox"}),
    "session with a photo": (
        try_on,
        {"uploads", "jobs", "job_events", "tryon_sessions", "tryon_looks", "outbox"},
    ),
    "insight": (posting("/insights", **ANNA), {"insights", "jobs", "job_events", "outbox"}),
    "webhook": (posting("/webhooks", url="https://shop.example/", events=["job.completed"]), {"webhooks", "audit_log"}),
    # each key is somebody else, since one who is being erased already isn't erased once more
    "erasure": (
        lambda client, key: client.delete(f"/users/{key}", headers={"Idempotency-Key": key}),
        {"erasures", "jobs", "job_events", "outbox", "audit_log"},
    ),
    "look": (posting("/looks/save", **ANNA, name="Soft evening", presets=[], products=[]), {"looks"}),
    "account": (as_somebody_new("/user", name="Anna"), {"poster_accounts"}),
    "poster": (
        as_somebody_new("/movie-poster-api-design", prompt="A door beneath the sea."),
        {"poster_accounts", "user_poster_history", "jobs", "job_events", "outbox"},
    ),
    "payment": (as_somebody_new("/pay", pack="starter"), {"poster_accounts", "poster_payments"}),
}
TABLES = sorted({table for _, tables in CREATIONS.values() for table in tables})


@pytest.mark.parametrize("what", CREATIONS)
async def test_wherever_a_process_dies_the_work_is_done_once(ingresses: Ingresses, what: str) -> None:
    """Killed at any line, a repeat at another ingress waits for the lease's end and then gets an answer.

    One row is there of each thing that the request creates, and the same answer for every further repeat.
    """
    begin, created = CREATIONS[what]
    lines = 0
    for line in range(1, 100):
        key, before = str(uuid4()), ingresses.counts()
        objects = len(ingresses.store.keys())
        ingresses.death.line, ingresses.death.at = 0, line
        victim = asyncio.ensure_future(begin(ingresses.first, key))
        assert isinstance(victim, asyncio.Task)
        victim.set_name(VICTIM)
        await asyncio.wait({victim})
        if victim.exception() is None:
            break
        assert isinstance(victim.exception(), KilledError)
        lines = line
        repeat = await begin(ingresses.second, key)
        if repeat.status_code == 409:
            assert repeat.json()["code"] == "request_in_flight"
            ingresses.end_leases()
            repeat = await begin(ingresses.second, key)
        assert repeat.is_success, f"killed at line {line}: {repeat.text}"
        again = await begin(ingresses.second, key)
        assert (again.content, is_replay(again)) == (repeat.content, True)
        added = {table: now - before[table] for table, now in ingresses.counts().items() if now != before[table]}
        assert added == dict.fromkeys(created, 1), f"killed at line {line}"
        assert len(ingresses.store.keys()) == objects + ("photo" in what)
    # the claim, the work, the answer: each a line before and after; the credential is known from the first request
    assert lines >= 6


async def test_a_frozen_one_that_wakes_up_changes_nothing(ingresses: Ingresses) -> None:
    """Its successor's answer is the answer: it says 409 itself, and whoever repeats gets that one everywhere."""
    upload_id = await uploaded(ingresses)
    ingresses.store.thaw = thaw = asyncio.Event()
    frozen = asyncio.create_task(analyse(ingresses.first, "key", upload_id))
    async with asyncio.timeout(DEADLINE_SECONDS):
        await ingresses.store.frozen.wait()
    assert (await analyse(ingresses.second, "key", upload_id)).json()["code"] == "request_in_flight"
    ingresses.end_leases()
    successor = await analyse(ingresses.second, "key", upload_id)
    thaw.set()
    late = await frozen
    assert (successor.status_code, is_replay(successor)) == (202, False)
    assert (late.status_code, late.json()["code"]) == (409, "request_in_flight")
    for client in (ingresses.first, ingresses.second):
        again = await analyse(client, "key", upload_id)
        assert (again.content, is_replay(again)) == (successor.content, True)
    assert ingresses.count("jobs") == 1


async def test_the_largest_photo_is_sent_once(ingresses: Ingresses) -> None:
    """10 MB under a key: a repeat elsewhere is a replay, and one byte at its end makes it another request."""
    image = photo(1800)
    image += bytes(MAX_BYTES - len(image))
    first = await send(ingresses.first, "key", image)
    again = await send(ingresses.second, "key", image)
    other = await send(ingresses.second, "key", image[:-1] + b"\x01")
    assert first.status_code == 202, first.text
    assert (again.content, is_replay(again)) == (first.content, True)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert ingresses.count("uploads") == 1


async def test_what_is_kept_goes_after_a_day(ingresses: Ingresses) -> None:
    """A key lives for 24 hours from its request, and is then as if it had never been."""
    first = await announce(ingresses.first, "key")
    statement = "SELECT round(extract(epoch FROM expires_at - now()) / 3600)::int FROM idempotency_keys"
    [(hours,)] = ingresses.sql(sql.SQL(statement))
    assert hours == 24
    ingresses.sql(sql.SQL("UPDATE idempotency_keys SET expires_at = now() RETURNING 1"))
    anew = await announce(ingresses.second, "key")
    assert (anew.status_code, is_replay(anew)) == (200, False)
    assert anew.json()["uploadId"] != first.json()["uploadId"]
