"""A real Kubernetes control plane for tests, and the programs by which charts are installed and checked."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from mien_core.errors import Unavailable
from mien_local.cluster.control_plane import ControlPlane
from mien_local.cluster.programs import API_SERVER, CLUSTER_PROGRAMS, ETCD, HELM, KUBECONFORM, KUBECTL
from mien_local.golang.build import build
from mien_local.golang.program import GoProgram
from mien_local.home import Home
from mien_local.parts.part import Stage
from tests import waiting
from tests.parts import run, skip_or_fail, stage

_BUILT_FOR = {
    "control_plane": tuple(program for program in CLUSTER_PROGRAMS if program not in {HELM, KUBECONFORM, KUBECTL}),
    "helm": (HELM,),
    "kubeconform": (KUBECONFORM,),
    "operator_demo_programs": (ETCD, API_SERVER, KUBECTL),
}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the chosen tests need, before the time of any of them begins: the first time takes minutes."""
    if session.config.option.collectonly:
        return
    used = {name for item in session.items if isinstance(item, pytest.Function) for name in item.fixturenames}
    needed = {program for name in _BUILT_FOR.keys() & used for program in _BUILT_FOR[name]}
    missing = [program for program in CLUSTER_PROGRAMS if program in needed and not program.path.exists()]
    if not missing:
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    folder = session.config._tmp_path_factory.mktemp("builds")  # type: ignore[attr-defined]  # as the fixture has it
    home = Home(folder)
    home.prepare()

    def note(name: str, line: str) -> None:
        if reporter is not None:
            reporter.write_line(f"{name}: {line}")

    def build_all(programs: list[GoProgram]) -> None:
        for program in programs:
            try:
                build(program, Stage(home, note=note), program.name)
            except Unavailable as error:
                note(program.name, error.detail)  # the fixtures skip or fail, each test with its reason
                return

    # a module's programs one after the other, since they share packages; the modules side by side
    modules = {program.module for program in missing}
    with ThreadPoolExecutor(len(modules)) as threads:
        list(threads.map(build_all, ([each for each in missing if each.module == module] for module in modules)))


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A cluster that this test run shares: what a test makes beside its namespace has names that no other test has."""
    part = ControlPlane(stage(tmp_path_factory.mktemp("cluster")))
    for _ in run(part):
        yield part


@pytest.fixture(scope="session")
def cluster(control_plane: ControlPlane) -> Iterator[httpx.Client]:
    """The API of the cluster, as its administrator."""
    with control_plane.client() as client:
        yield client


@pytest.fixture
def namespace(cluster: httpx.Client) -> Iterator[str]:
    """A namespace that is this test's own, ready for pods; it is deleted afterwards with all that is in it."""
    name = f"test-{uuid4().hex[:12]}"
    cluster.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    waiting.until(lambda: cluster.get(account).is_success, "the namespace's ServiceAccount")
    yield name
    cluster.delete(f"/api/v1/namespaces/{name}").raise_for_status()


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program helm."""
    return _built(HELM, stage(tmp_path_factory.mktemp("helm")))


@pytest.fixture(scope="session")
def kubeconform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program kubeconform."""
    return _built(KUBECONFORM, stage(tmp_path_factory.mktemp("kubeconform")))


@pytest.fixture(scope="session")
def operator_demo_programs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What `mien operator-demo` would build first."""
    for program in _BUILT_FOR["operator_demo_programs"]:
        _built(program, stage(tmp_path_factory.mktemp(program.name)))


def _built(program: GoProgram, on: Stage) -> Path:
    try:
        return build(program, on, program.name)
    except Unavailable as error:
        skip_or_fail(program.name, error)
