"""What tests of webhooks share: rules, a real receiver, and the role that sends."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg
from aiohttp import web
from prometheus_client import REGISTRY

from mien_api.webhook_handlers import WebhookRules
from mien_core.adapters.memory.names import MemoryResolver
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.model.platform import Job, JobError, JobStatus
from mien_core.model.webhooks import NewWebhook, Webhook, WebhookEvent
from mien_core.ports.webhooks import Resolver
from mien_core.rules.webhooks import SecretKeys
from mien_core.settings import PostgresSettings
from mien_streams.webhooks import Courier, WebhookRole, WebhookSender
from tests.makers import new_job, new_upload

KEY = "a key of at least thirty-two characters"
KEYS = SecretKeys(KEY)
EVERY_EVENT = frozenset(WebhookEvent)


def webhook_rules(resolver: Resolver | None = None, *, allow_private: bool = False) -> WebhookRules:
    return WebhookRules(KEYS, allow_private, resolver or MemoryResolver())


def new_webhook(**fields: Any) -> NewWebhook:
    webhook_id = str(uuid4())
    defaults: dict[str, Any] = {
        "id": webhook_id,
        "tenant": "acme",
        "user_id": None,
        "url": "https://shop.example/mien",
        "events": EVERY_EVENT,
        "secret": KEYS.origin(webhook_id),
    }
    return NewWebhook(**{**defaults, **fields})


@dataclass(frozen=True)
class Message:
    """A request as it came in."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def content(self) -> Any:
        return json.loads(self.body)


Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def _accept(_: web.Request) -> web.StreamResponse:
    return web.Response(status=204)


@dataclass
class Receiver:
    """An HTTP server that notes what comes in; answer says what it answers."""

    url: str = ""
    messages: list[Message] = field(default_factory=list)
    answer: Answering = _accept

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.messages.append(Message(dict(request.headers.items()), await request.read()))
        return await self.answer(request)

    def answer_with(self, *statuses: int, headers: Mapping[str, str] | None = None) -> None:
        """Answer with one of these after the other, and then with the last one."""
        left = list(statuses)

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(status=left.pop(0) if len(left) > 1 else left[0], headers=headers)

        self.answer = answer


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver on a free port of the loopback address."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    # a handler that a test holds must not hold up its end
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@asynccontextmanager
async def sending(
    url: str,
    resolver: Resolver | None = None,
    *,
    allow_private: bool = True,
    timeout_seconds: float = 60.0,
    keys: SecretKeys = KEYS,
) -> AsyncIterator[WebhookRole]:
    """The role with connections of its own, as another process has them."""
    async with (
        PostgresDatabase(PostgresSettings.model_validate({"url": url})) as database,
        WebhookSender(
            resolver or MemoryResolver(), allow_private=allow_private, timeout_seconds=timeout_seconds
        ) as sender,
    ):
        role = WebhookRole(database, Courier(database, sender, keys))
        await role.start()
        try:
            yield role
        finally:
            await role.stop()


async def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for lies in lists and tables
            await asyncio.sleep(0.01)


def ids_of(messages: Sequence[Message]) -> list[str]:
    return [message.id for message in messages]


async def register(database: PostgresDatabase, url: str, **fields: Any) -> Webhook:
    async with database.transaction() as transaction:
        added = await transaction.webhooks.add(new_webhook(url=url, **fields), 1000)
    assert added is not None
    return added[0]


async def end(database: PostgresDatabase, status: JobStatus = JobStatus.COMPLETED, **fields: Any) -> Job:
    """Have a job end."""
    error = JobError("no_face", "There is no face.") if status is JobStatus.FAILED else None
    async with database.transaction() as transaction:
        upload = await transaction.uploads.add(new_upload(**fields))
        job, _ = await transaction.jobs.create(new_job(upload))
        return await transaction.jobs.change(job.id, status, error=error)


def attempts(outcome: str) -> float:
    """How many attempts had this outcome, in this process."""
    return REGISTRY.get_sample_value("mien_webhook_attempts_total", {"outcome": outcome}) or 0.0


Ask = Callable[..., list[tuple[Any, ...]]]


@contextmanager
def asking(url: str) -> Iterator[Ask]:
    """Ask the database itself, statement by statement."""
    with psycopg.connect(url, autocommit=True) as connection:

        def ask(statement: str, *parameters: object) -> list[tuple[Any, ...]]:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

        yield ask


def waiting(ask: Ask) -> int:
    """How many messages were not accepted yet."""
    [(count,)] = ask("SELECT count(*) FROM webhook_deliveries")
    return int(count)
