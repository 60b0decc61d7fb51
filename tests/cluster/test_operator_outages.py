"""The API server is away, or its watches fall silent: what was missed is found, and nothing is written for nothing."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from mien_local.cluster.control_plane import ControlPlane
from mien_operator.apply import FINALIZER
from mien_operator.crds.definition import API_VERSION, Kind
from mien_operator.kinds import KINDS, MODEL_ROLLOUT
from tests import wire
from tests.kills.world import Serving
from tests.operators import Place, new_place, until
from tests.rollout_world import artifact
from tests.widgets import WIDGET, Piece

MANY = 1000
SEVERAL = 100
IDLE_SECONDS = 5.0
# so long that each that is refused is looked at again
LONG_SECONDS = 60.0
PATIENCE_SECONDS = 900.0
MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def place(
    control_plane: ControlPlane, cluster: httpx.Client, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A namespace that knows widgets."""
    with new_place(control_plane, cluster, tmp_path_factory.mktemp("place")) as place:
        yield place


def is_made(place: Place, name: str) -> bool:
    return place.status(name).get("phase") == "Made"


def test_what_watches_miss_is_found(place: Place, control_plane: ControlPlane) -> None:
    """Connections that were cut come back; on those that fell silent nobody waits, for a look finds what is new."""
    text = place.kubeconfig.read_text()
    with wire.laid(httpx.URL(control_plane.url).port or 443) as line:
        place.kubeconfig.write_text(text.replace(control_plane.url, f"https://127.0.0.1:{line.port}"))
        try:
            with place.operator(MIEN_OPERATOR__PROBE_SECONDS="2") as operator:
                operator.until_leading()
                place.create("before", size=1).raise_for_status()
                until(lambda: is_made(place, "before"), "it is made")
                line.cut()
                place.create("cut", size=1).raise_for_status()
                line.mend()
                until(lambda: is_made(place, "cut"), "it is made after the cut")
                line.stand_still()
                place.create("silent", size=1).raise_for_status()
                until(lambda: is_made(place, "silent"), "it is found")
        finally:
            place.kubeconfig.write_text(text)
    assert place.world.done_twice == []


def test_an_api_server_that_crashed_is_waited_for(place: Place, control_plane: ControlPlane) -> None:
    """Watches, the lease and the work go on where they were; nothing is done twice."""
    with place.operator() as operator:
        operator.until_leading()
        place.create("early", size=1).raise_for_status()
        until(lambda: is_made(place, "early"), "it is made")
        control_plane.restart_api_server()
        until(lambda: place.create("late", size=1).is_success, "the API server takes it")
        until(lambda: is_made(place, "late"), "it is made")
        assert operator.process.poll() is None
        assert operator.health()["leading"] is True
    assert place.world.done_twice == []


def test_idle_resources_cost_no_writes_and_little_memory(place: Place, request: pytest.FixtureRequest) -> None:
    """Of many that need nothing each is written once; then there is no PATCH, and less than 200 MiB in use."""
    many = MANY if request.config.getoption("--long", default=False) else SEVERAL
    names = [f"idle-{number}" for number in range(many)]
    for name in names:
        place.world.do(name, Piece(0))

    def create(name: str) -> None:
        metadata = {"name": name, "finalizers": [FINALIZER]}
        manifest = {"apiVersion": API_VERSION, "kind": WIDGET.kind, "metadata": metadata, "spec": {"size": 1}}
        place.cluster.post(place.path(), json=manifest).raise_for_status()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(create, names))
    with place.operator(MIEN_OPERATOR__PROBE_SECONDS="2") as operator:
        operator.until_leading()
        until(lambda: all(is_made(place, name) for name in names[-3:]) and made(place) >= many, "all are made")
        before, began = patches(place), time.monotonic()
        time.sleep(IDLE_SECONDS)
        assert patches(place) - before <= time.monotonic() - began
        assert operator.memory <= 200 * MEBIBYTE
        assert operator.health()["secondsSinceLastEvent"] < IDLE_SECONDS


async def test_idle_rollouts_cost_no_writes_and_little_memory(
    control_plane: ControlPlane, cluster: httpx.Client, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """One answers, and many of the same model are refused: that is said once of each, however often it is looked at."""
    is_long = request.config.getoption("--long", default=False)
    many = MANY if is_long else SEVERAL
    with new_place(control_plane, cluster, tmp_path, KINDS) as place:
        async with idle_serving() as serving, asyncio.timeout(PATIENCE_SECONDS):
            settings = {
                "MIEN_INTERNAL_API__URL": serving.url,
                "MIEN_INTERNAL_API__KEY": "a key",
                "MIEN_ROLLOUTS__SERVE_URL": serving.url,
                "MIEN_ROLLOUTS__ROUTER_URL": serving.url,
            }
            await asyncio.to_thread(rollouts_idle, place, many, LONG_SECONDS if is_long else IDLE_SECONDS, settings)


@asynccontextmanager
async def idle_serving() -> AsyncIterator[Serving]:
    """Serving in which time passes."""

    async def pass_time() -> None:
        while True:
            await asyncio.sleep(0.1)
            serving.serve.pass_time(1.0)

    async with Serving().open() as serving:
        serving.begin(datetime.now(UTC))
        passing = asyncio.create_task(pass_time())
        try:
            yield serving
        finally:
            passing.cancel()


def rollouts_idle(place: Place, many: int, seconds: float, settings: Mapping[str, str]) -> None:
    spec = {
        "modelRef": {"name": "face"},
        "artifact": artifact("a"),
        "steps": [{"setWeight": 10}, {"analysis": {}}, {"setWeight": 100}],
        "analysis": {"metrics": [{"comparator": "Errors"}]},
    }

    def create(number: int) -> None:
        manifest = {"apiVersion": API_VERSION, "kind": MODEL_ROLLOUT.kind, "metadata": {"name": f"one-{number}"}}
        place.cluster.post(place.path(kind=MODEL_ROLLOUT), json={**manifest, "spec": spec}).raise_for_status()

    def at_rest() -> bool:
        items = place.cluster.get(place.path(kind=MODEL_ROLLOUT)).raise_for_status().json()["items"]
        phases = Counter(item.get("status", {}).get("phase") for item in items)
        return phases == {"Healthy": 1, "Refused": many - 1}

    create(0)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(create, range(1, many)))
    with place.operator("mien_operator", **settings) as operator:
        operator.until_leading()
        until(at_rest, "one answers, and the others are refused", PATIENCE_SECONDS)
        before, began = patches(place, MODEL_ROLLOUT), time.monotonic()
        time.sleep(seconds)
        written, took = patches(place, MODEL_ROLLOUT) - before, time.monotonic() - began
        print(f"{many} rollouts: {written} PATCHes in {took:.0f} s, {operator.memory / MEBIBYTE:.0f} MiB")  # noqa: T201 - figures
        assert written <= took
        assert operator.memory <= 200 * MEBIBYTE


def made(place: Place) -> int:
    items = place.cluster.get(place.path()).raise_for_status().json()["items"]
    return sum(item.get("status", {}).get("phase") == "Made" for item in items)


def patches(place: Place, kind: Kind = WIDGET) -> int:
    """How many PATCHes of a kind the API server has had."""
    text = place.cluster.get("/metrics").raise_for_status().text
    lines = re.findall(r"^apiserver_request_total\{(.*)\} (\S+)$", text, re.MULTILINE)
    return sum(
        int(float(value))
        for labels, value in lines
        if f'resource="{kind.plural}"' in labels and 'verb="PATCH"' in labels
    )
