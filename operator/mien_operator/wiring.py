"""The composition root: reads settings, builds the parts, and knows as the only place which ones are in use."""

import contextlib
import platform
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Annotated
from uuid import uuid4

from pydantic import BaseModel, Field

from mien_core.settings import ServiceSettings
from mien_operator import rbac
from mien_operator.app import Operator
from mien_operator.apply import AnyController, Applier
from mien_operator.cluster import credentials
from mien_operator.cluster.api import ClusterApi
from mien_operator.cluster.events import Events
from mien_operator.cluster.lease import Lease
from mien_operator.cluster.resources import Resources
from mien_operator.controller import Resource
from mien_operator.crds.definition import Kind
from mien_operator.documents import Document, resource_of
from mien_operator.kinds import KINDS
from mien_operator.probe import Probe
from mien_operator.pulse import Pulse
from mien_operator.turn import Turns
from mien_operator.watches import Watches
from mien_operator.work import WORKERS, Work


def _identity() -> str:
    # A process that was killed is another one when it comes back, also in the same pod.
    return f"{platform.node()}_{uuid4().hex[:8]}"


class OperatorOptions(BaseModel):
    """How the process behaves.

    namespace is the one that it looks after, its own as a rule. Replicas that stand by for each other have the same
    lease. host and port serve /healthz and /metrics.
    """

    namespace: Annotated[str, Field(min_length=1, max_length=63)]
    lease: str = Field(default=rbac.NAME, min_length=1)
    identity: str = Field(default_factory=_identity, min_length=1)
    host: str = "0.0.0.0"  # noqa: S104 - the kubelet and Prometheus ask from outside of the pod
    port: int = Field(default=8080, ge=0, le=65535)
    workers: int = Field(default=WORKERS, ge=1)
    probe_seconds: float = Field(default=60.0, gt=0)


class OperatorSettings(ServiceSettings):
    """What the process needs; each kind's own settings are a group of their own."""

    operator: OperatorOptions


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

    async def all_of(self, kind: Kind) -> list[Resource[BaseModel]]:
        """Read all resources of a kind, for a decision that concerns them together.

        Raises:
            Rejected: invalid_spec.
            MienError: the cluster is away, or refuses.
        """
        return [resource_of(kind, document) async for document in self._resources.all(kind)]


MakeController = Callable[[Parts], Awaitable[AnyController]]

# Every kind by its name, and how its controller is made. Who adds a kind adds a line.
CONTROLLERS: Mapping[str, MakeController] = {}


@contextlib.asynccontextmanager
async def built(
    settings: OperatorSettings,
    kinds: Sequence[Kind] = KINDS,
    controllers: Mapping[str, MakeController] = CONTROLLERS,
) -> AsyncIterator[Operator]:
    """Give the operator; the block's end closes what it opened.

    Raises:
        MienError: a part can't be had.
    """
    options = settings.operator
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(ClusterApi(credentials.read))
        # its own connections: renewals must not queue behind a thousand patches
        lease_api = await stack.enter_async_context(ClusterApi(credentials.read))
        lease = Lease(lease_api, (options.namespace, options.lease), options.identity)
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
