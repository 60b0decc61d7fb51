"""What rollouts on a real Ray Serve are tried with: an operator for one rollout, and people who ask all the time."""

import asyncio
import contextlib
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import aiohttp

from mien_core.errors import Unavailable
from mien_core.model.keys import photo_key
from mien_core.rules.serve_config import ROUTER_APPLICATION
from mien_operator.controller import Resource
from mien_operator.plan import Condition, Note
from mien_operator.rollouts.controller import RolloutController
from mien_operator.rollouts.serve_api import ServeApi
from mien_operator.rollouts.serve_state import FACE, ServeState
from mien_operator.rollouts.spec import ModelRolloutSpec
from mien_operator.rollouts.status import ModelRolloutStatus, Phase

TINY: Final = "tests.tiny_revision:face_revision"
DEADLINE_SECONDS: Final = 300.0
_SUBJECTS: Final = 40
_BETWEEN_SECONDS: Final = 0.02
_REVISION: Final = re.compile(rb'"model_revision":"([^"]+)"')


@dataclass(frozen=True)
class TinyServe(ServeApi):
    """Serve's API with the small revision in the place of the real one."""

    async def state(self) -> ServeState:
        """As the operator would see it."""
        seen = await ServeApi.state(self)
        applications = {name: replace(one, config=_with(one.config, FACE)) for name, one in seen.applications.items()}
        return replace(seen, applications=applications)

    async def put(self, configuration: Mapping[str, Any]) -> None:
        """As the operator would put it."""
        applications = [_with(application, TINY) for application in configuration["applications"]]
        await ServeApi.put(self, {**configuration, "applications": applications})


def _with(application: Mapping[str, Any], import_path: str) -> dict[str, Any]:
    if application.get("import_path") not in {FACE, TINY}:
        return dict(application)
    return {**application, "import_path": import_path}


class Look(NamedTuple):
    """A look of the operator: when it began, seconds until it had seen and had put, and what it saw and said."""

    at: float
    seen: float
    put: float
    generation: int
    phase: str
    reason: str
    weights: Mapping[str, float]
    router: str


@dataclass
class Operator:
    """Does for one rollout what the operator's process does for all."""

    controller: RolloutController
    resource: Resource[ModelRolloutSpec]
    conditions: tuple[Condition, ...] = ()
    notes: list[Note] = field(default_factory=list)
    looks: deque[Look] = field(default_factory=lambda: deque(maxlen=200))
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _working: asyncio.Task[None] | None = None

    @property
    def said(self) -> ModelRolloutStatus:
        """The status."""
        return ModelRolloutStatus.model_validate(dict(self.resource.status))

    @property
    def rests(self) -> bool:
        """Whether all that was asked for last is done and nothing is going on."""
        seen = self.resource.status.get("observedGeneration") == self.resource.generation
        return seen and self.said.phase in {Phase.HEALTHY, Phase.COMPARED, Phase.ABORTED}

    def condition(self, kind: str) -> Condition:
        """One of the conditions."""
        return next(one for one in self.conditions if one.type == kind)

    def begin(self) -> None:
        """Start to work."""
        self._working = asyncio.create_task(self._work())

    async def end(self) -> None:
        """Stop."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)

    async def until(self, condition: Callable[["Operator"], bool]) -> None:
        """Wait for a condition, some minutes at most.

        Raises:
            TimeoutError: it never was so; with the status.
            Exception: whatever ended the operator's work.
        """
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition(self):
            if self._working is not None and self._working.done():
                self._working.result()
            if time.monotonic() > deadline:
                raise TimeoutError(f"It does not come to that: {self.resource.status} {self.conditions}")
            await asyncio.sleep(0.02)

    async def want(self, artifact: Mapping[str, str], **spec: Any) -> None:
        """Name an artifact and wait until its rollout is over, however it ends."""
        self.edit(artifact=artifact, **spec)
        await self.until(lambda _: self.rests)

    def edit(self, **spec: Any) -> None:
        """Change the spec."""
        changed = self.resource.spec.model_dump(by_alias=True, exclude_none=True, mode="json") | spec
        self.resource = replace(
            self.resource, spec=ModelRolloutSpec.model_validate(changed), generation=self.resource.generation + 1
        )
        self.look()

    def annotate(self, order: str) -> None:
        """Say something by an annotation."""
        said = {**self.resource.annotations, f"mien.dev/{order}": str(self.resource.generation)}
        self.resource = replace(self.resource, annotations=said)
        self.look()

    def look(self) -> None:
        """Don't wait for the time to come."""
        self._changed.set()

    def account(self, since: float) -> str:
        """What its looks since then saw and did, one a line."""
        lines = (f"{one.at - since:6.2f} s: {one[1:]}" for one in self.looks if one.at >= since - 1)
        return "\n".join(lines)

    async def _work(self) -> None:
        """Look, do, write; again when it's time or something changed."""
        while True:
            self._changed.clear()
            try:
                seconds = await self._look()
            except Unavailable:
                # a machine that stands still for a while, or Serve while it starts again
                seconds = 1.0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._changed.wait()

    async def _look(self) -> float | None:
        resource, began = self.resource, time.monotonic()
        observed = await self.controller.observe(resource)
        seen = time.monotonic() - began
        plan = self.controller.reconcile(resource, observed, datetime.now(UTC))
        for action in plan.actions:
            await self.controller.perform(resource, action)
        put = time.monotonic() - began - seen if plan.actions else 0.0
        router = observed.serve.applications.get(ROUTER_APPLICATION)
        self.looks.append(
            Look(
                at=began,
                seen=seen,
                put=put,
                generation=resource.generation,
                phase=plan.status["phase"],
                reason=next(one.reason for one in plan.conditions if one.type == "Progressing"),
                weights=observed.serve.weights,
                router="" if router is None else f"{router.status} {router.replicas} and {router.updating} updating",
            )
        )
        self.notes += plan.notes
        self.conditions = plan.conditions
        status = {**plan.status, "observedGeneration": resource.generation}
        self.resource = replace(self.resource, status=status)
        return plan.look_again_seconds


class Heard(NamedTuple):
    """An answer: when it was asked for, by whom, its status, and the revision that gave it (or what was wrong)."""

    at: float
    subject: str
    status: int
    revision: str


class Users:
    """People who ask all the time.

    Args:
        http: how they reach serving.
    """

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.heard: list[Heard] = []
        self._http = http
        self._tasks: list[asyncio.Task[None]] = []
        self._visits = 0

    def begin(self, count: int) -> None:
        """Let so many of them ask."""
        self._tasks += [asyncio.create_task(self._ask()) for _ in range(count)]

    async def end(self) -> None:
        """Let them go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def more(self, count: int) -> None:
        """Wait until so many more answers came."""
        wanted = len(self.heard) + count
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(self.heard) < wanted:  # noqa: ASYNC110 - answers come by many tasks
                await asyncio.sleep(0.02)

    def since(self, moment: float) -> list[Heard]:
        """What was asked since then."""
        return [one for one in self.heard if one.at >= moment]

    def revisions(self, moment: float = 0.0) -> set[str]:
        """Who answered what was asked since then."""
        return {one.revision for one in self.since(moment)}

    @property
    def failed(self) -> list[Heard]:
        """Whatever was no answer."""
        return [one for one in self.heard if one.status != 200]

    async def _ask(self) -> None:
        while True:
            self._visits += 1
            # not at random: the same photos in each run, so that what is compared hardly depends on luck
            upload_id, subject = f"photo-{self._visits}", f"acme/user-{self._visits % _SUBJECTS}"
            began = time.monotonic()
            status, revision = await self._answer(upload_id, subject)
            self.heard.append(Heard(began, subject, status, revision))
            await asyncio.sleep(_BETWEEN_SECONDS)

    async def _answer(self, upload_id: str, subject: str) -> tuple[int, str]:
        body = {"upload_id": upload_id, "photo_key": photo_key(upload_id), "subject": subject}
        try:
            async with self._http.post("/v1/face", json=body) as response:
                text = await response.read()
                said = _REVISION.search(text)
                return response.status, said[1].decode() if said else repr(text[:200])
        except (aiohttp.ClientError, TimeoutError) as error:
            return 0, repr(error)
