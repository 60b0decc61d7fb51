"""`python -m tests.kills.forked`: makes operators that can be killed by the hundred.

Each is a process of its own, forked from this one, which has read all of the code already; so it is there in a moment,
and SIGKILL ends it as it ends any other. A line of JSON asks for one, and its process id is the answer.

It has the product's parts, all but those that wait: instead of watches there is the look at everything with which the
product finds what watches missed, and the time is told: in a line, on a connection to a port of whoever asked for it,
who hears in how many seconds of that time it wants to look again.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp

from mien_local.ports import HOST
from mien_operator.apply import Applier
from mien_operator.cluster import credentials
from mien_operator.cluster.api import ClusterApi
from mien_operator.cluster.events import Events
from mien_operator.cluster.lease import Lease
from mien_operator.cluster.resources import Resources
from mien_operator.internal_api import InternalApi
from mien_operator.kinds import KINDS
from mien_operator.probe import Probe
from mien_operator.pulse import Pulse
from mien_operator.rollouts import serve_api
from mien_operator.turn import Turns
from mien_operator.wiring import CONTROLLERS, Parts, ProcessSettings
from mien_operator.work import Work

# a machine that stands still is no part of what is looked at
PATIENCE_SECONDS: Final = 600.0


class Clock:
    """The time as it was told."""

    now = datetime.min.replace(tzinfo=UTC)

    def seconds(self) -> float:
        return self.now.timestamp()


class Driven:
    """An operator whose time is told.

    Args:
        settings: the process's.
        resources: where all resources stand.
        lease: who works.
        api: the cluster.
    """

    def __init__(self, settings: ProcessSettings, resources: Resources, lease: Lease, api: ClusterApi) -> None:
        self._clock = Clock()
        self._settings = settings
        self._resources = resources
        self._lease = lease
        self._applier = Applier(
            resources, Events(api, settings.operator.identity), lease.check, lambda: self._clock.now
        )
        self._work: Work | None = None

    async def open(self, stack: contextlib.AsyncExitStack) -> None:
        """Build what works."""
        parts = Parts(self._settings, self._resources, stack)
        way = self._settings.internal_api
        parts._internal_api = await stack.enter_async_context(InternalApi(way.url, way.key, PATIENCE_SECONDS))
        controllers = {name: await make(parts) for name, make in CONTROLLERS.items()}
        turns = Turns(controllers, self._applier, self._resources)
        self._work = Work(turns, KINDS, luck=lambda: 0.0, monotonic=self._clock.seconds)

    async def look(self, now: datetime, kinds: Sequence[str]) -> float | None:
        """Do all turns that are due at this time; give the pause until the next, None for when something changes.

        Args:
            now: the time.
            kinds: of which there is something.
        """
        assert self._work is not None
        self._clock.now = now
        if not self._lease.leads:
            await self._lease.acquire()
        probe = Probe(self._resources, self._work, KINDS, Pulse(), PATIENCE_SECONDS)
        for kind in KINDS:
            if kind.kind in kinds:
                await probe.look(kind)
        schedule = self._work._schedule
        while (key := schedule.take(self._clock.seconds())) is not None:
            pause = await self._work._turn(key)
            schedule.done(key, None if pause is None else self._clock.seconds() + pause)
        due = schedule.next_due()
        return None if due is None else due - self._clock.seconds()


async def _live(words: Mapping[str, Any]) -> None:
    settings = ProcessSettings.model_validate(words["settings"])
    place = (settings.operator.namespace, settings.operator.lease)
    reader, writer = await asyncio.open_connection(HOST, words["port"])
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(ClusterApi(credentials.read, PATIENCE_SECONDS))
        lease = Lease(api, place, settings.operator.identity, settings.operator.election)
        operator = Driven(settings, Resources(api, settings.operator.namespace), lease, api)
        await operator.open(stack)
        while line := await reader.readline():
            said = json.loads(line)
            pause = await operator.look(datetime.fromisoformat(said["now"]), said["kinds"])
            writer.write(json.dumps(pause).encode() + b"\n")
            await writer.drain()


def _be_an_operator(words: Mapping[str, Any]) -> None:
    os.environ["KUBECONFIG"] = words["kubeconfig"]
    serve_api._ASK = serve_api._PUT = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)  # type: ignore[misc]  # as above
    try:
        asyncio.run(_live(words))
    except BaseException:  # noqa: BLE001 - the edge of a process
        traceback.print_exc()
    finally:
        # what this process has of the other's, such as what is not yet written, is the other's
        os._exit(0)


def main() -> None:
    """Make operators until nobody asks any more."""
    # nobody waits for those that died
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.close(sys.stdin.fileno())
            _be_an_operator(json.loads(line))
        print(pid, flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
