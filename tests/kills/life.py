"""One course of things: resources come, are changed and go, while an operator looks after them and may be killed."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from mien_core.model.privacy import Person
from mien_operator.crds.definition import API_VERSION, Kind
from mien_operator.kinds import KINDS
from tests.kills.door import Step
from tests.kills.operators import Died, Operator
from tests.kills.world import Seen, World
from tests.people import live

PERSON: Final = Person("acme", "anna")
DAY_SECONDS: Final = 24 * 3600.0
MOST_LOOKS: Final = 1000
# After so long a silent operator's lease is another's.
TAKEOVER_SECONDS: Final = 12.0


class Life:
    """A course of things in a world that was empty.

    Args:
        world: it.
        kill_at: the step, counted from 0, at which the operator is killed; None is never.
    """

    def __init__(self, world: World, kill_at: int | None = None) -> None:
        self.world = world
        self.kill_at = kill_at
        self.now = datetime.now(UTC)
        self.seen: dict[str, Seen] = {}
        self.steps: tuple[Step, ...] = ()
        self.deaths = 0
        self._began = self.now
        self._operator: Operator | None = None
        self._operators = 0
        self._kinds: set[str] = set()

    @asynccontextmanager
    async def lived(self) -> AsyncIterator["Life"]:
        """Begin with nothing, and leave nothing behind."""
        place = self.world.place
        await self.world.begin(self.now)
        self.world.door.kill_at, self.world.door.kill = self.kill_at, self._kill
        try:
            yield self
        finally:
            self.steps = tuple(self.world.door.steps)
            self.world.door.kill_at = None
            if self._operator is not None:
                self._operator.kill()
                await self._operator.ended()
            place.drop_lease()
            for kind in KINDS:
                for item in place.cluster.get(place.path(kind=kind)).raise_for_status().json()["items"]:
                    name = item["metadata"]["name"]
                    place.patch(name, {"metadata": {"finalizers": None}}, kind=kind).raise_for_status()
                    place.cluster.delete(place.path(name, kind=kind))

    @property
    def daily(self) -> str:
        """A schedule whose moment was an hour ago, and comes again each day."""
        moment = self._began - timedelta(hours=1)
        return f"{moment.minute} {moment.hour} * * *"

    async def create(self, kind: Kind, name: str, spec: Mapping[str, Any]) -> None:
        """Somebody makes a resource, and the operator looks."""
        manifest = {"apiVersion": API_VERSION, "kind": kind.kind, "metadata": {"name": name}, "spec": spec}
        path, strictly = self.world.place.path(kind=kind), {"fieldValidation": "Strict"}
        answer = self.world.place.cluster.post(path, json=manifest, params=strictly)
        assert answer.is_success, answer.text
        self._kinds.add(kind.kind)
        await self.look()

    async def edit(self, kind: Kind, name: str, spec: Mapping[str, Any]) -> None:
        """Somebody changes what is wanted, and the operator looks."""
        self.world.place.patch(name, {"spec": spec}, kind=kind).raise_for_status()
        await self.look()

    async def annotate(self, kind: Kind, name: str, **said: str) -> None:
        """Somebody says something, and the operator looks."""
        annotations = {f"mien.dev/{order}": value for order, value in said.items()}
        self.world.place.patch(name, {"metadata": {"annotations": annotations}}, kind=kind).raise_for_status()
        await self.look()

    async def delete(self, kind: Kind, name: str) -> None:
        """Somebody deletes a resource, and the operator looks until it is gone."""
        place = self.world.place
        place.cluster.delete(place.path(name, kind=kind)).raise_for_status()
        for _ in range(MOST_LOOKS):
            pause = await self.look()
            if self.status(kind, name) is None:
                return
            assert pause is not None, f"{name} stays for ever"
            self.pass_time(pause)
        raise AssertionError(f"{name} is never gone")

    def status(self, kind: Kind, name: str) -> Mapping[str, Any] | None:
        """What is said of a resource; None if it is no more."""
        answer = self.world.place.cluster.get(self.world.place.path(name, kind=kind))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        status: Mapping[str, Any] = answer.raise_for_status().json().get("status", {})
        return status

    async def photos(self) -> None:
        """There are some photos, of nobody's."""
        await self.world.photos(PERSON.tenant, 3)

    async def somebody(self) -> None:
        """There is a user who has left something everywhere."""
        await live(self.world.database, self.world.store, PERSON.tenant, PERSON.user_id)

    async def look(self) -> float | None:
        """Have the operator look, and if it is killed at that, the one after it; the pause until the next look."""
        while True:
            if self._operator is None:
                self._operators += 1
                settings = {**self.world.settings["operator"], "identity": f"operator-{self._operators}"}
                self._operator = await self.world.operators.new(
                    self.world.place.kubeconfig, {**self.world.settings, "operator": settings}
                )
            try:
                return await self._operator.look(self.now, self._kinds)
            except Died:
                assert self._operator.killed, self.world.operators.log
                self.deaths += 1
                await self._operator.ended()
                self._operator = None
                self.world.place.drop_lease()
                self.pass_time(TAKEOVER_SECONDS)

    def pass_time(self, seconds: float) -> None:
        """Let time pass in which the operator doesn't look."""
        self.now += timedelta(seconds=seconds)
        self.world.serving.serve.pass_time(seconds)

    async def run(self, seconds: float) -> None:
        """Let time pass in which the operator looks as often as it wants to, and once a second at most."""
        end = self.now + timedelta(seconds=seconds)
        while True:
            pause = await self.look()
            if self.now >= end:
                return
            left = (end - self.now).total_seconds()
            self.pass_time(max(1.0, min(left, left if pause is None else pause)))

    async def until(self, kind: Kind, name: str, phase: str) -> None:
        """Let time pass until a resource is in this phase."""
        for _ in range(MOST_LOOKS):
            status = self.status(kind, name)
            if status is not None and status.get("phase") == phase:
                return
            await self.run(1.0)
        raise AssertionError(f"{name} never was {phase}: {self.status(kind, name)}")

    async def work(self) -> None:
        """The roles of streams do what there is to do, and the operator looks a while later."""
        await self.world.work()
        self.pass_time(5.0)
        await self.look()

    def note(self, when: str) -> None:
        """Write down all that can be seen."""
        self.seen[when] = self.world.seen(PERSON)

    def _kill(self) -> None:
        assert self._operator is not None
        self._operator.kill()


Play = Callable[[Life], Awaitable[None]]


async def played(world: World, play: Play, kill_at: int | None = None) -> Life:
    """Go through a play in an empty world."""
    async with Life(world, kill_at).lived() as life:
        await play(life)
    return life
