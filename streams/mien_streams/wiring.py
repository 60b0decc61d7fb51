"""The composition root: reads settings, builds adapters, and knows as the only place which ones are in use."""

import contextlib
import platform
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from pathlib import Path

from pydantic import BaseModel, Field, create_model

from mien_core.adapters.dns import SystemResolver
from mien_core.adapters.kafka import KafkaEventPublisher
from mien_core.adapters.kafka_lag import KafkaLag
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.adapters.s3 import S3ObjectStore
from mien_core.certificate.keys import SigningKey
from mien_core.events import TOPICS as EVENT_TOPICS
from mien_core.ports.database import Database
from mien_core.ports.objects import ObjectStore
from mien_core.rules.webhooks import SecretKeys
from mien_core.settings import (
    ErasureSettings,
    KafkaSettings,
    PostgresSettings,
    S3Settings,
    ServiceSettings,
    ServingSettings,
    WebhookSettings,
)
from mien_streams.agent import Agent, AgentOptions
from mien_streams.app import Role
from mien_streams.delivery import Handler
from mien_streams.edge import Edge
from mien_streams.gate import Gate
from mien_streams.handlers import s3_notifications
from mien_streams.handlers.analyse_face import AnalyseFace
from mien_streams.handlers.erase_user import WORK_SECONDS, EraseUser
from mien_streams.handlers.recommend_looks import RecommendLooks
from mien_streams.handlers.render_poster import RenderPoster
from mien_streams.handlers.render_tryon import RenderTryOn
from mien_streams.handlers.s3_notifications import S3Notifications
from mien_streams.handlers.sweep_erased import SweepErased
from mien_streams.handlers.write_insight import WriteInsight
from mien_streams.insight_writer import InsightWriter, SummaryWriter
from mien_streams.job_handler import JobHandler
from mien_streams.lag import Lag
from mien_streams.llm.bedrock import BedrockModel, BedrockSettings
from mien_streams.llm.insights import ModelWriter
from mien_streams.looks import Ranker, Recommending
from mien_streams.posters import HttpPosterEngine, PosterEngine
from mien_streams.relay import Relay
from mien_streams.retention import Retention, RetentionSettings
from mien_streams.serving import FaceAnalysis, HttpFaceAnalysis
from mien_streams.tryon_engine import HttpTryOnEngine, TryOnEngine
from mien_streams.webhooks import Courier, WebhookRole, WebhookSender

TOPICS = (*EVENT_TOPICS, s3_notifications.TOPIC)


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


class StoreSettings(StreamsSettings):
    """What the roles need besides that deal with objects."""

    s3: S3Settings = S3Settings()


class AnalyseFaceSettings(StoreSettings):
    """What the roles that ask serving need besides."""

    serving: ServingSettings


class WriteInsightSettings(StreamsSettings):
    """What the role write-insight needs besides: which language model writes, if any."""

    insights: BedrockSettings = BedrockSettings()


class EraseUserSettings(StoreSettings):
    """What the role erase-user needs besides: what it signs certificates with."""

    erasure: ErasureSettings


class WebhookRoleSettings(StreamsSettings):
    """What the role webhooks needs besides."""

    webhooks: WebhookSettings


class RetentionRoleSettings(StoreSettings):
    """What the role retention needs besides."""

    retention: RetentionSettings = RetentionSettings()


class Parts:
    """What an agent is built of; the process's end closes it.

    gates are those of the parts that were asked for: while one is away, the agent takes nothing new.
    """

    def __init__(self, settings: StreamsSettings, database: Database, stack: contextlib.AsyncExitStack) -> None:
        self.settings = settings
        self.database = database
        self.gates: list[Gate] = []
        self._stack = stack

    async def face_analysis(self) -> FaceAnalysis:
        """The model serving."""
        gate = Gate("serving")
        self.gates.append(gate)
        connections = self.settings.streams.concurrency
        return await self._stack.enter_async_context(HttpFaceAnalysis(self._with_serving().serving, connections, gate))

    async def poster_engine(self) -> PosterEngine:
        """What makes posters, within the model serving."""
        gate = Gate("posters")
        self.gates.append(gate)
        connections = self.settings.streams.concurrency
        return await self._stack.enter_async_context(HttpPosterEngine(self._with_serving().serving, connections, gate))

    async def tryon_engine(self) -> TryOnEngine:
        """Who puts looks on photos, within the model serving."""
        gate = Gate("tryon")
        self.gates.append(gate)
        connections = self.settings.streams.concurrency
        return await self._stack.enter_async_context(HttpTryOnEngine(self._with_serving().serving, connections, gate))

    def object_store(self) -> ObjectStore:
        """The bucket."""
        store = S3ObjectStore(self.store_settings)
        self._stack.push_async_callback(store.close)
        return store

    def insight_writer(self) -> InsightWriter:
        """A language model, or the rules where there is none."""
        if not isinstance(self.settings, WriteInsightSettings):
            raise TypeError("The role write-insight needs WriteInsightSettings; settings_class tells.")
        if self.settings.insights.model is None:
            return SummaryWriter()
        model = BedrockModel(self.settings.insights, at_once=self.settings.streams.concurrency)
        self._stack.push_async_callback(model.close)
        return ModelWriter(model)

    async def own_database(self) -> Database:
        """The database, for an agent whose units of work are too large to be shared."""
        return await self._stack.enter_async_context(PostgresDatabase(self.settings.postgres))

    @property
    def store_settings(self) -> S3Settings:
        """How the bucket is reached, and for how long what is handed out lets somebody in."""
        if not isinstance(self.settings, StoreSettings):
            raise TypeError("A role with objects needs StoreSettings; settings_class tells.")
        return self.settings.s3

    @property
    def signing_key(self) -> SigningKey:
        """What certificates are signed with."""
        if not isinstance(self.settings, EraseUserSettings):
            raise TypeError("The role erase-user needs EraseUserSettings; settings_class tells.")
        return SigningKey(self.settings.erasure.signing_key.get_secret_value())

    def recommending(self) -> Recommending:
        """Who recommends looks."""
        return Recommending(self.database, Ranker())

    def _with_serving(self) -> AnalyseFaceSettings:
        if not isinstance(self.settings, AnalyseFaceSettings):
            raise TypeError("A role that asks serving needs AnalyseFaceSettings; settings_class tells.")
        return self.settings


async def _analyse_face(parts: Parts) -> Handler:
    agent = AnalyseFace(parts.database, await parts.face_analysis(), parts.object_store(), parts.recommending())
    return JobHandler(parts.database, agent)


async def _render_poster(parts: Parts) -> Handler:
    return JobHandler(parts.database, RenderPoster(parts.database, await parts.poster_engine()))


async def _erase_user(parts: Parts) -> Handler:
    database = await parts.own_database()
    late_seconds = max(parts.store_settings.upload_expires_seconds, WORK_SECONDS)
    return JobHandler(database, EraseUser(database, parts.object_store(), late_seconds, parts.signing_key))


async def _sweep_erased(parts: Parts) -> Handler:
    return SweepErased(parts.database, parts.object_store())


async def _render_tryon(parts: Parts) -> Handler:
    return JobHandler(parts.database, RenderTryOn(parts.database, await parts.tryon_engine()))


async def _recommend_looks(parts: Parts) -> Handler:
    return JobHandler(parts.database, RecommendLooks(parts.database, parts.recommending()))


async def _s3_notifications(parts: Parts) -> Handler:
    return S3Notifications(parts.database)


async def _write_insight(parts: Parts) -> Handler:
    return JobHandler(parts.database, WriteInsight(parts.database, parts.insight_writer()))


# Every agent by the name of its role, and how it is made. Who adds an agent adds a line.
AGENTS: Mapping[str, Callable[[Parts], Awaitable[Handler]]] = {
    AnalyseFace.name: _analyse_face,
    RenderPoster.name: _render_poster,
    EraseUser.name: _erase_user,
    SweepErased.name: _sweep_erased,
    RenderTryOn.name: _render_tryon,
    RecommendLooks.name: _recommend_looks,
    S3Notifications.name: _s3_notifications,
    WriteInsight.name: _write_insight,
}
# What a role needs to know besides what all do; what inherits from another comes before it.
SETTINGS: Mapping[str, type[StreamsSettings]] = {
    # before StoreSettings, whose kinds they are: of what a class inherits from, the nearer comes first
    Retention.name: RetentionRoleSettings,
    AnalyseFace.name: AnalyseFaceSettings,
    RenderPoster.name: AnalyseFaceSettings,
    EraseUser.name: EraseUserSettings,
    SweepErased.name: StoreSettings,
    RenderTryOn.name: AnalyseFaceSettings,
    WriteInsight.name: WriteInsightSettings,
    WebhookRole.name: WebhookRoleSettings,
}
ROLES = (Relay.name, WebhookRole.name, Retention.name, *AGENTS)
# Units of work that may share a transaction: a quarter of what is in flight by default. With more in each, too few go
# on while one is being committed (decision 22 has the figures).
SHARING = 4


@contextlib.asynccontextmanager
async def built(names: Collection[str], settings: StreamsSettings) -> AsyncIterator[list[Role]]:
    """Give the roles of these names; the block's end closes what they share."""
    async with contextlib.AsyncExitStack() as stack:
        database = await stack.enter_async_context(PostgresDatabase(settings.postgres, SHARING))
        roles: list[Role] = []
        if Relay.name in names:
            publisher = await stack.enter_async_context(KafkaEventPublisher(settings.kafka))
            # not shared: undone for another's error, it would publish its batch again
            own = await stack.enter_async_context(PostgresDatabase(settings.postgres))
            roles.append(Relay(own, publisher))
        if WebhookRole.name in names:
            # not shared: undone for another's error, an outcome would be lost and its message sent again
            own = await stack.enter_async_context(PostgresDatabase(settings.postgres))
            roles.append(await _webhooks(settings, own, stack))
        if Retention.name in names:
            # not shared: who shares a transaction would wait for the locks that its deletions wait for
            own = await stack.enter_async_context(PostgresDatabase(settings.postgres))
            roles.append(_retention(settings, own, stack))
        for make in [make for name, make in AGENTS.items() if name in names]:
            parts = Parts(settings, database, stack)
            handler = await make(parts)
            agent = _agent(handler, parts)
            kafka_lag = await stack.enter_async_context(KafkaLag(settings.kafka, agent.group, handler.topic))
            roles.extend((agent, Lag(handler.name, kafka_lag.first_uncommitted)))
        yield roles


def settings_class(names: Collection[str]) -> type[StreamsSettings]:
    """Give the settings that these roles need, and no more."""
    # each once, in an order that is the same for the same names
    needed = tuple(dict.fromkeys(settings for name, settings in SETTINGS.items() if name in names))
    return create_model("RolesSettings", __base__=needed or (StreamsSettings,))


async def _webhooks(settings: StreamsSettings, database: Database, stack: contextlib.AsyncExitStack) -> WebhookRole:
    if not isinstance(settings, WebhookRoleSettings):
        raise TypeError("The role webhooks needs WebhookRoleSettings; settings_class tells.")
    own = settings.webhooks
    keys = SecretKeys(own.key.get_secret_value(), [key.get_secret_value() for key in own.older_keys])
    sender = await stack.enter_async_context(WebhookSender(SystemResolver(), allow_private=own.allow_private))
    return WebhookRole(database, Courier(database, sender, keys))


def _retention(settings: StreamsSettings, database: Database, stack: contextlib.AsyncExitStack) -> Retention:
    if not isinstance(settings, RetentionRoleSettings):
        raise TypeError("The role retention needs RetentionRoleSettings; settings_class tells.")
    store = S3ObjectStore(settings.s3)
    stack.push_async_callback(store.close)
    return Retention(database, store, settings.retention)


def _agent(handler: Handler, parts: Parts) -> Agent:
    options = parts.settings.streams
    return Agent(
        handler.name,
        handler.topic,
        Edge(parts.database, handler).process,
        parts.settings.kafka,
        AgentOptions(options.instance, options.concurrency, options.drain_seconds),
        gates=parts.gates,
    )
