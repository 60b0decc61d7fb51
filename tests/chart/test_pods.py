"""What pods may: nothing but what they need."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from mien_api.wiring import ApiSettings
from mien_core.__main__ import MigrateSettings
from mien_operator.wiring import ProcessSettings
from mien_serving.router import RouterSettings
from mien_serving.wiring import ReplicaSettings
from mien_streams.wiring import settings_class
from tests.chart.charts import NAMESPACE, REPOSITORY, SCENARIOS, Container, Rendered, scenario

# what is in the Secrets that the scenarios name
SECRETS: Mapping[str, Mapping[str, str]] = {
    "mien-postgres": {"url": "postgresql://mien@db/mien", "dsn": "postgresql://mien@db/mien"},
    "mien-s3": {"access-key-id": "id", "secret-access-key": "secret"},
    "mien-redis": {"url": "redis://redis:6379"},
    "mien-webhooks": {"key": "k" * 32},
    "mien-ray": {"auth_token": "token", "comparisons_token": "comparisons"},
    "mien-erasure": {"signing-key": "0" * 64},
    "mien-operator": {"api-key": "mien_key"},
    "payments": {"secret": "p" * 16},
    "bedrock": {"id": "id"},
}
FIELDS = {"metadata.name": "a-pod", "metadata.namespace": "looks"}


def _containers(rendered: Mapping[str, Rendered], name: str) -> list[Container]:
    return list(rendered[name].containers())


@pytest.mark.parametrize("name", SCENARIOS)
def test_pods_are_restricted(rendered: Mapping[str, Rendered], name: str) -> None:
    """Each pod meets Kubernetes' Pod Security level restricted, and its root file system is read-only besides."""
    for owner, pod in rendered[name].pods():
        spec = pod["spec"]
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}, owner
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for volume in spec.get("volumes", ()):
            allowed = {"configMap", "emptyDir", "projected", "secret", "downwardAPI", "persistentVolumeClaim"}
            assert set(volume) - {"name"} <= allowed, owner
        for container in (*spec["containers"], *spec.get("initContainers", ())):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert not any("hostPort" in port for port in container.get("ports", ()))


@pytest.mark.parametrize("name", SCENARIOS)
def test_nobody_but_the_operator_has_a_token(rendered: Mapping[str, Rendered], name: str) -> None:
    """Neither a pod nor its account mounts a token of Kubernetes, except for the operator's pod."""
    for owner, pod in rendered[name].pods():
        is_operator = pod["metadata"]["labels"]["app.kubernetes.io/component"] == "operator"
        assert pod["spec"]["automountServiceAccountToken"] is is_operator, owner
        account = pod["spec"].get("serviceAccountName")
        assert account is None or account in rendered[name].of_kind("ServiceAccount"), owner
    for account in rendered[name].of_kind("ServiceAccount").values():
        assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_right_is_a_wildcard(rendered: Mapping[str, Rendered], name: str) -> None:
    """Rights are in the release's namespace alone, each by its name, and bound to the operator."""
    assert not rendered[name].of_kind("ClusterRole")
    assert not rendered[name].of_kind("ClusterRoleBinding")
    for role in rendered[name].of_kind("Role").values():
        for rule in role["rules"]:
            words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "*" not in "".join(words)
            assert "secrets" not in rule["resources"]
    for binding in rendered[name].of_kind("RoleBinding").values():
        assert binding["roleRef"]["name"] in rendered[name].of_kind("Role")
        assert [subject["name"] for subject in binding["subjects"]] == [binding["metadata"]["name"]]


def test_the_operators_rights_are_those_that_its_code_names(rendered: Mapping[str, Rendered]) -> None:
    """The chart's Role has the rules of the Role that is made from the code, and no other."""
    manifests = yaml.safe_load_all((REPOSITORY / "operator/mien_operator/rbac/operator.yaml").read_text())
    (made,) = (each for each in manifests if each["kind"] == "Role")
    assert rendered["default"].one("Role", "operator")["rules"] == made["rules"]


@pytest.mark.parametrize("name", SCENARIOS)
def test_everything_that_stays_is_looked_after(rendered: Mapping[str, Rendered], name: str) -> None:
    """Each process says what it needs and how it is found well, by ports that are there, and has time to stop."""
    for container in _containers(rendered, name):
        assert container.spec["resources"]["requests"].keys() >= {"cpu", "memory"}, container.owner
        assert "memory" in container.spec["resources"].get("limits", container.spec["resources"]["requests"])
        if container.owner.startswith("Job/"):
            continue
        ports = {port["name"] for port in container.spec["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked = container.spec[probe]
            assert ("exec" in asked) != (asked.get("httpGet", {}).get("port") in ports), container.owner
        assert container.pod["spec"]["terminationGracePeriodSeconds"] >= 10


def test_streams_have_time_to_finish(rendered: Mapping[str, Rendered]) -> None:
    """A pod's grace is longer than its process takes to stop: it drains, then waits for Faust for 10 s at most."""
    environment = rendered["default"].one("ConfigMap", "streams")["data"]
    for container in _containers(rendered, "default"):
        if container.component == "streams":
            grace = container.pod["spec"]["terminationGracePeriodSeconds"]
            assert grace >= float(environment["MIEN_STREAMS__DRAIN_SECONDS"]) + 2 * 10


@pytest.mark.parametrize("name", SCENARIOS)
def test_replicas_are_spread(rendered: Mapping[str, Rendered], name: str) -> None:
    """Each pod prefers another zone and another node than its likes, and finds them by its own labels."""
    for owner, pod in rendered[name].pods():
        for constraint in pod["spec"]["topologySpreadConstraints"]:
            assert constraint["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items(), owner
        assert len(pod["spec"]["topologySpreadConstraints"]) == 2


class RayPodSettings(ReplicaSettings, RouterSettings):
    """Replicas run on workers and the router on the head; both are pods of one kind."""


def _settings(container: Container) -> Any:
    """The settings class of a container's process."""
    if container.component == "streams":
        return settings_class({container.role})
    return {
        "api": ApiSettings,
        "migrations": MigrateSettings,
        "serving": RayPodSettings,
        "assets": ReplicaSettings,
        "operator": ProcessSettings,
    }[container.component]


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_process_is_told_all_that_it_must_know(
    rendered: Mapping[str, Rendered], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its rendered environment and no other each process finds its settings complete and right."""
    for container in _containers(rendered, name):
        with monkeypatch.context() as patch:
            for variable, value in rendered[name].environment(container, SECRETS, FIELDS).items():
                patch.setenv(variable, value)
            settings = _settings(container)()
        if hasattr(settings, "s3"):
            assert (settings.s3.secret_access_key is None) == (name == "external"), container.owner
        if container.component == "streams":
            assert settings.streams.instance == FIELDS["metadata.name"]
        if container.component == "serving":
            assert settings.comparisons.token == SecretStr("comparisons")
        if container.component == "operator":
            assert settings.operator.namespace == NAMESPACE
            assert settings.rollouts.router_token == SecretStr("comparisons")
            assert settings.rollouts.http_port == rendered[name].one("Service", "serving")["spec"]["ports"][0]["port"]


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_process_knows_a_secret_that_it_has_no_use_for(rendered: Mapping[str, Rendered], name: str) -> None:
    """Every Secret that a container refers to is a setting of its process; none comes in through envFrom."""
    for container in _containers(rendered, name):
        assert all("configMapRef" in source for source in container.spec.get("envFrom", ())), container.owner
        groups = {f"MIEN_{group.upper()}__" for group in _settings(container).model_fields}
        for variable in container.spec.get("env", ()):
            if "secretKeyRef" in variable.get("valueFrom", {}) and variable["name"] != "RAY_AUTH_TOKEN":
                assert variable["name"].startswith(tuple(groups)), f"{container.owner}: {variable['name']}"


def test_comparisons_need_no_token_of_their_own(rendered: Mapping[str, Rendered]) -> None:
    """Where the Secret has none, neither the router asks for one nor the operator shows one, and both start."""
    default = rendered["small"]
    without = {**SECRETS, "mien-ray": {"auth_token": "token"}}
    for component, name in (("serving", "MIEN_COMPARISONS__TOKEN"), ("operator", "MIEN_ROLLOUTS__ROUTER_TOKEN")):
        container = default.container(component)
        assert default.environment(container, SECRETS, FIELDS)[name] == "comparisons"
        assert name not in default.environment(container, without, FIELDS)


def test_settings_reach_their_process(rendered: Mapping[str, Rendered]) -> None:
    """What a platform team sets for one role reaches that role alone; what it sets for all reaches all."""
    full = rendered["full"]
    insights = full.environment(full.container("streams", "write-insight"), SECRETS, FIELDS)
    relay = full.environment(full.container("streams", "relay"), SECRETS, FIELDS)
    assert insights["MIEN_INSIGHTS__MODEL"] == "eu.anthropic.claude-haiku"
    assert insights["MIEN_INSIGHTS__ACCESS_KEY_ID"] == "id"
    assert "MIEN_INSIGHTS__MODEL" not in relay
    assert relay["MIEN_POSTGRES__POOL_MIN"] == insights["MIEN_POSTGRES__POOL_MIN"] == "2"
    api = full.environment(full.container("api"), SECRETS, FIELDS)
    assert api["MIEN_POSTERS__PAYMENT_SECRET"] == "p" * 16
    assert api["MIEN_API__LIMITS__CALLER"] == "600"
    assert api["MIEN_S3__PUBLIC_ENDPOINT"] == "https://photos.example.com"
    assert scenario("full").exists()
