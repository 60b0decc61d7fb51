"""ModelRollout's controller: looks at Serve, at comparisons and at the other rollouts, and puts what was decided."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

from mien_core.model.comparisons import ComparisonWindow
from mien_core.rules.serve_config import ServeOptions
from mien_operator.plan import Plan
from mien_operator.rollouts import reconcile as decisions
from mien_operator.rollouts.analysis import judge
from mien_operator.rollouts.draft import Observed, RolloutResource
from mien_operator.rollouts.reconcile import PutConfiguration
from mien_operator.rollouts.serve_state import ServeState

_KNOWN_SECONDS: Final = 10.0


class Serve(Protocol):
    """What Serve runs."""

    async def state(self) -> ServeState:
        """See ServeApi."""

    async def put(self, configuration: dict[str, object]) -> None:
        """See ServeApi."""


class Comparisons(Protocol):
    """What was compared."""

    async def windows(self) -> tuple[ComparisonWindow, ...]:
        """See LatestComparisons."""


ListRollouts = Callable[[], Awaitable[Sequence[RolloutResource]]]


class Elders:
    """Knows which rollout of a model is the oldest: that one counts, and the others are refused.

    All rollouts are read together, now and then and for one that isn't known yet, so that a thousand idle ones don't
    read a thousand times a thousand. Whoever is known was read together with all that are older.

    Args:
        rollouts: reads all of them.
        monotonic: the clock.
    """

    def __init__(self, rollouts: ListRollouts, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rollouts = rollouts
        self._monotonic = monotonic
        self._oldest: dict[str, tuple[str, str]] = {}
        self._known: set[str] = set()
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def elder_of(self, resource: RolloutResource) -> str:
        """Namespace and name of an older rollout of the same model, or nothing.

        Raises:
            MienError: the rollouts can't be read.
        """
        async with self._reading:
            if resource.uid not in self._known or self._monotonic() - self._read_at > _KNOWN_SECONDS:
                await self._read()
        uid, name = self._oldest.get(resource.spec.model_ref.name, (resource.uid, ""))
        return "" if uid == resource.uid else name

    async def _read(self) -> None:
        rollouts = sorted(await self._rollouts(), key=lambda one: (one.created_at, one.uid), reverse=True)
        # the oldest comes last and stays
        self._oldest = {
            one.spec.model_ref.name: (one.uid, f"{one.namespace}/{one.name}") for one in rollouts if not one.deleting
        }
        self._known = {one.uid for one in rollouts}
        self._read_at = self._monotonic()


class RolloutController:
    """Rolls out models.

    Args:
        serve: what runs.
        comparisons: what was compared.
        elders: which rollout counts.
        options: what serving runs on besides what a rollout says.
    """

    kind = "ModelRollout"

    def __init__(self, serve: Serve, comparisons: Comparisons, elders: Elders, options: ServeOptions) -> None:
        self._serve = serve
        self._comparisons = comparisons
        self._elders = elders
        self._options = options

    async def observe(self, resource: RolloutResource) -> Observed:
        """Look at all that the decision needs; of a rollout that is refused or deleted that is little.

        Raises:
            MienError: Serve or the cluster is away.
        """
        if resource.deleting:
            return Observed(ServeState())
        elder = await self._elders.elder_of(resource)
        if elder:
            return Observed(ServeState(), elder=elder)
        state = await self._serve.state()
        return Observed(state, await self._comparisons.windows() if state.shadow else ())

    def reconcile(self, resource: RolloutResource, observed: Observed, now: datetime) -> Plan[PutConfiguration]:
        """Decide."""
        return decisions.reconcile(resource, observed, now, self._options, judge)

    async def perform(self, resource: RolloutResource, action: PutConfiguration) -> None:  # noqa: ARG002 - the protocol
        """Put Serve's whole configuration; the same again changes nothing."""
        await self._serve.put(action.configuration)
