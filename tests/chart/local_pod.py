"""A rendered container as a process of this machine: what a kubelet would do with it, without a container."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from mien_local.ports import HOST, unused_port
from mien_local.processes import Identity, end, exists
from tests.chart.charts import Container, Rendered

_POLL_SECONDS = 0.1


class LocalPod:
    """One container of the chart.

    It is started with its own command and with the rendered environment and nothing else. Volumes are folders, and
    paths below where they are mounted lead there; ports are free ones of the loopback address.

    Args:
        rendered: where its ConfigMaps are.
        container: what to run.
        secrets: what is in the Secrets that it refers to.
        folder: for its volumes and its log.
        ports: the container's ports that are moved, each with the setting that moves it, if there is one.
        settings: what must differ on one machine besides.
    """

    def __init__(
        self,
        rendered: Rendered,
        container: Container,
        secrets: Mapping[str, Mapping[str, str]],
        folder: Path,
        *,
        ports: Mapping[int, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.container = container
        self.name = f"{container.component}-{container.role}".strip("-")
        self._folder = folder / self.name
        self._volumes = {
            mount["mountPath"]: self._folder / mount["name"] for mount in container.spec.get("volumeMounts", ())
        }
        for volume in self._volumes.values():
            volume.mkdir(parents=True)
        self.ports = {port: unused_port() for port in ports or ()}
        self.command: Sequence[str] = (*container.spec.get("command", ()), *container.spec.get("args", ()))
        fields = {"metadata.name": self.name, "metadata.namespace": "here"}
        self.environment = {
            **{name: self._moved(value) for name, value in rendered.environment(container, secrets, fields).items()},
            **{setting: str(self.ports[port]) for port, setting in (ports or {}).items() if setting},
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What it prints."""
        return self._folder / "log"

    def start(self) -> None:
        """Start its command."""
        words = [self._moved(word) for word in self.command]
        words[0] = sys.executable if words[0] == "python" else words[0]
        # a search path is what an image has, too
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder)} | self.environment
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                words, env=environment, cwd=self._folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def probe(self, name: str) -> bool:
        """Do what one of its probes says; whether it found it well."""
        probe: dict[str, Any] = self.container.spec[name]
        if "exec" in probe:
            command = [self._moved(word) for word in probe["exec"]["command"]]
            return subprocess.run(command, check=False, timeout=probe["timeoutSeconds"]).returncode == 0
        asked = probe["httpGet"]
        numbers = {port["name"]: port["containerPort"] for port in self.container.spec["ports"]}
        port = numbers[asked["port"]]
        try:
            answer = httpx.get(f"http://{HOST}:{self.ports.get(port, port)}{asked['path']}", timeout=30.0)
        except httpx.TransportError:
            return False
        return answer.is_success

    def wait_until(self, probe: str, seconds: float, restarts: int = 0) -> None:
        """Return once a probe finds it well; start it again if it ends before, so often.

        Raises:
            AssertionError: it ended too often, or time is up.
        """
        deadline = time.monotonic() + seconds
        while not self.probe(probe):
            assert self._process is not None
            if self._process.poll() is not None:
                assert restarts > 0, f"{self.name} ended:\n{self.log.read_text()}"
                restarts -= 1
                self.start()
            assert time.monotonic() < deadline, f"{self.name}: {probe} fails:\n{self.log.read_text()}"
            time.sleep(_POLL_SECONDS)

    def finish(self, seconds: float) -> int:
        """Wait for its own end; its exit status."""
        assert self._process is not None
        return self._process.wait(seconds)

    def terminate(self) -> int:
        """Ask it to end, as a kubelet does, and give it its grace; its exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(self.container.pod["spec"]["terminationGracePeriodSeconds"])

    def kill(self) -> None:
        """Leave nothing of it behind."""
        if self._process is not None and exists(self._process.pid):
            end(Identity.of(self.name, self._process.pid), 0.0)
            self._process.wait()

    def _moved(self, text: str) -> str:
        for mounted, folder in self._volumes.items():
            if text == mounted or text.startswith(f"{mounted}/"):
                return str(folder) + text.removeprefix(mounted)
        return text


@contextlib.contextmanager
def running(*pods: LocalPod) -> Iterator[None]:
    """Start them all at once; whatever still runs at the block's end is killed."""
    try:
        for pod in pods:
            pod.start()
        yield
    finally:
        for pod in pods:
            pod.kill()
