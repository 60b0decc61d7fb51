"""Operators as processes, under the ServiceAccount and the role that are made from the code."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil

from mien_core.faults import FIRED_SUFFIX, Fault
from mien_local.cluster.control_plane import ControlPlane
from mien_local.ports import unused_port
from mien_operator import rbac
from mien_operator.crds.definition import API_VERSION, Kind, definition
from tests.widgets import WIDGET, World

ROOT = Path(__file__).parent.parent
DEADLINE_SECONDS = 120.0
STOP_SECONDS = 15.0
# a machine that stands still is no reason to give up leading, where no test is about that
PATIENT = {"MIEN_OPERATOR__ELECTION__DURATION": "600", "MIEN_OPERATOR__ELECTION__DEADLINE": "590"}
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_MERGE = {"Content-Type": "application/merge-patch+json"}


def until(condition: Callable[[], object], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Return once the condition is true, also if asking for it fails in between."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, f"waited for it in vain: {what}"
        time.sleep(0.05)


def install(cluster: httpx.Client, kind: Kind) -> None:
    """Let the API server know a kind, and wait until it serves it."""
    answer = cluster.post(_CRDS, json=definition(kind))
    assert answer.is_success or answer.status_code == httpx.codes.CONFLICT, answer.text

    def established() -> bool:
        conditions = cluster.get(f"{_CRDS}/{kind.name}").json().get("status", {}).get("conditions") or []
        return any(entry["type"] == "Established" and entry["status"] == "True" for entry in conditions)

    until(established, f"{kind.name} is established")
    until(lambda: cluster.get(f"/apis/{API_VERSION}/{kind.plural}").is_success, f"{kind.name} is served")


@contextmanager
def new_place(
    control_plane: ControlPlane, cluster: httpx.Client, folder: Path, kinds: Sequence[Kind] = (WIDGET,)
) -> Iterator["Place"]:
    """A place for as long as the block lasts."""
    place = Place(control_plane, cluster, folder, kinds)
    try:
        yield place
    finally:
        place.close()


class Running:
    """An operator's process.

    Args:
        process: it.
        port: where it says how it is.
        plan: the file that mien_core.faults reads.
        log: what it wrote.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, plan: Path, log: Path) -> None:
        self.process = process
        self.port = port
        self._plan = plan
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def health(self) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"http://127.0.0.1:{self.port}/healthz", timeout=5).json()
        return answer

    def metrics(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5).text

    def until_leading(self) -> None:
        until(lambda: self.health()["leading"], "the operator leads")

    def arm(self, fault: Fault) -> None:
        """Let this happen to it."""
        unfinished = self._plan.with_suffix(".unfinished")
        unfinished.write_text(str(fault))
        unfinished.replace(self._plan)

    @property
    def fired(self) -> bool:
        return self._plan.with_suffix(FIRED_SUFFIX).exists()

    @property
    def memory(self) -> int:
        return psutil.Process(self.process.pid).memory_info().rss

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        return self.process.wait(DEADLINE_SECONDS)


class Place:
    """A namespace with an operator's account in it, and the widgets there.

    Args:
        control_plane: the cluster.
        cluster: its API, as its administrator.
        folder: for what lies outside of the cluster.
        kinds: those that the operator here looks after; widgets, unless it is the product's.
    """

    def __init__(
        self, control_plane: ControlPlane, cluster: httpx.Client, folder: Path, kinds: Sequence[Kind] = (WIDGET,)
    ) -> None:
        self.cluster = cluster
        self.namespace = f"test-{uuid4().hex[:12]}"
        self.world = World(folder / "world")
        self.kubeconfig = folder / "kubeconfig"
        self._folder = folder
        self._started = 0
        self._kinds = kinds
        for kind in kinds:
            install(cluster, kind)
        cluster.post("/api/v1/namespaces", json={"metadata": {"name": self.namespace}}).raise_for_status()
        self._grant()
        self.kubeconfig.write_text(control_plane.kubeconfig_of(self.namespace, rbac.NAME))

    def _grant(self) -> None:
        rights = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.namespace}"
        for path, manifest in (
            (f"/api/v1/namespaces/{self.namespace}/serviceaccounts", rbac.service_account(self.namespace)),
            (f"{rights}/roles", rbac.role(self._kinds, self.namespace)),
            (f"{rights}/rolebindings", rbac.binding(self.namespace)),
        ):
            self.cluster.post(path, json=manifest).raise_for_status()

    def close(self) -> None:
        """Delete the namespace with all that is in it, also what no operator lets go any more."""
        for kind in self._kinds:
            for item in self.cluster.get(self.path(kind=kind)).raise_for_status().json()["items"]:
                self.patch(item["metadata"]["name"], {"metadata": {"finalizers": None}}, kind=kind)
        self.cluster.delete(f"/api/v1/namespaces/{self.namespace}").raise_for_status()

    @contextmanager
    def operator(self, *module: str, **environment: str) -> Iterator[Running]:
        """Start an operator, that of widgets unless a module is named; the block's end stops it, if it still runs."""
        self._started += 1
        name = f"operator-{self._started}"
        plan = self._folder / f"{name}.plan"
        port, log = unused_port(), self._folder / f"{name}.log"
        settings = {
            "KUBECONFIG": str(self.kubeconfig),
            "MIEN_ENVIRONMENT": "test",
            "MIEN_FAULTS": str(plan),
            "MIEN_OPERATOR__NAMESPACE": self.namespace,
            "MIEN_OPERATOR__HOST": "127.0.0.1",
            "MIEN_OPERATOR__PORT": str(port),
            **PATIENT,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            **environment,
        }
        words = module or ("tests.operator_process", str(self._folder / "world"))
        command = [sys.executable, "-m", *words]
        with log.open("wb") as output:
            process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=output, stderr=output)
        try:
            yield Running(process, port, plan, log)
        except BaseException:
            print(log.read_text()[-8000:])  # noqa: T201 - pytest shows it beside the failure
            raise
        finally:
            # told to stop, it lets the next one lead at once
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self.drop_lease()

    def path(self, name: str = "", part: str = "", kind: Kind = WIDGET) -> str:
        path = f"/apis/{API_VERSION}/namespaces/{self.namespace}/{kind.plural}"
        return "/".join([path, *([name] if name else []), *([part] if part else [])])

    def create(self, name: str, **spec: Any) -> httpx.Response:
        manifest = {"apiVersion": API_VERSION, "kind": WIDGET.kind, "metadata": {"name": name}, "spec": spec}
        return self.cluster.post(self.path(), json=manifest, params={"fieldValidation": "Strict"})

    def patch(self, name: str, patch: Mapping[str, Any], part: str = "", kind: Kind = WIDGET) -> httpx.Response:
        return self.cluster.patch(self.path(name, part, kind), content=json.dumps(patch), headers=_MERGE)

    def get(self, name: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.cluster.get(self.path(name)).raise_for_status().json()
        return answer

    def status(self, name: str) -> dict[str, Any]:
        status: dict[str, Any] = self.get(name).get("status", {})
        return status

    def condition(self, name: str, kind: str = "Ready") -> dict[str, Any]:
        found = [entry for entry in self.status(name).get("conditions", []) if entry["type"] == kind]
        return found[0] if found else {}

    def is_gone(self, name: str) -> bool:
        return self.cluster.get(self.path(name)).status_code == httpx.codes.NOT_FOUND

    def events(self, name: str) -> list[dict[str, Any]]:
        answer = self.cluster.get(f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events").raise_for_status()
        return [event for event in answer.json()["items"] if event["regarding"]["name"] == name]

    def drop_lease(self) -> None:
        """Let the next operator lead at once, whatever became of the one before."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/{rbac.NAME}"
        assert self.cluster.delete(path).status_code in {httpx.codes.OK, httpx.codes.NOT_FOUND}
