"""Who may speak to whom: the policies, read as a network plugin reads them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from tests.chart.charts import RELEASE, Rendered, Resource


@dataclass(frozen=True)
class Place:
    """Something that speaks or is spoken to: a pod of the release, a pod of others, or an address outside.

    Attributes:
        labels: of the pod.
        namespace: the labels of its namespace; None means the release's own.
        address: of what is no pod.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: Mapping[str, str] | None = None
    address: str = ""


WORLD = Place(address="203.0.113.7")
STRANGER = Place({"app": "other"}, {"kubernetes.io/metadata.name": "elsewhere"})
# in the same namespace, and of no release of ours
NEIGHBOUR = Place({"app": "other"})


def _pod(rendered: Rendered, component: str, role: str = "") -> Place:
    return Place(rendered.container(component, role).pod["metadata"]["labels"])


def may(rendered: Rendered, source: Place, target: Place, port: int, protocol: str = "TCP") -> bool:
    """Whether a connection is let out of its source and into its target."""
    asked = {"port": port, "protocol": protocol}
    return _lets(rendered, source, target, asked, "egress") and _lets(rendered, target, source, asked, "ingress")


def _lets(rendered: Rendered, own: Place, other: Place, port: Resource, direction: str) -> bool:
    """What the policies of one end say; whoever has none lets everything."""
    if own.address or own.namespace is not None:
        return True
    policies = list(_policies(rendered, own, direction))
    rules = [rule for policy in policies for rule in policy["spec"].get(direction, ())]
    return not policies or any(_allows(rule, other, port) for rule in rules)


def _policies(rendered: Rendered, pod: Place, direction: str) -> Iterator[Resource]:
    for policy in rendered.of_kind("NetworkPolicy").values():
        spec = policy["spec"]
        if direction.capitalize() in spec["policyTypes"] and _selects(spec["podSelector"], pod.labels):
            yield policy


def _allows(rule: Mapping[str, Any], other: Place, port: Resource) -> bool:
    if rule.get("ports") and port not in rule["ports"]:
        return False
    peers = rule.get("to") or rule.get("from")
    return not peers or any(_matches(peer, other) for peer in peers)


def _matches(peer: Mapping[str, Any], other: Place) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return _within(other, [block["cidr"]]) and not _within(other, block.get("except", ()))
    if other.address:
        return False
    if "namespaceSelector" in peer:
        right_namespace = other.namespace is not None and _selects(peer["namespaceSelector"], other.namespace)
    else:
        right_namespace = other.namespace is None
    return right_namespace and _selects(peer.get("podSelector", {}), other.labels)


def _within(place: Place, networks: Iterable[str]) -> bool:
    return bool(place.address) and any(ip_address(place.address) in ip_network(network) for network in networks)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


@pytest.fixture
def default(rendered: Mapping[str, Rendered]) -> Rendered:
    """The chart with what must be set, and nothing else."""
    return rendered["default"]


def test_every_pod_is_behind_the_wall(rendered: Mapping[str, Rendered]) -> None:
    """A policy that denies everything selects each pod of the release, those that KubeRay makes included."""
    for name in ("default", "full", "small"):
        wall = rendered[name].one("NetworkPolicy", "default-deny")["spec"]
        assert wall["policyTypes"] == ["Ingress", "Egress"]
        assert "ingress" not in wall
        for owner, pod in rendered[name].pods():
            assert _selects(wall["podSelector"], pod["metadata"]["labels"]), owner


def test_only_the_operator_reaches_the_dashboard(default: Rendered) -> None:
    """What runs any code that it is told to is reached by the operator and by Ray's own nodes, and by nobody else."""
    head = _pod(default, "serving")
    others = [each for each in _everybody(default) if each.labels.get("app.kubernetes.io/component") != "serving"]
    assert {each.labels.get("app.kubernetes.io/component", each.address or "a stranger") for each in others
            if may(default, each, head, 8265)} == {"operator"}  # fmt: skip
    # nor any other of Ray's ports: the GCS, the client, the agent
    for port in (6379, 10001, 52365):
        assert not any(may(default, each, head, port) for each in others)
    assert may(default, head, head, 6379)


def _everybody(rendered: Rendered) -> list[Place]:
    return [*(Place(pod["metadata"]["labels"]) for _, pod in rendered.pods()), WORLD, STRANGER, NEIGHBOUR]


def test_the_router_is_for_those_who_ask_it(default: Rendered) -> None:
    """Roles that need a model, and the operator, reach the router; other roles, the API and strangers don't."""
    head = _pod(default, "serving")
    for role in ("analyse-face", "render-poster", "render-tryon"):
        assert may(default, _pod(default, "streams", role), head, 8000)
    assert may(default, _pod(default, "operator"), head, 8000)
    for stranger in (_pod(default, "streams", "relay"), _pod(default, "api"), WORLD, STRANGER, NEIGHBOUR):
        assert not may(default, stranger, head, 8000)


def test_the_api_is_for_everybody_unless_said_otherwise(rendered: Mapping[str, Rendered]) -> None:
    """By default whoever finds the API may call it; with apiFrom it is those named, the operator and who scrapes."""
    api = _pod(rendered["default"], "api")
    assert all(may(rendered["default"], each, api, 8000) for each in (WORLD, STRANGER, NEIGHBOUR))
    full = rendered["full"]
    api = _pod(full, "api")
    ingress = Place({}, {"kubernetes.io/metadata.name": "ingress"})
    scraper = Place({}, {"kubernetes.io/metadata.name": "observability"})
    assert all(may(full, each, api, 8000) for each in (ingress, scraper, _pod(full, "operator")))
    assert not any(may(full, each, api, 8000) for each in (WORLD, STRANGER, NEIGHBOUR))


def test_metrics_are_for_those_named(rendered: Mapping[str, Rendered]) -> None:
    """Nobody scrapes the streams, serving and the operator unless metricsFrom names them."""
    scraper = Place({}, {"kubernetes.io/metadata.name": "observability"})
    for component, role, port in (("streams", "relay", 9090), ("serving", "", 8080), ("operator", "", 8080)):
        assert may(rendered["full"], scraper, _pod(rendered["full"], component, role), port)
        assert not may(rendered["full"], STRANGER, _pod(rendered["full"], component, role), port)
        assert not may(rendered["default"], scraper, _pod(rendered["default"], component, role), port)


@pytest.mark.parametrize(
    ("component", "role", "reaches"),
    [
        ("api", "", {"postgres", "s3"}),
        ("streams", "relay", {"postgres", "kafka"}),
        ("streams", "analyse-face", {"postgres", "kafka", "s3"}),
        ("streams", "recommend-looks", {"postgres", "kafka"}),
        ("streams", "erase-user", {"postgres", "kafka", "s3"}),
        ("serving", "", {"s3"}),
        ("operator", "", set()),
        ("migrations", "", {"postgres"}),
        ("assets", "", {"s3"}),
    ],
)
def test_each_reaches_the_parts_that_it_needs(
    rendered: Mapping[str, Rendered], component: str, role: str, reaches: set[str]
) -> None:
    """PostgreSQL, Kafka and the object store are reached by who has to do with them; the world on other ports never."""
    full = rendered["full"]
    pod = _pod(full, component, role)
    places = {
        "postgres": (Place(address="10.1.2.3"), 5432),
        "kafka": (Place({}, {"kubernetes.io/metadata.name": "data"}), 9092),
    }
    reached = {name for name, (place, port) in places.items() if may(full, pod, place, port)}
    assert reached == reaches - {"s3"}
    # other things than the object store are on 443, too
    if component not in {"api", "operator"}:
        assert may(full, pod, WORLD, 443) == ("s3" in reaches)
    assert not may(full, pod, WORLD, 22)
    assert not may(full, pod, Place(address="10.2.0.1"), 5432)


def test_everybody_may_ask_for_names(rendered: Mapping[str, Rendered]) -> None:
    """Names are answered by the cluster's own DNS where dnsTo says so, over UDP and TCP."""
    dns = Place({"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"})
    for _, template in rendered["full"].pods():
        pod = Place(template["metadata"]["labels"])
        assert may(rendered["full"], pod, dns, 53, "UDP")
        assert may(rendered["full"], pod, dns, 53)
        assert not may(rendered["full"], pod, WORLD, 53, "UDP")


def test_webhooks_go_to_the_world_and_not_inside(rendered: Mapping[str, Rendered]) -> None:
    """The role that calls strangers' addresses reaches none inside: no pod, no service, no cloud's metadata."""
    sender = _pod(rendered["full"], "streams", "webhooks")
    assert may(rendered["full"], sender, WORLD, 443)
    for address in ("10.96.0.1", "169.254.169.254", "192.168.1.1", "172.16.5.4", "100.64.0.1"):
        assert not may(rendered["full"], sender, Place(address=address), 443)
    assert not may(rendered["full"], sender, _pod(rendered["full"], "api"), 8000)


def test_the_reader_of_policies_can_say_no_and_yes() -> None:
    """Without policies everything is let; with one that selects a pod only what it says."""
    pod = Place({"app": "a"})
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": RELEASE},
        "spec": {
            "podSelector": {"matchLabels": {"app": "a"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": 1, "protocol": "TCP"}]}],
        },
    }
    assert may(Rendered([]), WORLD, pod, 2)
    assert may(Rendered([policy]), WORLD, pod, 1)
    assert not may(Rendered([policy]), WORLD, pod, 2)
    assert may(Rendered([policy]), pod, WORLD, 2)
