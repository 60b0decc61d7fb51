"""The control plane as a whole: what it consists of, and who may use it."""

from collections.abc import Mapping
from pathlib import Path

import httpx

from mien_core.errors import Unavailable
from mien_local.cluster import kubeconfig
from mien_local.cluster.parts import (
    FIRST_SERVICE,
    ApiServer,
    ControllerManager,
    Etcd,
    Keys,
    Kubelets,
    Nodes,
    Scheduler,
)
from mien_local.cluster.pki import Pki
from mien_local.parts.part import Part, Stage
from mien_local.plan import Member, Plan
from mien_local.platform import Platform

_SERVICE_ACCOUNT_SECONDS = 12 * 3600


class ControlPlane(Part):
    """A Kubernetes cluster with simulated nodes, on the loopback address.

    It keeps everything in its stage's folders, and nothing elsewhere but the programs that it builds.
    """

    name = "cluster"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._pki = Pki(stage.home.data / "pki", FIRST_SERVICE)
        self.keys = Keys(stage, self._pki)
        self.etcd = Etcd(stage, self._pki)
        self.api_server = ApiServer(stage, self._pki, self.etcd)
        self.controllers = ControllerManager(stage, self._pki)
        self.scheduler = Scheduler(stage, self._pki)
        self.kubelets = Kubelets(stage, self._pki)
        self._nodes = Nodes(stage, self.api_server)
        self._platform: Platform | None = None

    @property
    def plan(self) -> Plan:
        """Its parts, and what each needs, for whoever runs it as a platform."""
        api = frozenset({self.api_server.name})
        return Plan(
            (
                Member(self.keys),
                Member(self.etcd, frozenset({self.keys.name})),
                Member(self.api_server, frozenset({self.etcd.name})),
                Member(self.controllers, api),
                Member(self.scheduler, api),
                Member(self.kubelets, api),
                Member(self._nodes, api | {self.controllers.name, self.kubelets.name}),
            ),
            {},
            {},
        )

    def prepare(self) -> None:
        """Build what this machine hasn't built yet.

        Raises:
            Unavailable: there is no Go, or a build failed.
        """
        for member in self.plan.members:
            member.part.prepare()

    def start(self) -> None:
        """Start everything, and return once pods can be scheduled.

        Raises:
            MienError: of the first part that failed; nothing runs any more then.
        """
        self._platform = Platform(self.stage.home, self.plan, self.stage.cancelled)
        self._platform.start()

    def stop(self) -> None:
        """Stop everything; no process is left."""
        if self._platform is not None:
            self._platform.stop()

    def is_alive(self) -> bool:
        """Whether all of it runs."""
        return all(member.part.is_alive() for member in self.plan.members)

    def environment(self) -> Mapping[str, str]:
        """KUBECONFIG, an administrator's."""
        return self.api_server.environment()

    @property
    def address(self) -> str:
        """Where its API is."""
        return self.url

    def restart_api_server(self, *, by_crash: bool = True) -> None:
        """End the API server, by SIGKILL or politely, and start it again on the same port with what etcd kept.

        The controllers, the scheduler and the kubelets are started anew, too: they would else wait for up to half a
        minute before they ask again, longer after each time, and so would whoever waits for a pod.

        Raises:
            Unavailable: it doesn't come back.
        """
        if by_crash:
            self.api_server.kill()
        else:
            self.api_server.stop()
        self.api_server.start()
        for part in (self.controllers, self.scheduler, self.kubelets):
            part.kill()
            part.start()

    @property
    def url(self) -> str:
        """Where its API is."""
        return self.api_server.url

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.api_server.kubeconfig

    def client(self) -> httpx.Client:
        """A client of the API as its administrator; close it after use."""
        return self.api_server.client()

    def token(self, namespace: str, service_account: str, seconds: int = _SERVICE_ACCOUNT_SECONDS) -> str:
        """A token of a ServiceAccount, as a pod of it would find one.

        Raises:
            Unavailable: token_refused, such as when there is no such ServiceAccount.
        """
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        with self.client() as client:
            answer = client.post(path, json=request)
        if not answer.is_success:
            raise Unavailable("token_refused", f"{namespace}/{service_account}: {answer.text}")
        return str(answer.json()["status"]["token"])

    def kubeconfig_of(self, namespace: str, service_account: str, seconds: int = _SERVICE_ACCOUNT_SECONDS) -> str:
        """A kubeconfig's text with which one asks as a ServiceAccount, under the rights that it has and no others.

        Raises:
            Unavailable: token_refused, such as when there is no such ServiceAccount.
        """
        token = self.token(namespace, service_account, seconds)
        return kubeconfig.by_token(self.url, self._pki.authority, token, namespace)
