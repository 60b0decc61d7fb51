"""The composition root: reads settings, builds the parts, and knows as the only place which ones are in use."""

import contextlib
import logging
import platform
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any
from uuid import uuid4

from pydantic import BaseModel, Field, SecretStr

from mien_core.errors import Rejected
from mien_core.settings import ServiceSettings
from mien_operator import rbac
from mien_operator.app import Operator
from mien_operator.apply import AnyController, Applier
from mien_operator.cluster import credentials
from mien_operator.cluster.api import ClusterApi
from mien_operator.cluster.events import Events
from mien_operator.cluster.lease import Lease, Timing
from mien_operator.cluster.resources import Resources
from mien_operator.controller import Resource
from mien_operator.crds.definition import Kind
from mien_operator.documents import Document, resource_of
from mien_operator.erasures.controller import ErasureController
from mien_operator.holds.controller import LegalHoldController
from mien_operator.internal_api import InternalApi
from mien_operator.internal_holds import ErasuresApi, HoldsApi
from mien_operator.kinds import ERASURE_REQUEST, KINDS, LEGAL_HOLD, MODEL_ROLLOUT, RETENTION_POLICY
from mien_operator.probe import Probe
from mien_operator.pulse import Pulse
from mien_operator.retention.controller import RetentionController
from mien_operator.retention.runs import RetentionApi
from mien_operator.rollouts import wiring as rollouts
from mien_operator.rollouts.wiring import RolloutSettings
from mien_operator.turn import Turns
from mien_operator.watches import Watches
from mien_operator.work import WORKERS, Work

logger = logging.getLogger(__name__)


def _identity() -> str:
    # A process that was killed is another one when it comes back, also in the same pod.
    return f"{platform.node()}_{uuid4().hex[:8]}"


class OperatorOptions(BaseModel):
    """How the process behaves.

    namespace is the one that it looks after, its own as a rule. Replicas that stand by for each other have the same
    lease, and the same times of election. host and port serve /healthz and /metrics.
    """

    namespace: Annotated[str, Field(min_length=1, max_length=63)]
    lease: str = Field(default=rbac.NAME, min_length=1)
    identity: str = Field(default_factory=_identity, min_length=1)
    election: Timing = Timing()
    host: str = "0.0.0.0"  # noqa: S104 - the kubelet and Prometheus ask from outside of the pod
    port: int = Field(default=8080, ge=0, le=65535)
    workers: int = Field(default=WORKERS, ge=1)
    probe_seconds: float = Field(default=60.0, gt=0)


class OperatorSettings(ServiceSettings):
    """What every operator needs."""

    operator: OperatorOptions


class InternalApiSettings(BaseModel):
    """Where the api is, and the key with the scope operator that `python -m mien_api keys create` made."""

    url: Annotated[str, Field(pattern=r"^https?://[^/]+")]
    key: SecretStr


class ProcessSettings(OperatorSettings):
    """What the process needs besides: the way to data, and to serving."""

    internal_api: InternalApiSettings
    rollouts: RolloutSettings


class Parts:
    """What a controller is built of; the process's end closes it.

    Args:
        settings: of the whole process.
        resources: where all resources stand.
        stack: what a controller opens is left to it.
    """

    def __init__(self, settings: OperatorSettings, resources: Resources, stack: contextlib.AsyncExitStack) -> None:
        self.settings = settings
        self.stack = stack
        self._resources = resources
        self._internal_api: InternalApi | None = None

    @property
    def process_settings(self) -> ProcessSettings:
        """The settings of all kinds."""
        if not isinstance(self.settings, ProcessSettings):
            raise TypeError("The controllers of the product need ProcessSettings.")
        return self.settings

    async def internal_api(self) -> InternalApi:
        """The api's internal endpoints, the only way to data; one client for all kinds."""
        if self._internal_api is None:
            settings = self.process_settings.internal_api
            self._internal_api = await self.stack.enter_async_context(InternalApi(settings.url, settings.key))
        return self._internal_api

    async def all_of(self, kind: Kind) -> list[Resource[Any]]:
        """Read all resources of a kind, for a decision that concerns them together.

        One whose spec can't be read is left out: its own turn says so, and the others needn't wait for it.

        Raises:
            MienError: the cluster is away, or refuses.
        """
        found: list[Resource[Any]] = []
        async for document in self._resources.all(kind):
            try:
                found.append(resource_of(kind, document))
            except Rejected as error:
                logger.warning("A %s is left out: %s", kind.kind, error)
        return found


MakeController = Callable[[Parts], Awaitable[AnyController]]


async def _retention(parts: Parts) -> AnyController:
    return RetentionController(RetentionApi(await parts.internal_api()))


async def _holds(parts: Parts) -> AnyController:
    return LegalHoldController(HoldsApi(await parts.internal_api()))


async def _erasures(parts: Parts) -> AnyController:
    return ErasureController(ErasuresApi(await parts.internal_api()))


async def _rollouts(parts: Parts) -> AnyController:
    settings = parts.process_settings.rollouts
    return await rollouts.built(settings, lambda: parts.all_of(MODEL_ROLLOUT), parts.stack)


# Every kind by its name, and how its controller is made. Who adds a kind adds a line.
CONTROLLERS: Mapping[str, MakeController] = {
    RETENTION_POLICY.kind: _retention,
    LEGAL_HOLD.kind: _holds,
    ERASURE_REQUEST.kind: _erasures,
    MODEL_ROLLOUT.kind: _rollouts,
}


@contextlib.asynccontextmanager
async def built(
    settings: OperatorSettings,
    controllers: Mapping[str, MakeController] = CONTROLLERS,
    known: Sequence[Kind] = KINDS,
) -> AsyncIterator[Operator]:
    """Give an operator that looks after the kinds which have a controller; the block's end closes what it opened.

    Raises:
        MienError: a part can't be had.
    """
    options = settings.operator
    kinds = [kind for kind in known if kind.kind in controllers]
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(ClusterApi(credentials.read))
        # its own connections: renewals must not queue behind a thousand patches
        lease_api = await stack.enter_async_context(ClusterApi(credentials.read))
        lease = Lease(lease_api, (options.namespace, options.lease), options.identity, options.election)
        resources = Resources(api, options.namespace)
        parts = Parts(settings, resources, stack)
        applier = Applier(resources, Events(api, options.identity), lease.check)
        turns = Turns({name: await make(parts) for name, make in controllers.items()}, applier, resources)
        work = Work(turns, kinds, options.workers)
        pulse = Pulse()

        def heard(document: Document, deleted: bool) -> None:  # noqa: FBT001 - as watches call it
            pulse.beat()
            work.heard(document, deleted=deleted)

        yield Operator(
            kinds=kinds,
            resources=resources,
            lease=lease,
            work=work,
            watches=Watches(kinds, options.namespace, credentials.read, heard),
            probe=Probe(resources, work, kinds, pulse, options.probe_seconds),
            pulse=pulse,
            host=options.host,
            port=options.port,
        )
