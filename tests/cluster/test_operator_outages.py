"""The API server is away, or its watches fall silent: what was missed is found, and nothing is written for nothing."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from mien_local.cluster.control_plane import ControlPlane
from mien_operator.apply import FINALIZER
from mien_operator.crds.definition import API_VERSION
from tests import wire
from tests.operators import Place, new_place, until
from tests.widgets import WIDGET, Piece

MANY = 1000
SEVERAL = 100
IDLE_SECONDS = 5.0
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


def made(place: Place) -> int:
    items = place.cluster.get(place.path()).raise_for_status().json()["items"]
    return sum(item.get("status", {}).get("phase") == "Made" for item in items)


def patches(place: Place) -> int:
    """How many PATCHes of widgets the API server has had."""
    text = place.cluster.get("/metrics").raise_for_status().text
    lines = re.findall(r"^apiserver_request_total\{(.*)\} (\S+)$", text, re.MULTILINE)
    return sum(
        int(float(value))
        for labels, value in lines
        if f'resource="{WIDGET.plural}"' in labels and 'verb="PATCH"' in labels
    )
