"""Webhooks on a real database and real receivers: nothing is lost, whoever dies, and nobody holds up others."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Verifier

from mien_api.handlers import Handlers
from mien_api.webhook_handlers import WebhookHandlers
from mien_core.adapters.memory.names import MemoryResolver
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.model.platform import Caller, JobStatus
from mien_core.model.webhooks import WebhookEvent
from mien_core.ports.database import Transaction
from mien_core.rules.webhooks import ATTEMPTS, SecretKeys
from mien_core.settings import PostgresSettings
from mien_streams.webhooks import Courier, WebhookSender
from tests.makers import new_job, new_upload
from tests.webhooks import (
    KEYS,
    Ask,
    Receiver,
    asking,
    attempts,
    end,
    ids_of,
    receiving,
    register,
    sending,
    until,
    waiting,
    webhook_rules,
)

VICTIM = "victim"


@pytest.fixture
async def database(fresh_database: str) -> AsyncIterator[PostgresDatabase]:
    async with PostgresDatabase(PostgresSettings.model_validate({"url": fresh_database})) as database:
        yield database


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once, as many as there are."""
    monkeypatch.setattr("mien_core.rules.webhooks.DELAYS_SECONDS", (0.01,) * (ATTEMPTS - 1))


@pytest.fixture
def rows(fresh_database: str) -> Iterator[Ask]:
    with asking(fresh_database) as ask:
        yield ask


async def test_every_end_is_told_signed_and_in_its_applications_style(
    fresh_database: str, database: PostgresDatabase, receiver: Receiver
) -> None:
    """Completed, failed, and cancelled through the API; the specification's library verifies each."""
    webhook = await register(database, receiver.url)
    async with sending(fresh_database):
        completed = await end(database)
        failed = await end(database, JobStatus.FAILED, purpose="skin")
        async with database.transaction() as transaction:
            upload = await transaction.uploads.add(new_upload())
            open_job, _ = await transaction.jobs.create(new_job(upload))
        handlers = Handlers(
            database, MemoryObjectStore(), consent_required=False, upload_expires=900, download_expires=900
        )
        await handlers.cancel(Caller("acme", None), open_job.id)
        await until(lambda: len(receiver.messages) == 3)
    verifier = Verifier(KEYS.shown(webhook.secret))
    told = {}
    for message in receiver.messages:
        assert message.headers["Content-Type"] == "application/json"
        assert verifier.verify(message.body, dict(message.headers)) == message.content
        told[message.content["data"]["id"]] = message.content
    types = {job_id: content["type"] for job_id, content in told.items()}
    assert types == {completed.id: "job.completed", failed.id: "job.failed", open_job.id: "job.cancelled"}
    assert told[completed.id]["data"]["uploadId"] == completed.upload_id
    assert told[failed.id]["data"]["upload_id"] == failed.upload_id
    assert told[failed.id]["data"]["error"] == {"code": "no_face", "detail": "There is no face."}
    for content in told.values():
        assert content["timestamp"] == content["data"]["steps"][-1]["at"]


async def test_a_test_is_sent_whatever_the_webhook_is_for(
    fresh_database: str, database: PostgresDatabase, receiver: Receiver
) -> None:
    """With the id that its caller was told."""
    webhook = await register(database, receiver.url, events=frozenset({WebhookEvent.JOB_FAILED}))
    handlers = WebhookHandlers(database, webhook_rules())
    async with sending(fresh_database):
        message_id = await handlers.test(Caller("acme", None), webhook.id)
        await until(lambda: len(receiver.messages) == 1)
    [message] = receiver.messages
    assert (message.id, message.content["type"], message.content["data"]) == (message_id, "test", {"id": webhook.id})


async def test_both_secrets_sign_while_one_follows_the_other(
    fresh_database: str, database: PostgresDatabase, receiver: Receiver, rows: Ask
) -> None:
    """For a day; then the new one alone does."""
    webhook = await register(database, receiver.url)
    rotated, secret = await WebhookHandlers(database, webhook_rules()).rotate(Caller("acme", None), webhook.id)
    async with sending(fresh_database):
        await end(database)
        await until(lambda: len(receiver.messages) == 1)
        rows("UPDATE webhooks SET rotated_at = rotated_at - interval '24 hours'")
        await end(database)
        await until(lambda: len(receiver.messages) == 2)
    first, second = receiver.messages
    for shown in (secret, KEYS.shown(webhook.secret)):
        Verifier(shown).verify(first.body, dict(first.headers))
    Verifier(secret).verify(second.body, dict(second.headers))
    assert len(second.headers["webhook-signature"].split()) == 1
    assert rotated.id == webhook.id


@pytest.mark.usefixtures("impatient")
async def test_what_is_not_accepted_comes_again_as_the_same_message(
    fresh_database: str, database: PostgresDatabase, receiver: Receiver, rows: Ask
) -> None:
    """After errors and redirects, which aren't followed: the same id, the same bytes, until it is accepted."""
    async with receiving() as elsewhere:
        receiver.answer_with(500, 302, 429, 204, headers={"Location": elsewhere.url})
        await register(database, receiver.url)
        async with sending(fresh_database):
            await end(database)
            await until(lambda: waiting(rows) == 0)
        assert elsewhere.messages == []
    assert len(receiver.messages) == 4
    assert len({(message.id, message.body) for message in receiver.messages}) == 1
    assert rows("SELECT failing_since FROM webhooks") == [(None,)]


async def test_attempts_wait_as_long_as_the_schedule_and_the_answer_say(
    fresh_database: str, database: PostgresDatabase, receiver: Receiver, rows: Ask
) -> None:
    """Five seconds after the first, or what Retry-After asks for if that is longer."""
    due_in = "SELECT attempts, extract(epoch FROM due_at - clock_timestamp())::float8 FROM webhook_deliveries"

    async def next_attempt() -> float:
        await until(lambda: rows(due_in)[0][0] == 1)
        return float(rows(due_in)[0][1])

    await register(database, receiver.url)
    for headers, shortest, longest in (({}, 0.0, 6.0), ({"Retry-After": "1000"}, 900.0, 1200.0)):
        receiver.answer_with(503, headers=headers)
        async with sending(fresh_database):
            await end(database)
            # it may have become due while the machine stood still, but never before its time
            assert shortest <= await next_attempt() + 0.001 or not headers
            assert float(rows(due_in)[0][1]) <= longest
        rows("DELETE FROM webhook_deliveries")


async def test_two_replicas_send_each_message_once(
    fresh_database: str, database: PostgresDatabase, receiver: Receiver, rows: Ask
) -> None:
    """While both live, however they race for them."""
    await register(database, receiver.url)
    async with sending(fresh_database), sending(fresh_database):
        jobs = [await end(database) for _ in range(40)]
        await until(lambda: waiting(rows) == 0)
    ids = ids_of(receiver.messages)
    assert len(ids) == len(set(ids)) == 40
    assert {message.content["data"]["id"] for message in receiver.messages} == {job.id for job in jobs}


class KilledError(BaseException):
    """The process is dead: nothing that it would do about it happens."""


class MortalDatabase(PostgresDatabase):
    """The real one. The victim dies at one of the lines that it passes: around units of work and before commits."""

    line = 0
    dies_at = 0

    def pass_by(self) -> None:
        task = asyncio.current_task()
        if task is not None and task.get_name() == VICTIM:
            self.line += 1
            if self.line == self.dies_at:
                raise KilledError

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self.pass_by()
        async with super().transaction() as transaction:
            yield transaction
            self.pass_by()
        self.pass_by()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        self.pass_by()
        async with super().reading() as transaction:
            yield transaction
        self.pass_by()


async def send_once(database: PostgresDatabase, sender: WebhookSender) -> None:
    """Claim what is due and deliver it, as the role does."""
    async with database.transaction() as transaction:
        claimed = await transaction.webhook_deliveries.claim({}, limit=9, per_webhook=9, lease_seconds=3600)
    for delivery in claimed:
        await Courier(database, sender, KEYS).deliver(delivery)


@pytest.mark.parametrize("statuses", [(204,), (500, 204)], ids=["accepted", "refused"])
async def test_wherever_the_sender_dies_the_message_arrives(
    fresh_database: str,
    receiver: Receiver,
    rows: Ask,
    statuses: tuple[int, ...],
) -> None:
    """Killed at any line, between sending and noting, too, another one sends the same message: never none."""
    copies = []
    settings = PostgresSettings.model_validate({"url": fresh_database})
    async with MortalDatabase(settings) as mortal, WebhookSender(MemoryResolver(), allow_private=True) as sender:
        await register(mortal, receiver.url)
        for line in range(1, 50):
            receiver.messages.clear()
            receiver.answer_with(*statuses)
            job = await end(mortal)
            mortal.line, mortal.dies_at = 0, line
            victim = asyncio.create_task(send_once(mortal, sender), name=VICTIM)
            await asyncio.wait({victim})
            survived = victim.exception() is None
            assert survived or isinstance(victim.exception(), KilledError)
            for _ in range(3):
                # leases end, and so do pauses
                rows("UPDATE webhook_deliveries SET due_at = now()")
                await send_once(mortal, sender)
            assert waiting(rows) == 0, f"killed at line {line}"
            assert len(set(ids_of(receiver.messages))) == 1, f"killed at line {line}"
            assert receiver.messages[0].content["data"]["id"] == job.id
            if survived:
                break
            copies.append(len(receiver.messages))
    assert len(copies) >= 6
    # at some line it had been sent and not noted
    assert max(copies) > 1


async def test_who_does_not_answer_holds_up_nobody_else(
    fresh_database: str, database: PostgresDatabase, receiver: Receiver, rows: Ask
) -> None:
    """Four of its messages are in flight and no more; another webhook gets all of its own meanwhile."""
    let_go = asyncio.Event()

    async def hold(_: web.Request) -> web.StreamResponse:
        await let_go.wait()
        return web.Response()

    async with receiving() as slow:
        slow.answer = hold
        await register(database, slow.url)
        await register(database, receiver.url)
        for _ in range(12):
            await end(database)
        async with sending(fresh_database):
            await until(lambda: len(receiver.messages) == 12)
            await until(lambda: len(slow.messages) == 4)
            assert waiting(rows) >= 12
            assert len(slow.messages) == 4
            let_go.set()
            await until(lambda: waiting(rows) == 0)
        assert len(set(ids_of(slow.messages))) == 12


async def test_who_is_too_slow_is_not_waited_for(
    fresh_database: str, database: PostgresDatabase, receiver: Receiver, rows: Ask
) -> None:
    """The whole attempt has its time, and counts as one that failed."""

    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    receiver.answer = never
    await register(database, receiver.url)
    before = attempts("timeout")
    async with sending(fresh_database, timeout_seconds=0.2):
        await end(database)
        await until(lambda: attempts("timeout") > before)
        await until(lambda: rows("SELECT attempts FROM webhook_deliveries") != [(0,)])
    [(failing_since,)] = rows("SELECT failing_since FROM webhooks")
    assert failing_since is not None


async def test_410_ends_it(fresh_database: str, database: PostgresDatabase, receiver: Receiver, rows: Ask) -> None:
    """The webhook is disabled, with a line in the audit log; what waits for it is dropped, and nothing comes after."""
    receiver.answer_with(410)
    webhook = await register(database, receiver.url)
    async with sending(fresh_database):
        await end(database)
        await until(lambda: rows("SELECT disabled_reason FROM webhooks") == [("gone",)])
        await end(database)
        assert waiting(rows) == 0
    audit = "SELECT actor, action, subject FROM audit_log WHERE action = 'webhook.disabled'"
    assert rows(audit) == [("webhooks", "webhook.disabled", f"{webhook.id}: gone")]


@pytest.mark.parametrize(("failing_days", "disabled"), [(4, True), (2, False)])
async def test_the_last_attempt_drops_the_message_and_perhaps_the_webhook(  # noqa: PLR0917 - fixtures, by name
    fresh_database: str,
    database: PostgresDatabase,
    receiver: Receiver,
    rows: Ask,
    failing_days: int,
    disabled: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Disabled is what has accepted nothing for three days; one that did lately loses this message only."""
    receiver.answer_with(500)
    await register(database, receiver.url)
    for _ in range(2):
        await end(database)
    rows("UPDATE webhooks SET failing_since = now() - make_interval(days => %s)", failing_days)
    rows(
        "UPDATE webhook_deliveries SET attempts = %s WHERE id = (SELECT min(id::text)::uuid FROM webhook_deliveries)",
        ATTEMPTS - 1,
    )
    async with sending(fresh_database):
        await until(lambda: waiting(rows) == (0 if disabled else 1))
    assert rows("SELECT disabled_reason FROM webhooks") == [("failing" if disabled else None,)]


async def test_what_was_erased_is_not_told(
    fresh_database: str, database: PostgresDatabase, receiver: Receiver, rows: Ask
) -> None:
    """A message holds no copy of its job: with the photo and the job goes what was to be said of them."""
    await register(database, receiver.url)
    await end(database)
    kept = await end(database)
    rows("DELETE FROM uploads WHERE id <> %s", kept.upload_id)
    async with sending(fresh_database):
        await until(lambda: waiting(rows) == 0)
    assert [message.content["data"]["id"] for message in receiver.messages] == [kept.id]


async def test_a_user_who_is_erased_takes_their_webhooks_along(
    fresh_database: str, database: PostgresDatabase, receiver: Receiver, rows: Ask
) -> None:
    """With the row of users; what waited is tidied away."""
    await register(database, receiver.url, user_id="anna")
    async with database.transaction() as transaction:
        [webhook] = await transaction.webhooks.seen_by(Caller("acme", "anna"), after=None, limit=9)
        await transaction.webhook_deliveries.add_test(str(uuid4()), webhook.id)
    rows("DELETE FROM users")
    assert rows("SELECT count(*) FROM webhooks") == [(0,)]
    async with sending(fresh_database):
        await until(lambda: waiting(rows) == 0)
    assert receiver.messages == []


async def test_without_its_key_a_message_waits(
    fresh_database: str, database: PostgresDatabase, receiver: Receiver, rows: Ask
) -> None:
    """Nothing goes out unsigned, and no attempt is spent; once the key is set again it arrives."""
    await register(database, receiver.url)
    await end(database)
    before = attempts("unavailable")
    async with sending(fresh_database, keys=SecretKeys("another key of thirty-two characters")):
        await until(lambda: attempts("unavailable") > before)
    assert receiver.messages == []
    assert rows("SELECT attempts FROM webhook_deliveries") == [(0,)]
    rows("UPDATE webhook_deliveries SET due_at = now()")
    async with sending(fresh_database):
        await until(lambda: waiting(rows) == 0)
