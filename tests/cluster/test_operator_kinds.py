"""The definitions as they are checked in, on a real API server: what it takes, and what it refuses with which words."""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from mien_local.cluster.control_plane import ControlPlane
from mien_local.ports import unused_port
from mien_operator import manifests
from mien_operator.cluster import credentials
from mien_operator.cluster.api import ClusterApi
from mien_operator.cluster.resources import Resources
from mien_operator.crds.definition import API_VERSION, Kind
from mien_operator.kinds import ERASURE_REQUEST, KINDS, LEGAL_HOLD, MODEL_ROLLOUT, RETENTION_POLICY
from mien_operator.wiring import CONTROLLERS
from tests.operators import install, new_place, until

Spec = Mapping[str, Any]
Kubectl = Callable[..., str]

RULE: Spec = {"store": "postgres", "dataClass": "tryon_sessions", "ttl": "24h"}
POLICY: Spec = {"schedule": "0 3 * * *", "rules": [RULE]}
HOLD: Spec = {"tenant": "salon", "userId": "u-17", "reason": "An inquiry."}
ERASURE: Spec = {"tenant": "salon", "userId": "u-17", "requestedBy": "data-protection"}
ARTIFACT: Spec = {"uri": "s3://models/face.zip", "digest": "sha256:" + "a" * 64}
ROLLOUT: Spec = {
    "modelRef": {"name": "face"},
    "artifact": ARTIFACT,
    "steps": [{"setWeight": 10}, {"analysis": {}}, {"setWeight": 100}],
    "analysis": {"metrics": [{"comparator": "Errors"}]},
}
GOOD = ((RETENTION_POLICY, POLICY), (LEGAL_HOLD, HOLD), (ERASURE_REQUEST, ERASURE), (MODEL_ROLLOUT, ROLLOUT))
REFUSED = (
    (RETENTION_POLICY, {**POLICY, "schedule": "now and then"}, "spec.schedule"),
    (RETENTION_POLICY, {**POLICY, "rules": [{**RULE, "ttl": "-1d"}]}, "spec.rules[0].ttl"),
    (RETENTION_POLICY, {**POLICY, "rules": [{**RULE, "dataClass": "secrets"}]}, "Unsupported value"),
    (RETENTION_POLICY, {**POLICY, "rules": [RULE, {**RULE, "ttl": "30d"}]}, "keep one of them"),
    (RETENTION_POLICY, {**POLICY, "limits": {"maxPercentPerRun": 101}}, "maxPercentPerRun"),
    (RETENTION_POLICY, {**POLICY, "rulez": []}, "unknown field"),
    (LEGAL_HOLD, {**HOLD, "userId": "anna@example.org"}, "spec.userId"),
    (LEGAL_HOLD, {**HOLD, "dataClasses": ["photos", "photos"]}, "named twice"),
    (LEGAL_HOLD, {"tenant": "salon"}, "spec.reason"),
    (ERASURE_REQUEST, {**ERASURE, "userId": "anna@example.org"}, "spec.userId"),
    (ERASURE_REQUEST, {"tenant": "salon", "userId": "u-17"}, "spec.requestedBy"),
    (MODEL_ROLLOUT, {**ROLLOUT, "artifact": {**ARTIFACT, "digest": "sha256:short"}}, "spec.artifact.digest"),
    (MODEL_ROLLOUT, {**ROLLOUT, "steps": [{"setWeight": 50}, {"setWeight": 10}]}, "higher than the one before"),
    (MODEL_ROLLOUT, {**ROLLOUT, "steps": [{"setWeight": 10}, {"analysis": {}}]}, "must be setWeight: 100"),
    (MODEL_ROLLOUT, {**ROLLOUT, "steps": [{"setWeight": 10, "pause": {}}]}, "exactly one of"),
    (MODEL_ROLLOUT, {**ROLLOUT, "importPath": "os:system"}, "unknown field"),
)
SAMPLES = sorted((Path(__file__).parents[2] / "infra" / "samples").glob("*.yaml"))


@pytest.fixture(scope="module")
def kubectl(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """Run kubectl as the administrator; give what it prints."""
    environment = {**os.environ, "KUBECONFIG": str(control_plane.kubeconfig), "HOME": str(tmp_path_factory.mktemp("k"))}

    def run(*words: str) -> str:
        return subprocess.run(["kubectl", *words], env=environment, check=True, capture_output=True, text=True).stdout

    return run


@pytest.fixture(scope="module")
def installed(cluster: httpx.Client, kubectl: Kubectl) -> None:
    """The files, applied as people do it."""
    kubectl("apply", "--server-side", "-f", str(manifests.HOME / "crds"))
    for kind in KINDS:
        install(cluster, kind)


def created(cluster: httpx.Client, namespace: str, kind: Kind, spec: Spec) -> httpx.Response:
    path = f"/apis/{API_VERSION}/namespaces/{namespace}/{kind.plural}"
    manifest = {"apiVersion": API_VERSION, "kind": kind.kind, "metadata": {"name": "one"}, "spec": spec}
    return cluster.post(path, json=manifest, params={"fieldValidation": "Strict"})


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("kind", "spec"), GOOD, ids=[kind.kind for kind, _ in GOOD])
def test_good_resources_are_taken_and_filled_in(
    cluster: httpx.Client, namespace: str, kubectl: Kubectl, kind: Kind, spec: Spec
) -> None:
    """What the API server makes of it is what the operator reads, with the same defaults; people see its columns."""
    answer = created(cluster, namespace, kind, spec)
    assert answer.is_success, answer.text
    filled = answer.json()["spec"]
    assert kind.spec.model_validate(filled) == kind.spec.model_validate(spec)
    heading, line = kubectl("get", kind.short_names[0], "--namespace", namespace, "--output", "wide").splitlines()
    assert set(heading.split()) == {"NAME", "AGE", *(column.name.upper() for column in kind.columns)}
    assert line.startswith("one ")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.stem for sample in SAMPLES])
def test_samples_are_taken_as_they_are(namespace: str, kubectl: Kubectl, sample: Path) -> None:
    """Whoever applies a file of infra/samples is not told that a field is wrong, or unknown."""
    apply = ("apply", "--namespace", namespace, "--dry-run=server", "--validate=strict")
    assert "created (server dry run)" in kubectl(*apply, "-f", str(sample))


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("kind", "spec", "said"), REFUSED, ids=[f"{kind.kind}: {said}" for kind, _, said in REFUSED])
def test_bad_resources_are_refused_with_what_to_do(
    cluster: httpx.Client, namespace: str, kind: Kind, spec: Spec, said: str
) -> None:
    """Nobody waits for the operator to hear what the API server can see."""
    answer = created(cluster, namespace, kind, spec)
    assert answer.status_code in {400, 422}, answer.text
    assert said in answer.json()["message"]


@pytest.mark.usefixtures("installed")
def test_what_must_not_change_cannot(cluster: httpx.Client, namespace: str) -> None:
    """A hold never becomes smaller in passing, and a rollout stays with its model."""
    for kind, spec, change in (
        (LEGAL_HOLD, HOLD, {"tenant": "another"}),
        (ERASURE_REQUEST, ERASURE, {"userId": "u-18"}),
    ):
        assert created(cluster, namespace, kind, spec).is_success
        path = f"/apis/{API_VERSION}/namespaces/{namespace}/{kind.plural}/one"
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = cluster.patch(path, json={"spec": change}, headers=headers)
        assert answer.status_code == 422
        assert "can't be changed" in answer.json()["message"]


@pytest.mark.usefixtures("installed")
def test_people_can_ask_what_each_field_means(kubectl: Kubectl) -> None:
    """Every field of every spec has a text of its own, and so has every field of every status."""
    for kind in KINDS:
        for part in ("spec", "status"):
            text = kubectl("explain", f"{kind.plural}.{part}", "--recursive=false")
            assert "<no description>" not in text, (kind.kind, part)


@pytest.mark.usefixtures("installed")
async def test_a_kind_without_resources_is_an_empty_list(
    control_plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator looks at each kind each minute, also where there is nothing of it."""
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    async with ClusterApi(credentials.read) as api:
        resources = Resources(api, namespace)
        assert [found async for found in resources.metadata(RETENTION_POLICY)] == []
        assert [found async for found in resources.all(RETENTION_POLICY)] == []


def test_account_role_and_binding_are_taken(namespace: str, kubectl: Kubectl, tmp_path: Path) -> None:
    """As they are checked in, but for the namespace."""
    text = (manifests.HOME / "rbac" / "operator.yaml").read_text()
    here = tmp_path / "operator.yaml"
    here.write_text(text.replace("namespace: mien\n", f"namespace: {namespace}\n"))
    assert kubectl("apply", "-f", str(here)).count("created") == 3


def test_the_product_looks_after_its_kinds(control_plane: ControlPlane, cluster: httpx.Client, tmp_path: Path) -> None:
    """`python -m mien_operator` under its own account sees what it is asked for, and tells who it can't reach."""
    away = f"http://127.0.0.1:{unused_port()}"
    settings = {
        "MIEN_INTERNAL_API__URL": away,
        "MIEN_INTERNAL_API__KEY": "a key",
        "MIEN_ROLLOUTS__SERVE_URL": away,
        "MIEN_ROLLOUTS__ROUTER_URL": away,
    }
    with (
        new_place(control_plane, cluster, tmp_path, KINDS) as place,
        place.operator("mien_operator", **settings) as operator,
    ):
        operator.until_leading()
        wanted = {kind.kind: spec for kind, spec in GOOD if kind.kind in CONTROLLERS}
        for kind, spec in GOOD:
            assert created(cluster, place.namespace, kind, spec).is_success

        def told() -> set[str]:
            return {event["regarding"]["kind"] for event in place.events("one") if event["type"] == "Warning"}

        until(lambda: told() == set(wanted), "each is told of")
        assert "forbidden" not in operator.log
