"""The operator's process: waits for its turn to lead, and works until it is told to stop or leads no more."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mien_core.errors import MienError
from mien_operator import health
from mien_operator.cluster.lease import Lease
from mien_operator.cluster.resources import Resources
from mien_operator.crds.definition import Kind
from mien_operator.interruptions import NotLeading
from mien_operator.probe import Probe
from mien_operator.pulse import Pulse
from mien_operator.watches import Watches
from mien_operator.work import Work

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Operator:
    """What the process consists of.

    Args:
        kinds: what it looks after.
        resources: where they stand.
        lease: who works.
        work: the work.
        watches: tell the work what changed.
        probe: finds what they missed.
        pulse: when the cluster was last heard of.
        host: where it can be asked how it is; see health.
        port: likewise.
    """

    kinds: Sequence[Kind]
    resources: Resources
    lease: Lease
    work: Work
    watches: Watches
    probe: Probe
    pulse: Pulse
    host: str
    port: int


async def run(operator: Operator, stopping: asyncio.Event) -> None:
    """Work until stopping is set.

    Raises:
        NotLeading: the lease was lost; another process works now, and this one is of no more use.
        Exception: whatever broke a part.
    """
    routes = health.application(operator.pulse, lambda: operator.lease.leads)
    async with health.served(routes, operator.host, operator.port) as port:
        logger.info("serves /healthz and /metrics", extra={"port": port})
        await _until_first(_lead(operator), stopping.wait())


async def _lead(operator: Operator) -> None:
    await _installed(operator)
    await _until_first(operator.lease.acquire(), _stands_by(operator))
    operator.pulse.beat()
    async with operator.watches.running():
        try:
            await _until_first(operator.lease.hold(), operator.work.run(), operator.probe.run())
        except NotLeading:
            logger.error("The lease is lost, so the process ends")  # noqa: TRY400 - no trace tells more
            raise
        finally:
            # the work has stopped; what still watches changes nothing
            await operator.lease.release()


async def _installed(operator: Operator) -> None:
    """Wait until the API server knows the kinds: what it doesn't know can't be watched."""
    while True:
        try:
            missing = [kind.name for kind in operator.kinds if not await operator.resources.served(kind)]
        except MienError as error:
            logger.warning("The cluster can't be looked at: %s", error)
        else:
            operator.pulse.beat()
            if not missing:
                return
            logger.warning("Waits for the definitions of %s; install them", ", ".join(missing))
        await asyncio.sleep(_LOOK_SECONDS)


async def _stands_by(operator: Operator) -> None:
    """Let each look at the lease be a sign of life of who waits for it."""
    seen = operator.lease.looked_at
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if operator.lease.looked_at != seen:
            seen = operator.lease.looked_at
            operator.pulse.beat()


async def _until_first(*parts: Coroutine[Any, Any, Any]) -> None:
    """Run all until the first ends; break off the others, and let its error out."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(tasks)
    for task in done:
        task.result()
