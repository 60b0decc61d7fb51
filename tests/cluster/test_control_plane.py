"""The control plane of tests and demonstrations does what a cluster does, and leaves nothing when it ends."""

import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import kubernetes
import pytest
from kubernetes.client.exceptions import ApiException

from mien_core.errors import Unavailable
from mien_local.cluster.control_plane import ControlPlane
from tests import waiting

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: tiny\nversion: 0.1.0\nkubeVersion: '>=1.34.0'\n",
    "templates/deployment.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: 2
  selector: {matchLabels: {app: tiny}}
  template:
    metadata: {labels: {app: tiny}}
    spec:
      containers: [{name: main, image: "nothing/at-all:1"}]
""",
    "templates/migrations.yaml": """
apiVersion: batch/v1
kind: Job
metadata:
  name: "{{ .Release.Name }}-migrations"
  annotations: {helm.sh/hook: "pre-install"}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: "nothing/at-all:1"}]
""",
}


def pod(name: str, gpus: int) -> dict[str, Any]:
    """A pod that asks for GPUs."""
    limits = {"nvidia.com/gpu": str(gpus)}
    container = {"name": "main", "image": "nothing/at-all:1", "resources": {"limits": limits}}
    return {"metadata": {"name": name}, "spec": {"containers": [container]}}


def test_it_is_the_version_that_is_pinned_and_its_nodes_have_gpus(cluster: httpx.Client) -> None:
    """Charts and operators ask for both."""
    pinned = (Path(__file__).parents[2] / "infra" / "control-plane" / "go.mod").read_text()
    assert f"k8s.io/kubernetes {cluster.get('/version').json()['gitVersion']}" in pinned
    nodes = cluster.get("/api/v1/nodes").json()["items"]
    gpus = [int(node["status"]["allocatable"].get("nvidia.com/gpu", 0)) for node in nodes]
    assert sorted(gpus) == [0, 0, 4]


def test_a_pod_gets_the_gpus_that_there_are(cluster: httpx.Client, namespace: str) -> None:
    """Four are given to a pod that then runs; a second one has to wait, and is told for what."""
    pods = f"/api/v1/namespaces/{namespace}/pods"

    def status(name: str) -> dict[str, Any]:
        answer: dict[str, Any] = cluster.get(f"{pods}/{name}").json()
        return answer

    cluster.post(pods, json=pod("first", 4)).raise_for_status()
    waiting.until(lambda: status("first")["status"]["phase"] == "Running", "the first pod to run")
    assert status("first")["spec"]["nodeName"] == "gpu-1"
    cluster.post(pods, json=pod("second", 1)).raise_for_status()
    waiting.until(lambda: status("second")["status"].get("conditions"), "the scheduler's word on the second pod")
    (condition,) = status("second")["status"]["conditions"]
    assert (condition["reason"], status("second")["status"]["phase"]) == ("Unschedulable", "Pending")
    assert "Insufficient nvidia.com/gpu" in condition["message"]
    cluster.delete(f"{pods}/first").raise_for_status()
    waiting.until(lambda: status("second")["status"]["phase"] == "Running", "the second pod to run")


def test_a_service_account_may_do_what_its_role_says_and_no_more(
    control_plane: ControlPlane, cluster: httpx.Client, namespace: str, tmp_path: Path
) -> None:
    """With the kubeconfig made for it, through the client that the operator uses."""
    file = tmp_path / "kubeconfig"
    file.write_text(control_plane.kubeconfig_of(namespace, "default"))
    load: Any = kubernetes.config.new_client_from_config  # it has no types
    with load(str(file)) as client:
        core = kubernetes.client.CoreV1Api(client)
        with pytest.raises(ApiException) as refused:
            core.list_namespaced_config_map(namespace)
        assert refused.value.status == 403
        assert f"system:serviceaccount:{namespace}:default" in str(refused.value.body)
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}
        cluster.post(f"{rbac}/roles", json={"metadata": {"name": "reader"}, "rules": [rule]}).raise_for_status()
        binding = {
            "metadata": {"name": "reader"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
        }
        cluster.post(f"{rbac}/rolebindings", json=binding).raise_for_status()

        def may_list() -> bool:
            try:
                core.list_namespaced_config_map(namespace)
            except ApiException:
                return False
            return True

        waiting.until(may_list, "the role to count")
        with pytest.raises(ApiException, match="403"):
            core.list_namespaced_secret(namespace)


def test_who_has_no_account_gets_no_token(control_plane: ControlPlane, namespace: str) -> None:
    """And is told which one is missing; without a certificate or a token nobody is let in at all."""
    with pytest.raises(Unavailable, match="nobody") as raised:
        control_plane.kubeconfig_of(namespace, "nobody")
    assert raised.value.code == "token_refused"
    with control_plane.client() as client:
        url = str(client.base_url.join("/api/v1/secrets"))
    answer = httpx.get(url, verify=False, timeout=60)  # noqa: S501 - it is about the client's identity
    assert answer.status_code in {401, 403}


@pytest.mark.parametrize("by_crash", [True, False])
def test_the_api_server_comes_back_with_what_it_kept(
    control_plane: ControlPlane, cluster: httpx.Client, namespace: str, *, by_crash: bool
) -> None:
    """On the same port, with the same keys: a token that was given before is good after; pods are scheduled again."""
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    cluster.post(maps, json={"metadata": {"name": "kept"}, "data": {"word": "still here"}}).raise_for_status()
    token = control_plane.token(namespace, "default")
    url = control_plane.url
    control_plane.restart_api_server(by_crash=by_crash)
    assert control_plane.url == url
    assert cluster.get(f"{maps}/kept").json()["data"] == {"word": "still here"}
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = cluster.post("/apis/authentication.k8s.io/v1/tokenreviews", json=review).json()
    assert answer["status"]["authenticated"] is True
    pods = f"/api/v1/namespaces/{namespace}/pods"
    cluster.post(pods, json=pod("after", 0)).raise_for_status()
    waiting.until(lambda: cluster.get(f"{pods}/after").json()["status"]["phase"] == "Running", "the pod to run")


def test_helm_installs_a_chart_and_waits_for_its_pods(
    control_plane: ControlPlane, cluster: httpx.Client, namespace: str, helm: Path, tmp_path: Path
) -> None:
    """A hook's job ends, then a deployment gets ready; `helm template` takes the cluster for what it is, too."""
    for name, text in CHART.items():
        (tmp_path / "tiny" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tiny" / name).write_text(text)
    # what it keeps beside the cluster goes into its home
    environment = {**os.environ, "KUBECONFIG": str(control_plane.kubeconfig), "HOME": str(tmp_path)}

    def run(*words: str) -> str:
        command = [str(helm), *words, "--namespace", namespace]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=170, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    chart = str(tmp_path / "tiny")
    assert "kind: Deployment" in run("template", "one", chart)
    assert "STATUS: deployed" in run("install", "one", chart, "--wait", "--timeout", "150s")
    deployment = cluster.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/one").json()
    assert deployment["status"]["availableReplicas"] == 2
    job = cluster.get(f"/apis/batch/v1/namespaces/{namespace}/jobs/one-migrations").json()
    assert job["status"]["succeeded"] == 1


def test_kubeconform_is_there(kubeconform: Path) -> None:
    """It finds no fault with an empty list, and one with what has no kind."""
    done = subprocess.run([kubeconform, "-summary"], input=b"", capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    wrong = subprocess.run([kubeconform], input=b"a: 1\n", capture_output=True, check=False, timeout=60)
    assert wrong.returncode == 1
