"""What the acts need: the control plane, the platform with a Ray that runs no model yet, and the operator."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from mien_core.errors import Unavailable
from mien_local import wiring
from mien_local.cluster.control_plane import ControlPlane
from mien_local.cluster.programs import KUBECTL
from mien_local.golang.build import build
from mien_local.home import write_private
from mien_local.parts.part import Part, Stage
from mien_local.parts.ray import Ray
from mien_local.parts.services import Service
from mien_local.plan import Member, Plan
from mien_local.ports import HOST

NAMESPACE = "mien"
CHECKOUT = Path(__file__).parents[3]
_ACCOUNT = "mien-operator"
# Two revisions stay loaded while a third is tried, on as few as two processors.
_CPUS_PER_REPLICA = "0.5"


class Kubectl(Part):
    """The program, of the version that the API server has."""

    name = "kubectl"

    def prepare(self) -> None:
        """Build it, the first time on a machine."""
        build(KUBECTL, self.stage, self.name)

    def start(self) -> None:
        """It is only called."""


class Scene:
    """Everything of one demonstration.

    Args:
        stage: the platform's folders.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._cluster = ControlPlane(stage)
        self._serving_port = stage.home.port("serving")
        self._router_token = stage.home.secret("comparisons")
        self._ray: Ray | None = None
        self._operator: Service | None = None

    @property
    def plan(self) -> Plan:
        """All but the operator, which is started once it may do something.

        Raises:
            Unavailable: checkout_missing.
        """
        if not (CHECKOUT / "infra" / "samples").is_dir():
            raise Unavailable("checkout_missing", "The samples lie in a checkout of mien: run this in one.")
        # Only its own parts: what the acts delete must be nobody's.
        platform = wiring.plan(self.stage, {"MIEN_SERVING__URL": self._serving_url})
        self._ray = Ray(
            self.stage,
            {
                **wiring.groups(platform.settings, "S3"),
                "MIEN_COMPARISONS__TOKEN": self._router_token,
                "MIEN_ARTIFACT__CACHE": str(self.stage.home.data / "artifact-cache"),
            },
        )
        # Nothing of mien runs in pods here, so there are neither nodes nor those who look after pods.
        cluster = [self._cluster.keys, self._cluster.etcd, self._cluster.api_server]
        needs = {member.part.name: member.needs for member in self._cluster.plan.members}
        members = (
            *(Member(part, needs[part.name]) for part in cluster),
            Member(Kubectl(self.stage)),
            # its start is work for all processors, as is that of Kafka, which gives up sooner
            Member(self._ray, frozenset({"kafka"})),
            *platform.members,
        )
        return Plan(members, platform.external, platform.settings)

    def shell_environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        """What a shell needs to know to find kubectl, Python, the cluster, the platform, and a folder for models."""
        home = self.stage.home
        programs = [str(KUBECTL.path.parent), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        return {
            **settings,
            "PATH": os.pathsep.join(programs),
            "KUBECONFIG": str(self._cluster.kubeconfig),
            "HOME": str(home.root),
            "MODELS": str(home.data / "artifacts"),
        }

    def start_operator(self, api_url: str, api_key: str) -> None:
        """Start it as a process under its own account, which has its own rights and no others.

        Raises:
            Unavailable: part_failed or part_not_ready.
        """
        if self._ray is None:
            raise Unavailable("part_failed", "The operator needs a Ray that runs.")
        home = self.stage.home
        kubeconfig = home.data / "kubeconfig-operator"
        write_private(kubeconfig, self._cluster.kubeconfig_of(NAMESPACE, _ACCOUNT))
        port = home.port("operator")
        url = f"http://{HOST}:{port}"
        settings = {
            "KUBECONFIG": str(kubeconfig),
            "MIEN_OPERATOR__NAMESPACE": NAMESPACE,
            "MIEN_OPERATOR__HOST": HOST,
            "MIEN_OPERATOR__PORT": str(port),
            "MIEN_INTERNAL_API__URL": api_url,
            "MIEN_INTERNAL_API__KEY": api_key,
            "MIEN_ROLLOUTS__SERVE_URL": self._ray.address,
            "MIEN_ROLLOUTS__SERVE_TOKEN": self._ray.rest_headers["Authorization"].removeprefix("Bearer "),
            "MIEN_ROLLOUTS__ROUTER_URL": self._serving_url,
            "MIEN_ROLLOUTS__ROUTER_TOKEN": self._router_token,
            "MIEN_ROLLOUTS__HTTP_HOST": HOST,
            "MIEN_ROLLOUTS__HTTP_PORT": str(self._serving_port),
            "MIEN_ROLLOUTS__CPUS_PER_REPLICA": _CPUS_PER_REPLICA,
            "MIEN_TELEMETRY__LOG_FORMAT": "text",
        }
        self._operator = Service(
            self.stage, "operator", ("-m", "mien_operator"), settings, f"{url}/healthz", address=url
        )
        self._operator.start()

    def check(self) -> None:
        """Go on if nobody wants it to end, and the operator hasn't.

        Raises:
            Unavailable: cancelled, or act_failed.
        """
        if self.stage.cancelled.is_set():
            raise Unavailable("cancelled", "The demonstration was stopped.")
        if self._operator is not None and not self._operator.is_alive():
            raise Unavailable("act_failed", f"The operator {self._operator.ending()}.")

    def stop_operator(self) -> None:
        """End it, if it runs."""
        if self._operator is not None:
            self._operator.stop()

    @property
    def _serving_url(self) -> str:
        return f"http://{HOST}:{self._serving_port}"
