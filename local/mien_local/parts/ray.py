"""Ray: one head node with Serve's REST API, all of it on the loopback address and behind a token."""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from mien_local.parts.part import Server, ServerPart, Stage
from mien_local.ports import HOST

_MINIMUM_CPUS = 2
_OBJECT_STORE_BYTES = 256 * 1024 * 1024
_READY_SECONDS = 120.0

_ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    # What runs here has nothing to hand over to another node.
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    # Without it Ray takes the machine's outward address for 127.0.0.1 and listens on all interfaces (on Linux).
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Calls between deployments as gRPC, not as actor tasks: 3 to 4 ms less a request, measured.
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
    # Our deployments never block their loop, so they need no second one to be protected from themselves, and each
    # hop between two loops is a change of threads.
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    # A line a request, written and flushed in the request's path otherwise.
    "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": "100",
    # Serve's controller looks after its deployments ten times a second otherwise, which is work all day long.
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
    # Pictures are large arrays that come and go: memory that is given back to the system each time has to be made anew,
    # page by page, which costs a photo's decoding a third more.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TRIM_THRESHOLD_": str(256 * 1024 * 1024),
    # Ray gives its workers the priority of background jobs; here a person waits for them.
    "RAY_worker_niceness": "0",
}


class Ray(ServerPart):
    """A head node whose workers inherit `worker_environment`; nothing of it survives a restart.

    Args:
        stage: as for every part.
        worker_environment: settings that the Serve applications read.
    """

    name = "ray"
    # its own processes wait 30 s for each other
    starts_after_builds = True

    def __init__(self, stage: Stage, worker_environment: Mapping[str, str]) -> None:
        super().__init__(stage)
        self._worker_environment = dict(worker_environment)
        names = ("gcs", "dashboard", "agent", "client")
        self._ports = {name: stage.home.port(f"ray-{name}") for name in names}
        self._token = stage.home.secret("ray")
        self._server = Server(stage, self.name, grace=10.0)
        self._folder: Path | None = None
        self._incarnation = 0

    @property
    def rest_url(self) -> str:
        """Serve's REST API: GET and PUT, with rest_headers."""
        return f"http://{HOST}:{self._ports['dashboard']}/api/serve/applications/"

    @property
    def rest_headers(self) -> Mapping[str, str]:
        """What proves to Ray that the caller may."""
        return {"Authorization": f"Bearer {self._token}"}

    @property
    def address(self) -> str:
        """Where its dashboard and its REST API are."""
        return f"http://{HOST}:{self._ports['dashboard']}"

    def start(self) -> None:
        """Start the head node and wait until the REST API answers."""
        self._clear_up()
        self._incarnation += 1
        # Sockets lie in there, and their paths are limited to about 100 characters: not in the data folder.
        self._folder = Path(tempfile.mkdtemp(prefix="mien-", dir="/tmp"))
        self._logs.symlink_to(self._folder / "session_latest" / "logs")
        # on a stalling machine Ray gives its own processes up after 30 s
        self._server.bring_up(
            [
                sys.executable,
                *("-m", "ray.scripts.scripts", "start", "--head", "--block"),
                f"--node-ip-address={HOST}",
                f"--port={self._ports['gcs']}",
                f"--dashboard-host={HOST}",
                f"--dashboard-port={self._ports['dashboard']}",
                f"--dashboard-agent-listen-port={self._ports['agent']}",
                f"--ray-client-server-port={self._ports['client']}",
                "--min-worker-port=0",  # 0: any free port; the default range is one for all Rays of a machine
                "--max-worker-port=0",
                f"--num-cpus={max(_MINIMUM_CPUS, os.cpu_count() or 1)}",
                f"--object-store-memory={_OBJECT_STORE_BYTES}",
                f"--temp-dir={self._folder}",
                "--no-monitor",  # nothing scales the nodes of one machine
                "--include-log-monitor=false",
                "--disable-usage-stats",
                "--log-color=false",
            ],
            self._answers,
            _READY_SECONDS,
            {**_ENVIRONMENT, **self._worker_environment, "RAY_AUTH_TOKEN": self._token},
        )

    def stop(self) -> None:
        """End the head node with all its workers; their logs stay with the other ones."""
        self._server.stop()
        if self._folder is not None:
            logs = (self._folder / "session_latest" / "logs").resolve()
            self._logs.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                shutil.copytree(logs, self._logs, ignore_dangling_symlinks=True)
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @property
    def incarnation(self) -> int:
        """Another number after each start: what was put onto an earlier one is lost."""
        return self._incarnation

    @property
    def _logs(self) -> Path:
        return self.stage.home.logs / "ray-session"

    def _clear_up(self) -> None:
        """Keep the logs of the run before once; remove its folder if it was not stopped in good order."""
        if self._logs.is_symlink():
            folder = self._logs.readlink().parent.parent
            self._logs.unlink()
            if folder.name.startswith("mien-"):
                shutil.rmtree(folder, ignore_errors=True)
        elif self._logs.exists():
            previous = self._logs.with_name("ray-session.previous")
            shutil.rmtree(previous, ignore_errors=True)
            self._logs.rename(previous)

    def _answers(self) -> bool:
        try:
            return httpx.get(self.rest_url, headers=self.rest_headers, timeout=10.0).is_success
        except httpx.TransportError:
            return False
