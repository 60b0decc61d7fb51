"""The processes of the control plane, each with the few of its hundred settings that differ from the defaults."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from mien_local.cluster import kubeconfig, nodes
from mien_local.cluster.pki import Pki
from mien_local.cluster.programs import (
    API_SERVER,
    CONTROLLER_MANAGER,
    ETCD,
    KWOK,
    NODE_STAGES,
    POD_STAGES,
    SCHEDULER,
)
from mien_local.golang.build import build
from mien_local.golang.program import GoProgram
from mien_local.home import write_private
from mien_local.parts.part import Part, Server, ServerPart, Stage
from mien_local.ports import HOST

SERVICE_RANGE = "10.96.0.0/16"
FIRST_SERVICE = "10.96.0.1"
_POD_RANGE = "10.244.0.1/16"
# Machines of continuous integration stall, and debuggers stop a cluster: no node is given up for that.
_NODE_GRACE_SECONDS = 600
_READY_SECONDS = 120.0
_ETCD = "etcd"

# name, user and group of each that shows a certificate
CLIENTS = (
    ("admin", "mien:admin", "system:masters"),
    (_ETCD, "mien:etcd", ""),
    ("controllers", "system:kube-controller-manager", ""),
    ("scheduler", "system:kube-scheduler", ""),
    ("kwok", "mien:kwok", "system:masters"),
)


class ClusterPart(ServerPart):
    """One program of the control plane.

    Args:
        stage: as for every part.
        program: which.
        pki: its certificates come from there.
    """

    def __init__(self, stage: Stage, program: GoProgram, pki: Pki) -> None:
        super().__init__(stage)
        self._program = program
        self._pki = pki
        self._port = stage.home.port(self.name)
        self._server = Server(stage, self.name)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://{HOST}:{self._port}"

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.url

    def prepare(self) -> None:
        """Build the program, the first time on a machine."""
        build(self._program, self.stage, self.name)

    def kill(self) -> None:
        """End it as a crash does, without a word to anybody; start() brings it back with what it kept."""
        self._server.kill()

    def _run(self, flags: Mapping[str, object], path: str, environment: Mapping[str, str] | None = None) -> None:
        """Start it with these flags, and wait until a GET of the path succeeds.

        Raises:
            Unavailable: as Server.bring_up.
        """
        words = [f"--{name}={value}" for name, value in flags.items()]
        command: list[str | Path] = [build(self._program, self.stage, self.name), *words]
        with self.client(timeout=5.0) as client:
            self._server.bring_up(command, lambda: _succeeds(client, path), _READY_SECONDS, environment)

    def client(self, timeout: float = 60.0) -> httpx.Client:
        """A client that this server believes to be the cluster's administrator; close it after use."""
        trusted = ssl.create_default_context(cafile=str(self._pki.authority))
        pair = self._pki.client("admin")
        trusted.load_cert_chain(pair.certificate, pair.key)
        return httpx.Client(base_url=self.url, verify=trusted, timeout=timeout, trust_env=False)


class Keys(Part):
    """The keys and certificates of all others."""

    name = "keys"

    def __init__(self, stage: Stage, pki: Pki) -> None:
        super().__init__(stage)
        self._pki = pki

    def start(self) -> None:
        """Make what isn't there yet."""
        self._pki.make(CLIENTS)


class Etcd(ClusterPart):
    """The store of everything that the API server knows."""

    name = _ETCD

    def __init__(self, stage: Stage, pki: Pki) -> None:
        super().__init__(stage, ETCD, pki)
        self._peer_port = stage.home.port("etcd-peer")

    def start(self) -> None:
        """Start, and wait until it may be written to."""
        peer = f"https://{HOST}:{self._peer_port}"
        certificates = {
            name: value
            for prefix in ("", "peer-")
            for name, value in {
                f"{prefix}cert-file": self._pki.server.certificate,
                f"{prefix}key-file": self._pki.server.key,
                f"{prefix}trusted-ca-file": self._pki.authority,
                f"{prefix}client-cert-auth": "true",
            }.items()
        }
        flags = {
            "name": "mien",
            "data-dir": self.stage.home.data / _ETCD,
            "listen-client-urls": self.url,
            "advertise-client-urls": self.url,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"mien={peer}",
            "log-level": "warn",
            # it is alone, and waits that long for others before it elects itself
            "heartbeat-interval": 10,
            "election-timeout": 100,
            # what only the fall of the whole machine would lose, nobody misses
            "unsafe-no-fsync": "true",
            **certificates,
        }
        self._run(flags, "/health")


class ApiServer(ClusterPart):
    """The Kubernetes API, with RBAC: whoever has no rights is refused."""

    name = "apiserver"

    def __init__(self, stage: Stage, pki: Pki, etcd: Etcd) -> None:
        super().__init__(stage, API_SERVER, pki)
        self._etcd = etcd

    def environment(self) -> Mapping[str, str]:
        """KUBECONFIG, an administrator's."""
        return {"KUBECONFIG": str(self.kubeconfig)}

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig; there once it was started."""
        return self.stage.home.data / "kubeconfig"

    def start(self) -> None:
        """Start, wait until it is ready, and write kubeconfigs for all that show certificates."""
        for name, _, _ in CLIENTS:
            text = kubeconfig.by_certificate(self.url, self._pki.authority, self._pki.client(name))
            write_private(self.stage.home.data / ("kubeconfig" if name == "admin" else f"kubeconfig-{name}"), text)
        etcd, tokens = self._pki.client(_ETCD), self._pki.tokens
        flags = {
            "bind-address": HOST,
            "secure-port": self._port,
            "tls-cert-file": self._pki.server.certificate,
            "tls-private-key-file": self._pki.server.key,
            "client-ca-file": self._pki.authority,
            "etcd-servers": self._etcd.url,
            "etcd-cafile": self._pki.authority,
            "etcd-certfile": etcd.certificate,
            "etcd-keyfile": etcd.key,
            "authorization-mode": "Node,RBAC",
            "service-cluster-ip-range": SERVICE_RANGE,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": tokens.certificate,
            "service-account-signing-key-file": tokens.key,
            # which would look for an address by which other machines reach it
            "endpoint-reconciler-type": "none",
            # else whoever watches keeps a server that was told to end for ten seconds
            "shutdown-watch-termination-grace-period": "1s",
            "advertise-address": HOST,
        }
        self._run(flags, "/readyz")


class ControllerManager(ClusterPart):
    """What makes pods of deployments, removes what has no owner, and gives each namespace its ServiceAccount."""

    name = "controllers"

    def __init__(self, stage: Stage, pki: Pki) -> None:
        super().__init__(stage, CONTROLLER_MANAGER, pki)

    def start(self) -> None:
        """Start, and wait until it answers."""
        flags = {
            **_serving(self._port, self._pki),
            "kubeconfig": self.stage.home.data / "kubeconfig-controllers",
            "leader-elect": "false",  # it is alone; a restarted one would wait for its own old lease
            "use-service-account-credentials": "true",
            "service-account-private-key-file": self._pki.tokens.key,
            "root-ca-file": self._pki.authority,
            "node-monitor-grace-period": f"{_NODE_GRACE_SECONDS}s",
            # a test's thousand resources are removed in seconds, not minutes
            "kube-api-qps": 500,
            "kube-api-burst": 1000,
        }
        self._run(flags, "/healthz")


class Scheduler(ClusterPart):
    """What finds a node for each pod."""

    name = "scheduler"

    def __init__(self, stage: Stage, pki: Pki) -> None:
        super().__init__(stage, SCHEDULER, pki)

    def start(self) -> None:
        """Start, and wait until it answers."""
        flags = {
            **_serving(self._port, self._pki),
            "kubeconfig": self.stage.home.data / "kubeconfig-scheduler",
            "leader-elect": "false",  # as above
        }
        self._run(flags, "/healthz")


class Kubelets(ClusterPart):
    """What plays the kubelets of all nodes: it says that they are well, and that their pods run."""

    name = "kubelets"

    def __init__(self, stage: Stage, pki: Pki, program: GoProgram = KWOK) -> None:
        super().__init__(stage, program, pki)

    @property
    def url(self) -> str:
        """Where it listens; without TLS, since it tells nothing but its health."""
        return f"http://{HOST}:{self._port}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        stages = [file for package in (*NODE_STAGES, *POD_STAGES) for file in self._program.files_of(package)]
        folder = self.stage.home.data / "kwok"
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "stages.yaml"
        config.write_text("\n---\n".join(file.read_text() for file in stages if file.name != "kustomization.yaml"))
        flags = {
            "kubeconfig": self.stage.home.data / "kubeconfig-kwok",
            "config": config,
            "manage-all-nodes": "true",
            # with leases, a killed one would have its nodes for as long as they last, and no pod would run meanwhile
            "node-lease-duration-seconds": 0,
            "server-address": f"{HOST}:{self._port}",
            "node-ip": HOST,
            "node-port": self._port,
            "cidr": _POD_RANGE,
        }
        # else it would read and write a folder of its own in the person's home
        self._run(flags, "/healthz", {"KWOK_WORKDIR": str(folder)})


class Nodes(Part):
    """The nodes themselves, once: they are rows of the API server, which keeps them."""

    name = "nodes"

    def __init__(self, stage: Stage, api_server: ApiServer) -> None:
        super().__init__(stage)
        self._api_server = api_server

    @property
    def address(self) -> str:
        """Their names."""
        return ", ".join(node["metadata"]["name"] for node in nodes.NODES)

    def start(self) -> None:
        """Make them, and wait until pods are scheduled on them."""
        with self._api_server.client() as client:
            nodes.make(client, self.stage.cancelled)


def _serving(port: int, pki: Pki) -> dict[str, Any]:
    return {
        "bind-address": HOST,
        "secure-port": port,
        "tls-cert-file": pki.server.certificate,
        "tls-private-key-file": pki.server.key,
    }


def _succeeds(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).is_success
    except httpx.TransportError:
        return False
