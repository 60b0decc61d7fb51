"""What an Idempotency-Key costs: POST /upload-url without it, with a new one, and repeated, in turns.

The app is called in this process, as a server would, on a real Postgres: `python -m bench.idempotency` starts its own.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from uuid import uuid4

from asgi_lifespan import LifespanManager
from pydantic import SecretStr
from starlette.types import ASGIApp, Message

from bench.figures import percentile, report
from bench.own_postgres import own_postgres
from mien_api import keys
from mien_api.app import create_app
from mien_api.handlers import Handlers
from mien_api.limits import Limiting, RateLimits
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.settings import PostgresSettings

WARM_UP = 100
COUNTED = 500
BODY = json.dumps({"contentType": "image/jpeg", "contentLength": 4}).encode()

# in times of the request without: a claim and an answer are a commit each, beside its own
NEW_LIMIT = 3.0
REPLAY_LIMIT = 1.5


def run(environment: Mapping[str, str]) -> None:
    """Print the figures."""
    asyncio.run(_measure(environment["MIEN_POSTGRES__URL"]))


async def _measure(url: str) -> None:
    seconds: dict[str, list[float]] = {"without": [], "new": [], "replay": []}
    async with PostgresDatabase(PostgresSettings(url=SecretStr(url))) as database:
        _, secret = await keys.create(database, "bench", "bench", frozenset({"*"}))
        async with _app(database) as app:
            for number in range(WARM_UP + COUNTED):
                key = str(uuid4())
                for variant, sent in (("without", None), ("new", key), ("replay", key)):
                    started = time.perf_counter()
                    await _post(app, secret, sent)
                    if number >= WARM_UP:
                        seconds[variant].append(time.perf_counter() - started)
    without, new, replay = (percentile(seconds[variant], 50) * 1000 for variant in ("without", "new", "replay"))
    p99 = {variant: round(percentile(each, 99) * 1000, 2) for variant, each in seconds.items()}
    report("idempotency_new_key_p50", new / without, "times", NEW_LIMIT, without_ms=round(without, 3), p99_ms=p99)
    report("idempotency_replay_p50", replay / without, "times", REPLAY_LIMIT, added_by_new_ms=round(new - without, 3))


@contextlib.asynccontextmanager
async def _app(database: PostgresDatabase) -> AsyncIterator[ASGIApp]:
    @contextlib.asynccontextmanager
    async def open_handlers() -> AsyncIterator[Handlers]:
        store = MemoryObjectStore()
        yield Handlers(database, store, consent_required=False, upload_expires=900, download_expires=900)

    limiting = Limiting(RateLimits(caller=1_000_000))
    async with LifespanManager(create_app(open_handlers, [], limiting=limiting)) as manager:
        yield manager.app


async def _post(app: ASGIApp, secret: str, key: str | None) -> None:
    headers = [(b"authorization", secret.encode()), (b"content-type", b"application/json")]
    if key is not None:
        headers.append((b"idempotency-key", key.encode()))
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/upload-url",
        "raw_path": b"/upload-url",
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    status = 0

    async def receive() -> Message:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    await app(scope, receive, send)
    if status != 200:  # noqa: PLR2004 - OK
        raise RuntimeError(status)


if __name__ == "__main__":
    with own_postgres() as _settings:
        run(_settings)
