"""Posters, credits and payments on real Postgres: requests, ends and events at the same moment."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, LiteralString
from uuid import uuid4

import httpx
import psycopg
import pytest
from asgi_lifespan import LifespanManager
from pydantic import SecretStr

from mien_api import keys
from mien_api.app import create_app
from mien_api.handlers import Handlers
from mien_api.poster_settings import PosterSettings
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.errors import Conflict
from mien_core.model.platform import JobError, JobStatus
from mien_core.settings import PostgresSettings

PATH = "/movie-poster-api-design"
SECRET = "whsec_of-the-integration-tests"  # noqa: S105 - a test's own
AT_ONCE = 12
WHY = JobError("internal_error", "It failed.")


class Shop:
    """Two ingresses over one database."""

    def __init__(self, url: str, database: PostgresDatabase, clients: list[httpx.AsyncClient]) -> None:
        self.url = url
        self.database = database
        self.clients = clients

    async def order(self, number: int, **fields: Any) -> httpx.Response:
        """Ask for a poster, at one of the ingresses, by GET or POST."""
        client = self.clients[number % 2]
        body = {"user_id": "anna", "prompt": "A door beneath the sea.", **fields}
        if number % 4 < 2:
            return await client.get(PATH, params=body)
        return await client.post(PATH, json=body)

    async def tell(self, number: int, payment_id: str, kind: str = "payment_intent.succeeded") -> httpx.Response:
        """Send a signed event."""
        intent = {"id": "pi_1", "amount_received": 499, "currency": "usd", "metadata": {"payment_id": payment_id}}
        body = json.dumps({"id": f"evt_{number}", "type": kind, "data": {"object": intent}}).encode()
        at = int(time.time())
        signed = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"Stripe-Signature": f"t={at},v1={signed}", "Content-Type": "application/json"}
        return await self.clients[number % 2].post("/pay", content=body, headers=headers)

    async def end(self, job_id: str, status: JobStatus) -> bool:
        """End a job as streams or the API do; False if it had ended."""
        try:
            async with self.database.transaction() as transaction:
                await transaction.jobs.change(job_id, status, error=WHY if status is JobStatus.FAILED else None)
        except Conflict:
            return False
        return True

    async def reopen(self, job_id: str) -> bool:
        """Have a job begin again; False if it is refused."""
        try:
            async with self.database.transaction() as transaction:
                await transaction.jobs.reopen(job_id, 600)
        except Conflict:
            return False
        return True

    async def credits(self) -> int:
        """The user's balance, as the API tells it."""
        found: int = (await self.clients[0].get("/user?user_id=anna")).json()["credits"]
        return found

    def rows(self, statement: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement, parameters).fetchall()

    def made(self) -> tuple[int, int, int]:
        """How many jobs, lines of history and events there are."""
        [counts] = self.rows(
            "SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM user_poster_history),"
            " (SELECT count(*) FROM outbox)"
        )
        jobs, lines, events = counts
        return jobs, lines, events


@asynccontextmanager
async def ingress(database: PostgresDatabase, secret: str) -> AsyncIterator[httpx.AsyncClient]:
    @asynccontextmanager
    async def open_handlers() -> AsyncIterator[Handlers]:
        store = MemoryObjectStore()
        yield Handlers(database, store, consent_required=False, upload_expires=900, download_expires=900)

    settings = PosterSettings(payment_secret=SecretStr(SECRET), welcome_credits=5)
    async with (
        LifespanManager(create_app(open_handlers, [], poster_settings=settings)) as manager,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(manager.app),
            base_url="http://mien.test",
            headers={"Authorization": secret, "Prefer": "wait=0"},
        ) as client,
    ):
        yield client


@pytest.fixture
async def shop(fresh_database: str) -> AsyncIterator[Shop]:
    settings = PostgresSettings.model_validate({"url": fresh_database, "pool_max": 10})
    async with PostgresDatabase(settings) as one, PostgresDatabase(settings) as other:
        _, secret = await keys.create(other, "acme", "test", frozenset({"*"}))
        async with ingress(one, secret) as first, ingress(other, secret) as second:
            yield Shop(fresh_database, one, [first, second])


async def test_the_same_order_many_times_at_once_is_one_poster(shop: Shop) -> None:
    """By GET and POST at two ingresses, of a user without an account and then with one: one job, line, event, debit."""
    for orders in (1, 2, 3):
        prompt = f"Number {orders}"
        answers = await asyncio.gather(*(shop.order(number, prompt=prompt) for number in range(AT_ONCE)))
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["job_id"] for answer in answers}) == 1
        assert len({answer.json()["timestamp"] for answer in answers}) == 1
        assert shop.made() == (orders, orders, orders)
        assert await shop.credits() == 5 - orders


async def test_different_orders_at_once_spend_no_more_than_there_is(shop: Shop) -> None:
    """As many posters as credits; everybody else is told that there are none left, and leaves no job behind."""
    answers = await asyncio.gather(*(shop.order(number, prompt=f"Number {number}") for number in range(AT_ONCE)))
    assert sorted(answer.status_code for answer in answers) == [202] * 5 + [402] * (AT_ONCE - 5)
    assert await shop.credits() == 0
    assert shop.made() == (5, 5, 5)
    timestamps = shop.rows("SELECT timestamp FROM user_poster_history")
    assert len(set(timestamps)) == 5


async def test_ends_at_once_give_back_once(shop: Shop) -> None:
    """A failure, a cancellation by each ingress and a result at the same moment: one ends the job."""
    for number in range(5):
        before = await shop.credits() if number else 5
        job_id = (await shop.order(number, prompt=f"Number {number}")).json()["job_id"]
        ends = [JobStatus.FAILED, JobStatus.COMPLETED, JobStatus.CANCELLED] * 2
        cancelling = [client.delete(f"/jobs/{job_id}") for client in shop.clients]
        outcomes = await asyncio.gather(*(shop.end(job_id, status) for status in ends), *cancelling)
        [(status,)] = shop.rows("SELECT status FROM jobs WHERE id = %s", job_id)
        assert sum(outcome is True for outcome in outcomes) <= 1
        assert await shop.credits() == (before - 1 if status == "completed" else before)
        [(entries,)] = shop.rows("SELECT count(*) FROM poster_ledger WHERE job_id = %s", job_id)
        assert entries == (1 if status == "completed" else 2)


async def test_redrives_and_orders_at_once_spend_no_more_than_there_is(shop: Shop) -> None:
    """Five failed posters and ten new orders want five credits: five get one, and no transaction waits for ever."""
    failed = [(await shop.order(number, prompt=f"Number {number}")).json()["job_id"] for number in range(5)]
    for job_id in failed:
        assert await shop.end(job_id, JobStatus.FAILED)
    assert await shop.credits() == 5
    reopening = [shop.reopen(job_id) for job_id in failed]
    ordering = [shop.order(number, prompt=f"Another {number}") for number in range(10)]
    outcomes = await asyncio.gather(*reopening, *ordering)
    begun = [one for one in outcomes if one is True or getattr(one, "status_code", None) == 202]
    assert len(begun) == 5
    assert await shop.credits() == 0
    assert shop.rows("SELECT count(*) FROM jobs WHERE status = 'created'") == [(5,)]


async def test_the_same_payment_many_times_at_once_is_credited_once(shop: Shop) -> None:
    """Its success from several sides, failures among them, while posters are ordered: ten credits, once."""
    order = await shop.clients[0].post("/pay", json={"user_id": "anna", "pack": "starter"})
    payment_id = order.json()["payment_id"]
    kinds = ["payment_intent.succeeded", "payment_intent.payment_failed"] * 4
    telling = [shop.tell(number, payment_id, kind) for number, kind in enumerate(kinds)]
    ordering = [shop.order(number, prompt=f"Number {number}") for number in range(5)]
    answers = await asyncio.gather(*telling, *ordering)
    assert {answer.status_code for answer in answers} == {200, 202}
    assert await shop.credits() == 5 + 10 - 5
    assert shop.rows("SELECT status, provider_reference FROM poster_payments") == [("completed", "pi_1")]
    assert shop.rows("SELECT count(*) FROM audit_log WHERE action = 'payment.completed'") == [(1,)]


async def test_the_ledger_refuses_what_no_code_may_write(shop: Shop) -> None:
    """A second debit, give-back or credit of the same cause, and a debit that gives: the table itself says no."""
    job_id = (await shop.order(0)).json()["job_id"]
    assert await shop.end(job_id, JobStatus.FAILED)
    payment_id = (await shop.clients[0].post("/pay", json={"user_id": "anna", "pack": "starter"})).json()["payment_id"]
    assert (await shop.tell(0, payment_id)).status_code == 200
    insert: LiteralString = (
        "INSERT INTO poster_ledger (tenant, user_id, kind, amount, job_id, attempt, payment_id)"
        " VALUES ('acme', %s, %s, %s, %s, %s, %s) RETURNING id"
    )
    for values in (
        ("anna", "debit", -1, job_id, 0, None),
        ("anna", "give_back", 1, job_id, 0, None),
        ("anna", "purchase", 10, None, None, payment_id),
        ("anna", "welcome", 5, None, None, None),
        ("anna", "debit", 1, str(uuid4()), 0, None),
        ("anna", "purchase", 10, None, None, None),
        ("nobody", "debit", -1, str(uuid4()), 0, None),
    ):
        with pytest.raises(psycopg.errors.IntegrityError):
            shop.rows(insert, *values)
    assert await shop.credits() == 15
