"""The composition root: reads settings and decides which adapter is in use."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field

from mien_api.app import create_app
from mien_api.credential_settings import CredentialSettings
from mien_api.handlers import Handlers
from mien_api.limits import Limiting, RateLimits
from mien_api.poster_settings import PosterSettings
from mien_api.stream_places import StreamLimits
from mien_api.webhook_handlers import WebhookRules
from mien_core.adapters.dns import SystemResolver
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.adapters.postgres.quotas import PostgresQuotas
from mien_core.adapters.redis_quotas import RedisQuotas
from mien_core.adapters.s3 import S3ObjectStore
from mien_core.model.platform import Purpose
from mien_core.quotas import Quotas
from mien_core.rules.load import Limits
from mien_core.settings import PostgresSettings, RedisSettings, S3Settings, ServiceSettings, WebhookSettings

ConsentMode = Literal["attested", "required"]


class HttpSettings(BaseModel):
    """Where the server listens, who may call it how often, and whether each upload must carry its consent.

    consent holds for all applications but those that consent_of names, as in {"tryon": "required"}: attested is said by
    the frontend for its users, required must come with each photo.
    trusted_proxies is how many proxies of one's own every request comes through: so many addresses at the right of
    X-Forwarded-For are believed. limits is in requests a minute; mien_api.limits tells what each number means.
    streams is how many event streams may be open.
    """

    host: str = "0.0.0.0"  # noqa: S104 - a pod is reached from outside of it
    port: int = Field(default=8000, ge=0, le=65535)
    cors_origins: list[str] = ["http://localhost:3000"]
    consent: ConsentMode = "attested"
    consent_of: dict[Purpose, ConsentMode] = {}
    trusted_proxies: int = Field(default=0, ge=0)
    limits: RateLimits = RateLimits()
    streams: StreamLimits = StreamLimits()


class ApiSettings(ServiceSettings):
    """All that the API process knows; no broker and no serving address among it.

    shedding is how much may wait before work is sent away; mien_core.rules.load tells what each number means. Without
    webhooks there are none.
    """

    postgres: PostgresSettings
    redis: RedisSettings = RedisSettings()
    s3: S3Settings = S3Settings()
    api: HttpSettings = HttpSettings()
    credentials: CredentialSettings = CredentialSettings()
    shedding: Limits = Limits()
    webhooks: WebhookSettings | None = None
    posters: PosterSettings = PosterSettings()


class KeysSettings(ServiceSettings):
    """What managing keys and products needs: the database alone."""

    postgres: PostgresSettings


def build(settings: ApiSettings) -> FastAPI:
    """Wire the app; nothing is connected before it starts."""

    @asynccontextmanager
    async def open_handlers() -> AsyncIterator[Handlers]:
        async with PostgresDatabase(settings.postgres) as database:
            yield Handlers(
                database=database,
                object_store=S3ObjectStore(settings.s3),
                consent_required=settings.api.consent == "required",
                consent_exceptions={name: mode == "required" for name, mode in settings.api.consent_of.items()},
                upload_expires=settings.s3.upload_expires_seconds,
                download_expires=settings.s3.download_expires_seconds,
            )

    def open_quotas() -> AbstractAsyncContextManager[Quotas]:
        return PostgresQuotas(settings.postgres) if settings.redis.url is None else RedisQuotas(settings.redis)

    limiting = Limiting(settings.api.limits, settings.api.trusted_proxies, open_quotas=open_quotas)
    return create_app(
        open_handlers,
        settings.api.cors_origins,
        settings.shedding,
        limiting=limiting,
        credentials=settings.credentials,
        streams=settings.api.streams,
        webhook_rules=WebhookRules.of(settings.webhooks, SystemResolver()) if settings.webhooks is not None else None,
        poster_settings=settings.posters,
    )
