"""The composition root: reads settings, builds adapters, and knows as the only place which ones are in use."""

import contextlib
import platform
from collections.abc import AsyncIterator, Collection
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, Field

from mien_core.adapters.kafka import KafkaEventPublisher
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.adapters.s3 import S3ObjectStore
from mien_core.events import TOPICS as EVENT_TOPICS
from mien_core.ports import Database
from mien_core.settings import KafkaSettings, PostgresSettings, S3Settings, ServiceSettings, ServingSettings
from mien_streams.agent import Agent, AgentOptions
from mien_streams.app import Role
from mien_streams.delivery import Handler
from mien_streams.edge import Edge
from mien_streams.handlers import analyse_face, s3_notifications
from mien_streams.handlers.analyse_face import AnalyseFace
from mien_streams.handlers.s3_notifications import S3Notifications
from mien_streams.relay import Relay
from mien_streams.serving import HttpFaceAnalysis

TOPICS = (*EVENT_TOPICS, s3_notifications.TOPIC)


class RoleName(StrEnum):
    """The roles, as the command line names them."""

    RELAY = "relay"
    ANALYSE_FACE = analyse_face.NAME
    S3_NOTIFICATIONS = s3_notifications.NAME


class StreamsOptions(BaseModel):
    """How the processes of streams behave.

    instance must differ between replicas and stay the same over a restart, as a pod's or a machine's name does.
    concurrency is deliveries in flight per agent, drain_seconds how long they may take when the process is told to
    stop. create_topics makes missing topics at the start. ready_file exists while every role takes part.
    """

    instance: str = Field(default_factory=platform.node, min_length=1)
    concurrency: int = Field(default=16, ge=1)
    drain_seconds: float = Field(default=20.0, ge=0)
    create_topics: bool = True
    ready_file: Path | None = None


class TopicsSettings(ServiceSettings):
    """What the command that creates topics needs."""

    kafka: KafkaSettings


class StreamsSettings(TopicsSettings):
    """What every role needs."""

    postgres: PostgresSettings
    streams: StreamsOptions = StreamsOptions()


class AnalyseFaceSettings(StreamsSettings):
    """What the role analyse-face needs besides."""

    serving: ServingSettings
    s3: S3Settings = S3Settings()


@contextlib.asynccontextmanager
async def built(names: Collection[RoleName], settings: StreamsSettings) -> AsyncIterator[list[Role]]:
    """Give the roles of these names; the block's end closes what they share."""
    async with contextlib.AsyncExitStack() as stack:
        database = await stack.enter_async_context(PostgresDatabase(settings.postgres))
        roles: list[Role] = []
        if RoleName.RELAY in names:
            publisher = await stack.enter_async_context(KafkaEventPublisher(settings.kafka))
            roles.append(Relay(database, publisher))
        if RoleName.ANALYSE_FACE in names:
            own = _analyse_face(settings)
            serving = HttpFaceAnalysis(own.serving, connections=settings.streams.concurrency)
            await stack.enter_async_context(serving)
            object_store = S3ObjectStore(own.s3)
            stack.push_async_callback(object_store.close)
            roles.append(_agent(analyse_face.TOPIC, AnalyseFace(database, serving, object_store), database, settings))
        if RoleName.S3_NOTIFICATIONS in names:
            roles.append(_agent(s3_notifications.TOPIC, S3Notifications(database), database, settings))
        yield roles


def settings_class(names: Collection[RoleName]) -> type[StreamsSettings]:
    """Give the settings that these roles need, and no more."""
    return AnalyseFaceSettings if RoleName.ANALYSE_FACE in names else StreamsSettings


def _analyse_face(settings: StreamsSettings) -> AnalyseFaceSettings:
    if not isinstance(settings, AnalyseFaceSettings):
        raise TypeError("The role analyse-face needs AnalyseFaceSettings; settings_class tells.")
    return settings


def _agent(topic: str, handler: Handler, database: Database, settings: StreamsSettings) -> Agent:
    options = settings.streams
    return Agent(
        handler.name,
        topic,
        Edge(database, handler).process,
        settings.kafka,
        AgentOptions(options.instance, options.concurrency, options.drain_seconds),
    )
