"""Rollouts on a real Ray Serve, under load: nobody notices, whatever is rolled out, aborted or rolled back."""

import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import httpx
import pytest
from pydantic import SecretStr

from mien_core.rules.serve_config import ServeOptions, revision_name
from mien_local.parts.ray import Ray
from mien_local.ports import HOST
from mien_operator.controller import Resource
from mien_operator.rollouts.analysis_spec import Comparator
from mien_operator.rollouts.controller import Elders, RolloutController
from mien_operator.rollouts.latest import LatestComparisons
from mien_operator.rollouts.serve_api import RouterApi
from mien_operator.rollouts.spec import ModelRolloutSpec
from mien_operator.rollouts.status import Outcome, Phase
from mien_serving.app import FaceRevisionArguments
from mien_serving.artifact import digest_of
from tests import tiny_revision
from tests.parts import run, stage
from tests.rollouts_on_ray import Operator, TinyServe, Users
from tests.simulated_rollouts import EQUALS, REGRESSIONS, Candidate
from tests.tiny_revision import packed

# the long version takes half an hour where nothing else runs
pytestmark = pytest.mark.timeout(5400)

ROLLBACK_SECONDS: Final = 5.0
REQUESTS: Final = 5_000
LONG_REQUESTS: Final = 100_000
USERS: Final = 4
REPOSITORY: Final = Path(__file__).parents[2]

METRICS: Final[list[dict[str, Any]]] = [{"comparator": one, "minSamples": 250} for one in Comparator]
# What is measured by callers' clocks on a machine that does much beside says little of a revision.
PATIENT: Final = [
    one | {"minSamples": 100} | ({"margin": 100, "maxShare": 1} if one["comparator"] == "Latency" else {})
    for one in METRICS
]
# of Scores enough to be sure for dark skin
BY_TONE: Final = [one | {"minSamplesPerTone": 250} if one["comparator"] == "Scores" else one for one in METRICS]
CANARY: Final[dict[str, Any]] = {
    "strategy": {"type": "Canary"},
    "steps": [{"shadow": {"percent": 100}}, {"analysis": {}}, {"setWeight": 50}, {"analysis": {}}, {"setWeight": 100}],
    "analysis": {"metrics": PATIENT},
}
BLUE_GREEN: Final[dict[str, Any]] = {
    "strategy": {"type": "BlueGreen"},
    "steps": [{"shadow": {"percent": 100}}, {"analysis": {}}],
    "analysis": {"metrics": METRICS},
}

Artifact = Mapping[str, str]
Make = Callable[..., Artifact]


@dataclass(frozen=True)
class Serving:
    """A Ray that runs, and where its Serve answers requests."""

    ray: Ray
    options: ServeOptions

    @property
    def address(self) -> str:
        return f"http://{self.options.http_host}:{self.options.http_port}"


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes artifacts: their name, and what is wrong with them."""
    folder = tmp_path_factory.mktemp("artifacts")

    def made(name: str, candidate: Candidate | None = None, *, stuck: bool = False) -> Artifact:
        content = packed(name, candidate, stuck=stuck)
        path = folder / f"{digest_of(content).removeprefix('sha256:')}.zip"
        path.write_bytes(content)
        return {"uri": path.as_uri(), "digest": digest_of(content)}

    return made


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("ray")
    part = Ray(stage(folder), {tiny_revision.CACHE: str(folder / "cache"), "PYTHONPATH": str(REPOSITORY)})
    options = ServeOptions(http_host=HOST, http_port=part.stage.home.port("serving"), cpus_per_replica=0)
    for _ in run(part):
        yield Serving(part, options)


@pytest.fixture(scope="module")
async def operator(serving: Serving, make: Make) -> AsyncIterator[Operator]:
    """An operator at work, with the revision a answering."""
    token = SecretStr(serving.ray.rest_headers["Authorization"].removeprefix("Bearer "))
    spec = ModelRolloutSpec.model_validate(
        {"modelRef": {"name": "face"}, "artifact": make("a"), "rollbackWindow": "10m", **CANARY}
    )
    resource = Resource("mien", "face", "uid", 1, {}, spec, {}, datetime.now(UTC))

    async def rollouts() -> list[Resource[ModelRolloutSpec]]:
        return [resource]

    async with aiohttp.ClientSession() as http:
        serve = TinyServe(http, serving.ray.address, token)
        comparisons = LatestComparisons(RouterApi(http, serving.address))
        operator = Operator(RolloutController(serve, comparisons, Elders(rollouts), serving.options), resource)
        operator.begin()
        try:
            await operator.until(lambda one: one.rests)
            yield operator
        finally:
            await operator.end()
            await comparisons.close()


@pytest.fixture
async def users(serving: Serving, operator: Operator) -> AsyncIterator[Users]:
    """People who ask while a test runs."""
    assert operator.said.phase is Phase.HEALTHY
    async with aiohttp.ClientSession(serving.address) as http:
        users = Users(http)
        users.begin(USERS)
        try:
            await users.more(USERS)
            yield users
        finally:
            await users.end()


def name_of(artifact: Artifact) -> str:
    return revision_name(artifact["digest"])


async def rolled_back(operator: Operator, users: Users, revision: str, since: float) -> float:
    """Wait until only this revision answers; the seconds until the last request that another one answered."""

    def all_his(_: Operator) -> bool:
        latest = users.since(time.monotonic() - 1.0)
        return bool(latest) and {one.revision for one in latest} == {revision}

    await operator.until(all_his)
    return max((one.at for one in users.since(since) if one.revision != revision), default=since) - since


async def test_nobody_notices_a_rollout(
    operator: Operator, users: Users, make: Make, request: pytest.FixtureRequest
) -> None:
    """Promote, go back, forth and back again, and abort under weight: no request fails, going back takes 5 s."""
    a, b, c = make("a"), make("b"), make("c")
    wanted = LONG_REQUESTS if request.config.getoption("--long") else REQUESTS
    backs: list[float] = []

    async def took(since: float) -> None:
        backs.append(await rolled_back(operator, users, name_of(a), since))
        if backs[-1] > ROLLBACK_SECONDS:
            print(f"\nback after {backs[-1]:.2f} s:\n{operator.account(since)}")  # noqa: T201 - says why

    async def go_back() -> None:
        since = time.monotonic()
        operator.edit(artifact=a)
        await took(since)
        await operator.until(lambda one: one.rests and one.said.stable_revision == name_of(a))

    while len(users.heard) < wanted:
        await operator.want(b)
        assert operator.said.stable_revision == name_of(b)
        await go_back()
        await operator.want(b)
        assert operator.said.history[-1].outcome is Outcome.RETURNED
        await go_back()
        operator.edit(artifact=c, steps=[{"setWeight": 50}, {"pause": {}}, *CANARY["steps"][3:]])
        await operator.until(lambda one: one.said.phase is Phase.PAUSED)
        paused = time.monotonic()
        await users.more(200)
        faithful = {(one.subject, one.revision) for one in users.since(paused)}
        assert len(faithful) == len({subject for subject, _ in faithful}), "a user meets two revisions by turns"
        assert {revision for _, revision in faithful} == {name_of(a), name_of(c)}
        aborted = time.monotonic()
        operator.annotate("abort")
        await took(aborted)
        await operator.until(lambda one: one.said.phase is Phase.ABORTED)
        await operator.want(a, **CANARY)
    assert users.failed == []
    assert users.revisions() == {name_of(one) for one in (a, b, c)}
    print(f"\n{len(users.heard)} requests, none failed; back within {', '.join(f'{one:.2f}' for one in backs)} s")  # noqa: T201
    assert max(backs) <= ROLLBACK_SECONDS, backs


async def test_what_serve_forgot_is_told_again(serving: Serving, operator: Operator) -> None:
    """A Serve that lost everything, as after a restart of its head, runs the same again, and an Event says so."""
    headers = dict(serving.ray.rest_headers)
    async with httpx.AsyncClient(timeout=60.0) as http:
        answer = await http.delete(serving.ray.rest_url, headers=headers)
    assert answer.is_success
    operator.notes.clear()
    operator.look()
    await operator.until(lambda one: "Healed" in {note.reason for note in one.notes})
    await operator.until(lambda one: one.said.phase is Phase.HEALTHY)
    async with aiohttp.ClientSession(serving.address) as http:
        users = Users(http)
        users.begin(1)
        await users.more(3)
        await users.end()
    assert users.failed == []


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("a metric 3 points lower on dark skin only", r"metrics\.radiance is \S+ points lower on dark skin"),
        ("20 % slower", "The candidate takes"),
        ("2 % errors", "requests fail with the candidate"),
        ("NaN in 1 % of answers", "numbers that are none"),
    ],
)
async def test_a_regression_gets_no_request(
    operator: Operator, users: Users, make: Make, kind: str, found: str
) -> None:
    """What is wrong with a candidate shows in copies of requests: it is aborted with what was found, nobody notices."""
    candidate = make(kind, REGRESSIONS[kind].candidate)
    await operator.want(candidate, **BLUE_GREEN | {"analysis": {"metrics": BY_TONE}})
    degraded = operator.condition("Degraded")
    assert (operator.said.phase, degraded.reason) == (Phase.ABORTED, "AnalysisFailed"), operator.said
    assert re.search(found, degraded.message)
    assert "mien.dev/retry=" in degraded.message
    assert operator.condition("Ready").status == "True"
    await operator.want(make("a"), **CANARY)
    assert users.failed == []
    assert users.revisions() == {name_of(make("a"))}


@pytest.mark.parametrize("kind", ["the same", "harmlessly different"])
async def test_what_is_as_good_takes_over(operator: Operator, users: Users, make: Make, kind: str) -> None:
    """Two revisions that differ as any two do, or by less than what matters, change places; nobody notices."""
    candidate = make(kind, EQUALS[kind].candidate)
    await operator.want(candidate, **BLUE_GREEN)
    assert (operator.said.phase, operator.said.stable_revision) == (Phase.HEALTHY, name_of(candidate)), operator.said
    assert [one.outcome for one in operator.said.analysis_runs][-1] == "pass"
    await operator.want(make("a"), **CANARY)
    assert users.failed == []


async def test_what_can_t_be_loaded_says_so(operator: Operator, users: Users, make: Make) -> None:
    """An artifact that is another one, or is nowhere, or never gets ready: a condition says so, and nobody notices."""
    good = make("good")
    wrong = {
        "ArtifactDigestMismatch": {**good, "digest": "sha256:" + "0" * 64},
        "ArtifactNotFound": {"uri": "file:///nowhere/face.zip", "digest": "sha256:" + "1" * 64},
        "ProgressDeadlineExceeded": make("stuck", stuck=True),
    }
    for reason, artifact in wrong.items():
        seconds = 10 if reason == "ProgressDeadlineExceeded" else 600
        await operator.want(artifact, progressDeadlineSeconds=seconds)
        degraded = operator.condition("Degraded")
        assert (operator.said.phase, degraded.reason) == (Phase.ABORTED, reason)
        assert "mien.dev/retry=" in degraded.message
        assert operator.condition("Ready").status == "True"
    await operator.want(make("a"), progressDeadlineSeconds=600)
    assert users.failed == []
    assert users.revisions() == {name_of(make("a"))}


def test_the_stand_in_is_told_what_the_real_one_is() -> None:
    """What the small revision takes are the real one's arguments."""
    assert set(tiny_revision.Arguments.model_fields) == set(FaceRevisionArguments.model_fields)
