"""Rollouts on a real Ray Serve, under load: nobody notices, whatever is rolled out, aborted or rolled back."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import httpx
import pytest
from pydantic import SecretStr

from mien_core.errors import Unavailable
from mien_core.model.keys import photo_key
from mien_core.rules.serve_config import ServeOptions, revision_name
from mien_local.parts.ray import Ray
from mien_local.ports import HOST
from mien_operator.controller import Resource
from mien_operator.plan import Condition, Note
from mien_operator.rollouts.controller import Elders, RolloutController
from mien_operator.rollouts.serve_api import RouterApi, ServeApi
from mien_operator.rollouts.serve_state import FACE, ServeState
from mien_operator.rollouts.spec import ModelRolloutSpec
from mien_operator.rollouts.status import ModelRolloutStatus, Phase
from mien_serving.app import FaceRevisionArguments
from mien_serving.artifact import digest_of, pack
from tests import tiny_revision
from tests.parts import run, stage

pytestmark = pytest.mark.timeout(1800)

TINY = "tests.tiny_revision:face_revision"
DEADLINE_SECONDS = 600.0
ROLLBACK_SECONDS = 5.0
REQUESTS = 5_000
LONG_REQUESTS = 100_000
USERS = 6
STEPS = [{"setWeight": 20}, {"analysis": {}}, {"setWeight": 100}]
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class TinyServe(ServeApi):
    """Serve's API with the small revision in the place of the real one."""

    async def state(self) -> ServeState:
        """As the operator would see it."""
        seen = await ServeApi.state(self)
        return ServeState(
            {name: replace(one, config=_with(one.config, FACE)) for name, one in seen.applications.items()}
        )

    async def put(self, configuration: Mapping[str, Any]) -> None:
        """As the operator would put it."""
        applications = [_with(application, TINY) for application in configuration["applications"]]
        await ServeApi.put(self, {**configuration, "applications": applications})


def _with(application: Mapping[str, Any], import_path: str) -> dict[str, Any]:
    if application.get("import_path") not in {FACE, TINY}:
        return dict(application)
    return {**application, "import_path": import_path}


@dataclass
class Operator:
    """Does for one rollout what the operator's process does for all."""

    controller: RolloutController
    resource: Resource[ModelRolloutSpec]
    conditions: tuple[Condition, ...] = ()
    notes: list[Note] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def said(self) -> ModelRolloutStatus:
        return ModelRolloutStatus.model_validate(dict(self.resource.status))

    async def work(self) -> None:
        """Look, do, write; again when it's time or something changed."""
        while True:
            self._changed.clear()
            try:
                seconds = await self._look()
            except Unavailable:
                # a machine that stands still for a while, as Serve while it starts again
                seconds = 1.0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._changed.wait()

    async def _look(self) -> float | None:
        resource = self.resource
        observed = await self.controller.observe(resource)
        plan = self.controller.reconcile(resource, observed, datetime.now(UTC))
        for action in plan.actions:
            await self.controller.perform(resource, action)
        self.notes += plan.notes
        self.conditions = plan.conditions
        status = {**plan.status, "observedGeneration": resource.generation}
        self.resource = replace(self.resource, status=status)
        return plan.look_again_seconds

    def edit(self, **spec: Any) -> None:
        """Change the spec."""
        changed = self.resource.spec.model_dump(by_alias=True, exclude_none=True, mode="json") | spec
        self.resource = replace(
            self.resource, spec=ModelRolloutSpec.model_validate(changed), generation=self.resource.generation + 1
        )
        self._changed.set()

    def look(self) -> None:
        """Don't wait for the time to come."""
        self._changed.set()

    def annotate(self, order: str) -> None:
        """Say something by an annotation."""
        said = {**self.resource.annotations, f"mien.dev/{order}": str(self.resource.generation)}
        self.resource = replace(self.resource, annotations=said)
        self._changed.set()


@dataclass
class Users:
    """People who ask all the time; what each heard, when, and from which revision."""

    http: httpx.AsyncClient
    heard: list[tuple[float, int, str]] = field(default_factory=list)

    async def ask(self, name: str) -> None:
        """Ask again and again."""
        visit = 0
        while True:
            visit += 1
            upload_id = str(uuid4())
            body = {"upload_id": upload_id, "photo_key": photo_key(upload_id), "subject": f"{name}/{visit % 50}"}
            began = time.monotonic()
            try:
                response = await self.http.post("/v1/face", json=body)
                heard = response.status_code, response.json().get("model_revision", response.text)
            except httpx.TransportError as error:
                heard = 0, repr(error)
            self.heard.append((began, *heard))

    async def more(self, count: int) -> None:
        """Wait until so many more answers came."""
        wanted = len(self.heard) + count
        await until(lambda: len(self.heard) >= wanted)

    def since(self, moment: float) -> set[str]:
        """Who answered what was asked since then."""
        return {revision for began, _, revision in self.heard if began >= moment}

    @property
    def failed(self) -> list[tuple[float, int, str]]:
        return [one for one in self.heard if one[1] != 200]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, str]]:
    """Artifacts by name."""
    folder = tmp_path_factory.mktemp("artifacts")
    made = {}
    for name in ("a", "b", "c"):
        packed = pack({"model.txt": name.encode()}, name)
        path = folder / f"{name}.zip"
        path.write_bytes(packed)
        made[name] = {"uri": path.as_uri(), "digest": digest_of(packed)}
    return made


@pytest.fixture(scope="module")
def ray_head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ray]:
    folder = tmp_path_factory.mktemp("ray")
    part = Ray(stage(folder), {tiny_revision.CACHE: str(folder / "cache"), "PYTHONPATH": str(REPOSITORY)})
    for _ in run(part):
        yield part


@pytest.fixture(scope="module")
async def operator(ray_head: Ray, artifacts: Mapping[str, Mapping[str, str]]) -> AsyncIterator[Operator]:
    """An operator at work, with the revision a answering."""
    options = ServeOptions(http_host=HOST, http_port=ray_head.stage.home.port("serving"), cpus_per_replica=0)
    token = SecretStr(ray_head.rest_headers["Authorization"].removeprefix("Bearer "))
    spec = ModelRolloutSpec.model_validate(
        {
            "modelRef": {"name": "face"},
            "artifact": artifacts["a"],
            "steps": STEPS,
            "analysis": {
                "metrics": [
                    {"comparator": "Errors", "minSamples": 30},
                    # what is measured here is a machine that does a lot beside
                    {"comparator": "Latency", "minSamples": 30, "margin": 100, "maxShare": 1},
                ]
            },
            "rollbackWindow": "10m",
        }
    )
    resource = Resource("mien", "face", "uid", 1, {}, spec, {}, datetime.now(UTC))
    async with aiohttp.ClientSession() as http:

        async def rollouts() -> list[Resource[ModelRolloutSpec]]:
            return [resource]

        serve = TinyServe(http, ray_head.address, token)
        router = RouterApi(http, f"http://{HOST}:{options.http_port}")
        at_work = Operator(RolloutController(serve, router, Elders(rollouts), options), resource)
        task = asyncio.create_task(at_work.work())
        try:
            await until(lambda: at_work.said.phase is Phase.HEALTHY, task)
            yield at_work
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def users(ray_head: Ray, operator: Operator) -> AsyncIterator[Users]:
    """People who ask while a test runs; none of them heard anything but an answer."""
    assert operator.said.phase is Phase.HEALTHY
    address = f"http://{HOST}:{ray_head.stage.home.port('serving')}"
    async with httpx.AsyncClient(base_url=address, timeout=60) as http:
        people = Users(http)
        tasks = [asyncio.create_task(people.ask(f"user-{number}")) for number in range(USERS)]
        try:
            await until(lambda: len(people.heard) > USERS)
            yield people
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool], *watched: asyncio.Task[None]) -> None:
    """Wait for a condition, some minutes at most; whoever is watched must not end meanwhile."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():
            for task in watched:
                if task.done():
                    task.result()
            await asyncio.sleep(0.02)


async def rolled_back(users: Users, name: str, since: float) -> float:
    """Wait until only this revision answers; give the seconds from then on to the last answer of another one."""
    await until(lambda: bool(users.since(time.monotonic() - 1.0) == {name} and len(users.since(since)) >= 1))
    asked = [began for began, _, revision in users.heard if began >= since and revision != name]
    return max(asked, default=since) - since


async def test_nobody_notices_a_rollout(
    operator: Operator, users: Users, artifacts: Mapping[str, Mapping[str, str]], request: pytest.FixtureRequest
) -> None:
    """Promote, go back, forth and back again, and abort under weight: no request fails, going back takes 5 s."""
    a, b, c = (revision_name(artifacts[name]["digest"]) for name in "abc")
    wanted = LONG_REQUESTS if request.config.getoption("--long") else REQUESTS
    backs: list[float] = []

    async def go(name: str, revision: str) -> float:
        since = time.monotonic()
        operator.edit(artifact=artifacts[name])
        await until(lambda: operator.said.phase is Phase.HEALTHY and operator.said.stable_revision == revision)
        return since

    while len(users.heard) < wanted or not backs:
        await go("b", b)
        assert operator.said.history[-1].outcome in {"Promoted", "Returned"}
        backs.append(await rolled_back(users, a, await go("a", a)))
        await go("b", b)
        backs.append(await rolled_back(users, a, await go("a", a)))
        operator.edit(artifact=artifacts["c"], steps=[{"setWeight": 50}, {"pause": {}}, *STEPS[1:]])
        await until(lambda: operator.said.phase is Phase.PAUSED)
        await until(lambda: c in users.since(0))
        since = time.monotonic()
        operator.annotate("abort")
        backs.append(await rolled_back(users, a, since))
        await until(lambda: operator.said.phase is Phase.ABORTED)
        operator.edit(artifact=artifacts["a"], steps=STEPS)
        await until(lambda: operator.said.phase is Phase.HEALTHY)
        await users.more(20)
    assert users.failed == []
    assert users.since(0) == {a, b, c}
    assert max(backs) <= ROLLBACK_SECONDS, backs
    print(f"\n{len(users.heard)} requests, none failed; back within {', '.join(f'{one:.2f}' for one in backs)} s")  # noqa: T201


async def test_what_serve_forgot_is_told_again(ray_head: Ray, operator: Operator) -> None:
    """A Serve that lost everything, as after a restart of its head, runs the same again, and an Event says so."""
    answer = await asyncio.to_thread(httpx.delete, ray_head.rest_url, headers=dict(ray_head.rest_headers), timeout=60.0)
    assert answer.is_success
    operator.notes.clear()
    operator.look()
    await until(lambda: "Healed" in {note.reason for note in operator.notes})
    await until(lambda: operator.said.phase is Phase.HEALTHY)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"digest": "sha256:" + "0" * 64}, "ArtifactDigestMismatch"),
        ({"digest": "sha256:" + "1" * 64, "uri": "file:///nowhere/face.zip"}, "ArtifactNotFound"),
    ],
)
async def test_a_wrong_artifact_reaches_the_condition(
    operator: Operator,
    users: Users,
    artifacts: Mapping[str, Mapping[str, str]],
    changed: Mapping[str, str],
    reason: str,
) -> None:
    """Serve's message, which has serving's own error, becomes a condition that says what to do; nobody notices."""
    operator.edit(artifact={**artifacts["b"], **changed})
    await until(lambda: operator.said.phase is Phase.ABORTED)
    degraded = next(one for one in operator.conditions if one.type == "Degraded")
    assert degraded.reason == reason
    assert "mien.dev/retry=" in degraded.message
    assert users.failed == []
    operator.edit(artifact=artifacts["a"])
    await until(lambda: operator.said.phase is Phase.HEALTHY)


def test_the_stand_in_is_told_what_the_real_one_is() -> None:
    """What the small revision takes are the real one's arguments."""
    assert set(tiny_revision.Arguments.model_fields) == set(FaceRevisionArguments.model_fields)
