"""The API on memory adapters: the same app as in production, called in process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI

from mien_api import keys
from mien_api.app import create_app
from mien_api.credential_settings import CredentialSettings
from mien_api.handlers import Handlers
from mien_api.limits import Limiting, RateLimits
from mien_api.poster_settings import PosterSettings
from mien_api.stream_places import StreamLimits
from mien_api.webhook_handlers import WebhookRules
from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.model.keys import original_key
from mien_core.model.platform import JobError, JobStatus, Purpose
from mien_core.rules.load import Limits
from tests.makers import new_analysis

NOW_HEADERS = {"Prefer": "wait=0"}


@dataclass
class Platform:
    """The app, what is behind it, and a client with a key of tenant acme."""

    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    object_store: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    consent_required: bool = False
    consent_exceptions: dict[Purpose, bool] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    credentials: CredentialSettings = field(default_factory=CredentialSettings)
    # tests that are not about limits may call as often as they like
    rate_limits: RateLimits = field(default_factory=lambda: RateLimits(caller=1_000_000, failures=1_000_000))
    trusted_proxies: int = 0
    streams: StreamLimits = field(default_factory=StreamLimits)
    webhook_rules: WebhookRules | None = None
    posters: PosterSettings = field(default_factory=PosterSettings)

    def app(self) -> FastAPI:
        @asynccontextmanager
        async def open_handlers() -> AsyncIterator[Handlers]:
            yield Handlers(
                self.database,
                self.object_store,
                consent_required=self.consent_required,
                upload_expires=900,
                download_expires=900,
                consent_exceptions=self.consent_exceptions,
            )

        limiting = Limiting(self.rate_limits, self.trusted_proxies)
        return create_app(
            open_handlers,
            ["http://localhost:3000"],
            self.limits,
            limiting=limiting,
            credentials=self.credentials,
            streams=self.streams,
            webhook_rules=self.webhook_rules,
            poster_settings=self.posters,
        )

    @asynccontextmanager
    async def client(self, authorization: str | None) -> AsyncIterator[httpx.AsyncClient]:
        headers = {"Authorization": authorization} if authorization is not None else {}
        async with (
            LifespanManager(self.app()) as manager,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(manager.app, client=("192.0.2.7", 4711)),
                base_url="http://mien.test",
                headers=headers,
            ) as client,
        ):
            yield client

    async def secret(self, tenant: str = "acme", scopes: str = "*") -> str:
        _, secret = await keys.create(self.database, tenant, "test", frozenset(scopes.split(",")))
        return secret

    async def uploaded(self, client: httpx.AsyncClient) -> str:
        """Announce an upload and put its bytes there."""
        answer = await client.post("/upload-url", json={"contentType": "image/jpeg", "contentLength": 4})
        upload_id: str = answer.json()["uploadId"]
        await self.object_store.put(original_key(upload_id), b"jpeg", "image/jpeg")
        return upload_id

    async def complete(self, job_id: str, **fields: object) -> None:
        """Do what streams would; fields are the analysis' own."""
        async with self.database.transaction() as transaction:
            job = await transaction.jobs.get(job_id)
            assert job is not None
            upload = await transaction.uploads.get(job.photo_id)
            assert upload is not None
            await transaction.analyses.save(new_analysis(upload, job_id, **fields))
            await transaction.jobs.change(job_id, JobStatus.COMPLETED, timings={"outbox": 2.0, "serving": 80.0})

    async def fail(self, job_id: str, code: str) -> None:
        async with self.database.transaction() as transaction:
            await transaction.jobs.change(job_id, JobStatus.FAILED, error=JobError(code, "What went wrong."))


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with platform.client(f"Bearer {await platform.secret()}") as client:
        yield client
