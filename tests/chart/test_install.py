"""The chart on a real control plane: installed, upgraded, uninstalled, as a platform team does it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from mien_local.cluster.control_plane import ControlPlane
from mien_local.ports import HOST
from mien_operator.kinds import KINDS
from tests import waiting
from tests.chart.charts import CHART, Chart, Rendered, scenario
from tests.chart.local_pod import LocalPod, running
from tests.chart.schemas import KUBERAY
from tests.operators import install

pytestmark = pytest.mark.timeout(600)

RELEASE = "looks"
# what Helm itself may take; kubelets here only pretend, and are quick
WAIT = ("--wait", "--timeout", "3m")


@pytest.fixture(scope="module")
def kuberay(cluster: httpx.Client) -> Iterator[None]:
    """A cluster that knows RayClusters; nobody makes pods of them."""
    crd = yaml.safe_load(KUBERAY.read_text())
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    cluster.post(path, json=crd).raise_for_status()
    waiting.until(lambda: cluster.get("/apis/ray.io/v1").is_success, "the API of RayClusters")
    yield
    cluster.delete(f"{path}/{crd['metadata']['name']}").raise_for_status()


@pytest.fixture
def restricted(cluster: httpx.Client, namespace: str) -> str:
    """A namespace whose pods must meet the level restricted; the API server refuses those that don't."""
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    headers = {"Content-Type": "application/merge-patch+json"}
    cluster.patch(f"/api/v1/namespaces/{namespace}", json=labels, headers=headers).raise_for_status()
    return namespace


@pytest.fixture
def priority(cluster: httpx.Client) -> Iterator[None]:
    """The priority class that the scenario full names."""
    path = "/apis/scheduling.k8s.io/v1/priorityclasses"
    cluster.post(path, json={"metadata": {"name": "high"}, "value": 1000}).raise_for_status()
    yield
    cluster.delete(f"{path}/high").raise_for_status()


@pytest.fixture
def on_cluster(chart: Chart, control_plane: ControlPlane) -> Chart:
    """Helm, speaking to the cluster."""
    return Chart(chart.helm, ("--kubeconfig", str(control_plane.kubeconfig)))


def _all(cluster: httpx.Client, path: str) -> dict[str, Any]:
    return {each["metadata"]["name"]: each for each in cluster.get(path).raise_for_status().json()["items"]}


def _rayclusters(rendered: Rendered) -> Iterator[tuple[str, dict[str, Any]]]:
    """The pods that KubeRay makes of a RayCluster, each with the name of its service's selector's node type."""
    (cluster,) = rendered.of_kind("RayCluster").values()
    spec = cluster["spec"]
    groups = [("head", spec["headGroupSpec"]), *(("worker", group) for group in spec["workerGroupSpecs"])]
    for kind, group in groups:
        for number in range(group.get("replicas", 1)):
            pod = json.loads(json.dumps(group["template"]))
            pod["metadata"]["name"] = f"{cluster['metadata']['name']}-{kind}-{number}"
            pod["metadata"]["labels"] |= {
                "ray.io/cluster": cluster["metadata"]["name"],
                "ray.io/node-type": kind,
                "ray.io/is-ray-node": "yes",
            }
            yield kind, {"apiVersion": "v1", "kind": "Pod", **pod}


@pytest.mark.usefixtures("kuberay", "priority")
def test_it_is_installed_upgraded_and_uninstalled(on_cluster: Chart, cluster: httpx.Client, restricted: str) -> None:
    """Each ends well with --wait: pods are admitted, scheduled and ready, hooks ran, and in the end nothing is left."""
    own = ("--namespace", restricted)
    files = ("--values", scenario("default"))
    notes = on_cluster.run("install", RELEASE, CHART, *own, *files, *WAIT)
    assert f"service/{RELEASE}-mien-api" in notes
    assert "keys create" in notes
    deployments = f"/apis/apps/v1/namespaces/{restricted}/deployments"
    installed = _all(cluster, deployments)
    assert all(each["status"]["readyReplicas"] == each["spec"]["replicas"] for each in installed.values())
    # with more of everything: other pods, and resources that weren't there
    on_cluster.run("upgrade", RELEASE, CHART, *own, "--values", scenario("full"), *WAIT)
    upgraded = _all(cluster, deployments)
    assert upgraded.keys() - installed.keys() == {f"{RELEASE}-mien-streams-webhooks"}
    (container,) = upgraded[f"{RELEASE}-mien-streams-relay"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com:5000/mirror/mien/streams:1.2.4"
    assert _all(cluster, f"/apis/autoscaling/v2/namespaces/{restricted}/horizontalpodautoscalers")
    on_cluster.run("rollback", RELEASE, "1", *own, *WAIT)
    assert _all(cluster, deployments).keys() == installed.keys()
    on_cluster.run("uninstall", RELEASE, *own, *WAIT)
    left = [
        name
        for path in (
            deployments,
            f"/api/v1/namespaces/{restricted}/services",
            f"/apis/batch/v1/namespaces/{restricted}/jobs",
        )
        for name in _all(cluster, path)
    ]
    assert left == []


@pytest.mark.usefixtures("kuberay")
def test_models_get_their_gpus(chart: Chart, cluster: httpx.Client, restricted: str) -> None:
    """KubeRay's pods are admitted; the workers run where the GPUs are; the Services find the head alone."""
    rendered = chart.render(scenario("default"), overrides={"serving.workers.replicas": 2, "serving.workers.gpus": 2})
    for kind in ("ServiceAccount", "ConfigMap", "Service"):
        for each in rendered.of_kind(kind).values():
            each["metadata"]["namespace"] = restricted
            cluster.post(f"/api/v1/namespaces/{restricted}/{kind.lower()}s", json=each).raise_for_status()
    pods = f"/api/v1/namespaces/{restricted}/pods"
    made = [(kind, pod) for kind, pod in _rayclusters(rendered)]
    for _, pod in made:
        answer = cluster.post(pods, json=pod)
        assert answer.is_success, answer.text

    def running() -> bool:
        return all(each["status"]["phase"] == "Running" for each in _all(cluster, pods).values())

    waiting.until(running, "Ray's pods to run")
    found = _all(cluster, pods)
    workers = [pod["metadata"]["name"] for kind, pod in made if kind == "worker"]
    assert [found[name]["spec"]["nodeName"] for name in workers] == ["gpu-1", "gpu-1"]
    head = next(pod["metadata"]["name"] for kind, pod in made if kind == "head")

    def served_by(service: str) -> set[str]:
        slices = _all(cluster, f"/apis/discovery.k8s.io/v1/namespaces/{restricted}/endpointslices").values()
        return {
            endpoint["targetRef"]["name"]
            for each in slices
            if each["metadata"]["labels"]["kubernetes.io/service-name"].endswith(service)
            for endpoint in each.get("endpoints") or ()
        }

    waiting.until(lambda: served_by("-serving") == {head}, "the router's endpoints")
    waiting.until(lambda: served_by("-dashboard") == {head}, "the dashboard's endpoints")


@pytest.fixture
def operators_account(chart: Chart, cluster: httpx.Client, restricted: str) -> str:
    """The name of the operator's account, which has the chart's rights."""
    rendered = chart.render(scenario("default"))
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{restricted}"
    for kind, path in (
        ("ServiceAccount", f"/api/v1/namespaces/{restricted}/serviceaccounts"),
        ("Role", f"{rbac}/roles"),
        ("RoleBinding", f"{rbac}/rolebindings"),
    ):
        each = rendered.one(kind, "operator")
        each["metadata"]["namespace"] = restricted
        for subject in each.get("subjects", ()):
            subject["namespace"] = restricted
        cluster.post(path, json=each).raise_for_status()
    return str(rendered.one("ServiceAccount", "operator")["metadata"]["name"])


def test_the_operators_account_may_do_what_the_operator_does(
    cluster: httpx.Client, restricted: str, operators_account: str
) -> None:
    """With the chart's account and rights: its own resources and its lease, and neither Secrets nor pods."""

    def may(verb: str, group: str, resource: str, subresource: str = "", name: str = "") -> bool:
        asked = {"namespace": restricted, "verb": verb, "group": group, "resource": resource}
        spec = {
            "user": f"system:serviceaccount:{restricted}:{operators_account}",
            "resourceAttributes": {**asked, "subresource": subresource, "name": name},
        }
        answer = cluster.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", json={"spec": spec})
        return bool(answer.raise_for_status().json()["status"]["allowed"])

    allowed = [
        ("watch", "mien.dev", "retentionpolicies"),
        ("patch", "mien.dev", "modelrollouts", "status"),
        ("create", "coordination.k8s.io", "leases"),
        ("update", "coordination.k8s.io", "leases", "", "mien-operator"),
        ("create", "events.k8s.io", "events"),
    ]
    waiting.until(lambda: all(may(*each) for each in allowed), "the operator's rights to count")
    for refused in (
        ("get", "", "secrets"),
        ("create", "", "pods"),
        ("delete", "mien.dev", "retentionpolicies"),
        ("update", "coordination.k8s.io", "leases", "", "another"),
        ("patch", "apps", "deployments"),
    ):
        assert not may(*refused), refused


@dataclass(frozen=True)
class Account:
    """A pod's account, as a process outside of the cluster has it."""

    namespace: str
    kubeconfig: Path


@pytest.fixture
def account(control_plane: ControlPlane, restricted: str, operators_account: str, tmp_path: Path) -> Account:
    """The operator's."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(control_plane.kubeconfig_of(restricted, operators_account))
    return Account(restricted, kubeconfig)


def test_the_operator_starts_with_the_charts_rights_and_settings(
    chart: Chart, cluster: httpx.Client, account: Account, tmp_path: Path
) -> None:
    """Its command, with its rendered environment, is found well, leads, and leaves its lease when it is stopped."""
    for kind in KINDS:
        install(cluster, kind)
    rendered = chart.render(scenario("default"))
    secrets = {"mien-operator": {"api-key": "mien_key"}, "mien-ray": {"auth_token": "token"}}
    pod = LocalPod(
        rendered,
        rendered.container("operator"),
        secrets,
        tmp_path,
        ports={8080: "MIEN_OPERATOR__PORT"},
        settings={
            "MIEN_OPERATOR__HOST": HOST,
            "MIEN_OPERATOR__NAMESPACE": account.namespace,
            "KUBECONFIG": str(account.kubeconfig),
        },
    )
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{account.namespace}/leases/mien-operator"

    def holder() -> str:
        answer = cluster.get(lease)
        return str(answer.json()["spec"].get("holderIdentity") or "") if answer.is_success else ""

    with running(pod):
        pod.wait_until("readinessProbe", waiting.DEADLINE_SECONDS)
        assert pod.probe("startupProbe")
        assert pod.probe("livenessProbe")
        waiting.until(holder, "the operator to lead")
        assert pod.terminate() == 0, pod.log.read_text()
    assert not holder()
