"""What the chart makes: valid for Kubernetes, for each scenario, and as the best charts are."""

import re
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.chart.charts import CHART, NAMESPACE, RELEASE, REPOSITORY, SCENARIOS, Chart, Rendered, scenario
from tests.chart.schemas import KUBERAY


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_linter_finds_nothing(chart: Chart, name: str) -> None:
    """Helm's own linter is content with every scenario, warnings included."""
    assert "0 chart(s) failed" in chart.lint(scenario(name))


@pytest.mark.parametrize("name", SCENARIOS)
def test_kubernetes_knows_every_field(
    kubeconform: Path, schemas: Path, chart: Chart, name: str, tmp_path: Path
) -> None:
    """No kind is unknown and no field misspelt, also within the pods that KubeRay makes, and in the CRDs."""
    manifests = tmp_path / "manifests.yaml"
    output = chart.run("template", RELEASE, CHART, "--include-crds", "--values", scenario(name))
    manifests.write_text(f"{output}\n---\n{KUBERAY.read_text()}")
    assert "Invalid: 0, Errors: 0, Skipped: 0" in _checked(kubeconform, schemas, manifests)


def test_a_misspelt_field_would_be_found(kubeconform: Path, schemas: Path, tmp_path: Path) -> None:
    """The check above can fail: at the top of a resource, within a pod, and within a pod that KubeRay makes."""
    pod = {"metadata": {}, "spec": {"containers": [{"name": "a", "image": "b", "comand": ["c"]}]}}
    wrong = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}, "automountToken": False},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "b"},
            "spec": {"selector": {}, "template": pod},
        },
        {
            "apiVersion": "ray.io/v1",
            "kind": "RayCluster",
            "metadata": {"name": "c"},
            "spec": {"headGroupSpec": {"rayStartParams": {}, "template": pod}},
        },
    ]
    manifests = tmp_path / "manifests.yaml"
    manifests.write_text(yaml.safe_dump_all(wrong))
    assert "Invalid: 3" in _checked(kubeconform, schemas, manifests)


def _checked(kubeconform: Path, schemas: Path, manifests: Path) -> str:
    """What kubeconform says of manifests."""
    location = f"{schemas}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
    command: list[str | Path] = [kubeconform, "-strict", "-summary", "-schema-location", location, manifests]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("name", SCENARIOS)
def test_everything_says_what_it_belongs_to(rendered: Mapping[str, Rendered], name: str) -> None:
    """Each resource is in the release's namespace, has the common labels, and no other resource's name."""
    resources = [each for each in rendered[name].resources if not each["metadata"]["name"].endswith("-extra")]
    for each in resources:
        labels = each["metadata"]["labels"]
        assert each["metadata"]["namespace"] == NAMESPACE
        assert labels["app.kubernetes.io/instance"] == RELEASE
        assert labels["helm.sh/chart"] == "mien-0.1.0"
    names = [(each["kind"], each["metadata"]["name"]) for each in resources]
    assert len(set(names)) == len(names)


def test_common_labels_and_annotations_are_everywhere(rendered: Mapping[str, Rendered]) -> None:
    """What a platform team puts on everything is on everything, pods included; only annotations stay off pods."""
    full = rendered["full"]
    for each in full.resources:
        if not each["metadata"]["name"].endswith("-extra"):
            assert each["metadata"]["labels"]["team"] == "looks"
            assert each["metadata"]["annotations"]["example.com/contact"] == "looks@example.com"
    for _, pod in full.pods():
        assert pod["metadata"]["labels"]["team"] == "looks"


def test_selectors_find_the_pods_and_no_others(rendered: Mapping[str, Rendered]) -> None:
    """Each Deployment, budget and Service selects the pods of one component, which the chart makes."""
    for each in rendered["full"].resources:
        selector = each.get("spec", {}).get("selector", {})
        wanted = selector.get("matchLabels", selector)
        if not wanted or "ray.io/cluster" in wanted:
            continue
        found = [owner for owner, pod in rendered["full"].pods() if wanted.items() <= pod["metadata"]["labels"].items()]
        assert len(found) == 1, f"{each['kind']}/{each['metadata']['name']} selects {found}"


def test_services_of_the_router_find_what_kuberay_makes(rendered: Mapping[str, Rendered]) -> None:
    """The router's and the dashboard's Service select the head of the chart's own cluster, by KubeRay's labels."""
    full = rendered["full"]
    (cluster,) = full.of_kind("RayCluster")
    ports = full.container("serving").spec["ports"]
    for name, port in (("serving", "serve"), ("dashboard", "dashboard")):
        service = full.one("Service", name)["spec"]
        assert service["selector"] == {"ray.io/cluster": cluster, "ray.io/node-type": "head"}
        assert [each["targetPort"] for each in service["ports"]] == [port]
        assert port in [each["name"] for each in ports]


def test_images_are_as_they_were_asked_for(rendered: Mapping[str, Rendered]) -> None:
    """A digest wins over a tag, an image's own tag over the common one, and the registry goes before all."""
    images = {each.component: each.spec["image"] for each in rendered["full"].containers()}
    registry = "registry.example.com:5000/mirror/mien"
    assert images["api"].startswith(f"{registry}/api@sha256:0123456789abcdef")
    assert images["migrations"] == images["api"]
    assert images["streams"] == f"{registry}/streams:1.2.4"
    assert images["serving"] == f"{registry}/serving:1.2.3"
    assert {each.spec["image"] for each in rendered["default"].containers() if each.component == "api"} == {
        "mien/api:0.1.0"
    }


def test_a_changed_setting_replaces_the_pods_that_read_it(chart: Chart, rendered: Mapping[str, Rendered]) -> None:
    """The checksum of a ConfigMap is on the pods that read it, and changes with it, and with nothing else."""
    changed = chart.render(scenario("default"), overrides={"streams.concurrency": 17})

    def checksums(of: Rendered) -> dict[str, str]:
        return {
            owner: pod["metadata"]["annotations"]["checksum/settings"]
            for owner, pod in of.pods()
            if "envFrom" in pod["spec"]["containers"][0]
        }

    before, after = checksums(rendered["default"]), checksums(changed)
    assert before.keys() == after.keys()
    assert {owner for owner in before if before[owner] != after[owner]} == {
        owner for owner in before if "-streams-" in owner
    }


def test_autoscaling_leaves_the_number_of_pods_alone(rendered: Mapping[str, Rendered]) -> None:
    """With autoscaling the Deployment says no number, so that an upgrade doesn't undo what the load asked for."""
    assert "replicas" not in rendered["full"].one("Deployment", "api")["spec"]
    scaler = rendered["full"].one("HorizontalPodAutoscaler", "api")["spec"]
    assert scaler["scaleTargetRef"]["name"] in rendered["full"].of_kind("Deployment")
    assert rendered["default"].one("Deployment", "api")["spec"]["replicas"] == 2
    assert not rendered["default"].of_kind("HorizontalPodAutoscaler")


def test_every_deployment_may_be_drained_one_pod_at_a_time(rendered: Mapping[str, Rendered]) -> None:
    """Each Deployment has a budget that lets one pod go, so that neither a drain hangs nor all are gone at once."""
    for name in SCENARIOS:
        budgets = {each["spec"]["selector"]["matchLabels"].get("mien.dev/role", "") or budget: each["spec"]
                   for budget, each in rendered[name].of_kind("PodDisruptionBudget").items()}  # fmt: skip
        assert len(budgets) == len(rendered[name].of_kind("Deployment"))
        assert all(each["maxUnavailable"] == 1 for each in budgets.values())


def test_no_webhooks_without_their_key(rendered: Mapping[str, Rendered]) -> None:
    """Without the key that secrets are made with, the role that sends webhooks doesn't run."""
    roles = {name: {each.role for each in rendered[name].containers()} for name in ("default", "full")}
    assert "webhooks" in roles["full"]
    assert "webhooks" not in roles["default"]


def test_gpus_are_asked_for_as_they_are_counted(rendered: Mapping[str, Rendered]) -> None:
    """A worker asks for its GPUs and is let onto their nodes; without any it asks for none; the head never does."""

    def worker(name: str) -> dict[str, object]:
        (cluster,) = rendered[name].of_kind("RayCluster").values()
        (group,) = cluster["spec"]["workerGroupSpecs"]
        resources: dict[str, object] = group["template"]["spec"]["containers"][0]["resources"]["limits"]
        return resources

    assert worker("full")["nvidia.com/gpu"] == 2
    assert worker("default")["nvidia.com/gpu"] == 1
    assert "nvidia.com/gpu" not in worker("small")
    assert "nvidia.com/gpu" not in rendered["full"].container("serving").spec["resources"]["limits"]


def test_ray_is_the_version_that_is_locked(rendered: Mapping[str, Rendered]) -> None:
    """KubeRay is told the version of Ray that the image holds."""
    locked = re.search(r"^ray==([\d.]+)", (REPOSITORY / "requirements/serving.txt").read_text(), re.MULTILINE)
    assert locked is not None
    (cluster,) = rendered["default"].of_kind("RayCluster").values()
    assert cluster["spec"]["rayVersion"] == locked[1]


def test_the_chart_is_of_this_version() -> None:
    """The chart installs the code that it lies beside."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == project["version"]


def test_further_resources_are_rendered(rendered: Mapping[str, Rendered]) -> None:
    """What a platform team adds is installed with the rest, its templates filled in."""
    extra = rendered["full"].of_kind("ConfigMap")[f"{RELEASE}-extra"]
    assert extra["data"]["image"] == rendered["full"].container("api").spec["image"]


def test_an_external_router_needs_nothing_of_rays(rendered: Mapping[str, Rendered]) -> None:
    """Where models are served elsewhere there is no RayCluster, and nobody asks for KubeRay."""
    kinds = {each["apiVersion"].split("/")[0] for each in rendered["external"].resources}
    assert "ray.io" not in kinds
    url = [each for each in rendered["external"].container("streams", "analyse-face").spec["env"]
           if each["name"] == "MIEN_SERVING__URL"]  # fmt: skip
    assert url == [{"name": "MIEN_SERVING__URL", "value": "http://router.models:8000"}]
