"""The values: each is explained, and none that is wrong gets as far as the cluster."""

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Union, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel, SecretStr

from mien_api import wiring as api_wiring
from mien_operator import wiring as operator_wiring
from mien_serving import wiring as serving_wiring
from mien_streams import wiring as streams_wiring
from tests.chart.charts import CHART, Chart, RefusedError, scenario, values

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())

# Each wrong in one way: what is set, to what, and what Helm must say of it.
WRONG: list[tuple[str, Any, str]] = [
    ("apii", {}, "additional properties 'apii' not allowed"),
    ("api.replica", 3, "additional properties 'replica' not allowed"),
    ("api.replicas", "3", "at '/api/replicas': got string, want integer"),
    ("api.replicas", -1, "at '/api/replicas': minimum: got -1, want 0"),
    ("api.ingress.paths", ["/"], "at '/api/ingress/paths/0'"),
    ("api.ingress.paths", ["/metrics"], "at '/api/ingress/paths/0'"),
    ("api.ingress.paths", ["/internal/v1"], "at '/api/ingress/paths/0'"),
    ("api.ingress.host", "https://mien.example.com", "at '/api/ingress/host'"),
    ("api.settings", {"MIEN_API__PORT": 8000}, "at '/api/settings/MIEN_API__PORT': got number, want string"),
    ("api.settings", {"DATABASE_URL": "x"}, "at '/api/settings': additional properties 'DATABASE_URL' not allowed"),
    ("api.settings", {"MIEN_POSTGRES__URL": "postgresql://u:p@h/d"}, "api.settings: MIEN_POSTGRES__URL is a secret"),
    ("streams.settings", {"MIEN_WEBHOOKS__KEY": "k" * 32}, "streams.settings: MIEN_WEBHOOKS__KEY is a secret"),
    ("serving.settings", {"RAY_AUTH_TOKEN": "token"}, "serving.settings: RAY_AUTH_TOKEN is a secret"),
    ("api.secretSettings", {"MIEN_WEBHOOKS__KEY": "secret"}, "at '/api/secretSettings/MIEN_WEBHOOKS__KEY': got string"),
    ("api.autoscaling.targetCPU", 170, "at '/api/autoscaling/targetCPU'"),
    ("api.resources.limits.memory", "1 GB", "at '/api/resources/limits/memory'"),
    ("api.resources.limts", {}, "additional properties 'limts' not allowed"),
    ("api.tolerations", [{"key": "a", "efect": "NoSchedule"}], "additional properties 'efect' not allowed"),
    ("commonLabels", {"app.kubernetes.io/name": "x"}, "invalid propertyName 'app.kubernetes.io/name'"),
    ("global.imageRegistry", "https://registry.example.com", "at '/global/imageRegistry'"),
    ("images.api.digest", "0123", "at '/images/api/digest'"),
    ("images.pullPolicy", "Sometimes", "at '/images/pullPolicy': value must be one of"),
    ("kafka.brokers", "kafka", "at '/kafka/brokers'"),
    ("kafka.retentionHours", 720, "at '/kafka/retentionHours': maximum: got 720, want 168"),
    ("networkPolicies.postgres.ports", [], "at '/networkPolicies/postgres/ports'"),
    ("networkPolicies.apiFrom", [{"podSelectors": {}}], "additional properties 'podSelectors' not allowed"),
    ("pods.runAs", 0, "at '/pods/runAs': minimum: got 0, want 1"),
    ("postgres.existingSecret", "My Secret", "at '/postgres/existingSecret'"),
    ("postgres.password", "hunter2", "additional properties 'password' not allowed"),
    ("s3.bucket", "No_Bucket", "at '/s3/bucket'"),
    ("s3.endpoint", "https://key:secret@s3.example.com", "at '/s3/endpoint'"),
    ("serving.workers.gpus", 0.5, "at '/serving/workers/gpus': got number, want integer"),
    ("serving.url", "router:8000", "at '/serving/url'"),
    ("streams.roles.analyze-face", {"enabled": True, "replicas": 1}, "'analyze-face' not allowed"),
    ("streams.roles.relay", {"enabled": "yes", "replicas": 1}, "at '/streams/roles/relay/enabled'"),
    ("telemetry.logLevel", "debug", "at '/telemetry/logLevel': value must be one of"),
    ("extraObjects", [{"kind": "ConfigMap"}], "at '/extraObjects/0': missing properties"),
]

# What can't be left out, and what the refusal says.
MISSING = {
    "postgres.existingSecret": "the name of the Secret that holds PostgreSQL's URL",
    "kafka.brokers": "Kafka's brokers, comma-separated host:port",
    "erasure.existingSecret": "the name of the Secret with the key that certificates of erasure are signed with",
    "operator.apiKey.existingSecret": "the name of the Secret with the operator's API key",
    "serving.auth.existingSecret": "the name of the Secret with the token that Ray asks for",
}


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_a_wrong_value_is_refused(chart: Chart, name: str, value: Any, said: str) -> None:
    """The refusal names the value and says what is wrong with it."""
    with pytest.raises(RefusedError) as refusal:
        chart.render(scenario("default"), overrides={name: value})
    assert said in str(refusal.value)


@pytest.mark.parametrize("name", MISSING)
def test_what_must_be_set_is_asked_for(chart: Chart, name: str) -> None:
    """Whoever leaves out what nobody can guess is told its name and what belongs there."""
    with pytest.raises(RefusedError, match=re.escape(f"{name}: {MISSING[name]}")):
        chart.render(scenario("default"), overrides={name: ""})


def test_what_belongs_together_is_asked_for_together(chart: Chart) -> None:
    """A value that only makes sense with another one is refused without it, in words."""
    with pytest.raises(RefusedError, match=r"api\.ingress\.host: the host's name"):
        chart.render(scenario("default"), overrides={"api.ingress.enabled": True})
    with pytest.raises(RefusedError, match=r"serving\.url: the router's address"):
        chart.render(scenario("default"), overrides={"serving.enabled": False})
    with pytest.raises(RefusedError, match=r"serving\.dashboardUrl: the address of Ray's dashboard"):
        chart.render(scenario("external"), overrides={"operator.enabled": True})
    with pytest.raises(RefusedError, match=re.escape("api.autoscaling.maxReplicas: at least")):
        chart.render(scenario("default"), overrides={"api.autoscaling": {"enabled": True, "minReplicas": 20}})


def test_every_value_is_explained() -> None:
    """Before each value of values.yaml stands a comment that says what it is."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    unexplained = []
    tree = yaml.compose((CHART / "values.yaml").read_text())
    assert isinstance(tree, yaml.MappingNode)
    for node in _leaves(tree, SCHEMA):
        above = node.start_mark.line - 1
        while lines[above].lstrip().startswith("# ") and not lines[above].lstrip().startswith("# -- "):
            above -= 1
        if not lines[above].lstrip().startswith("# -- "):
            unexplained.append(lines[node.start_mark.line])
    assert unexplained == []


def _leaves(node: yaml.MappingNode, schema: Mapping[str, Any]) -> Iterator[yaml.ScalarNode]:
    """The names of values that have no parts of their own in the schema."""
    for name, value in node.value:
        part = _resolved(schema["properties"][name.value])
        # the roles are explained together, and a resource's parts are Kubernetes' own
        if "properties" in part and name.value not in {"roles", "resources", "affinity"}:
            yield from _leaves(value, part)
        else:
            yield name


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        return dict(SCHEMA["definitions"][schema["$ref"].removeprefix("#/definitions/")])
    return schema


def test_the_schema_knows_exactly_the_values() -> None:
    """What values.yaml names the schema describes, and the other way round."""
    assert sorted(_names(values(), SCHEMA)) == sorted(_described(SCHEMA))


def _names(given: Mapping[str, Any], schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, value in given.items():
        yield f"{path}.{name}"
        part = _resolved(schema["properties"][name])
        if _is_grouping(name, part):
            yield from _names(value, part, f"{path}.{name}")


def _described(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, unresolved in schema["properties"].items():
        yield f"{path}.{name}"
        part = _resolved(unresolved)
        if _is_grouping(name, part):
            yield from _described(part, f"{path}.{name}")


def _is_grouping(name: str, part: Mapping[str, Any]) -> bool:
    is_role = part == SCHEMA["definitions"]["role"]
    return "properties" in part and not is_role and name not in {"resources", "affinity"}


def test_nothing_unknown_is_let_through() -> None:
    """Every object of the schema names its parts or says of what kind they are; Kubernetes checks the few others."""
    left_to_kubernetes = {"nodeAffinity", "podAffinity", "podAntiAffinity", "extraObjects"}

    def check(schema: Any, name: str) -> None:
        if isinstance(schema, list):
            for each in schema:
                check(each, name)
        elif isinstance(schema, dict):
            if schema.get("type") == "object" and name not in left_to_kubernetes:
                extra = schema.get("additionalProperties")
                assert extra is False or isinstance(extra, dict), f"{name} lets anything through"
            for key, each in schema.items():
                check(each, name if key in {"items", "additionalProperties", "not"} else key)

    check({**SCHEMA}, "values")


def test_the_roles_are_those_that_streams_knows() -> None:
    """The chart offers every role of streams, and none that isn't there."""
    assert set(values()["streams"]["roles"]) == set(streams_wiring.ROLES)
    assert set(_resolved(SCHEMA["properties"]["streams"]["properties"]["roles"])["properties"]) == set(
        streams_wiring.ROLES
    )


def test_no_secret_fits_into_the_values() -> None:
    """Each setting that is a secret is refused among the plain ones: it comes out of a Secret or not at all."""
    template = (CHART / "templates" / "_settings.tpl").read_text().partition('define "mien.settings.secret"')[2]
    refused = set(re.findall(r"^- (\w+)$", template, re.MULTILINE))
    secret = {
        name
        for module in (api_wiring, operator_wiring, streams_wiring, serving_wiring)
        for _, settings in inspect.getmembers(module, inspect.isclass)
        if issubclass(settings, BaseModel) and hasattr(settings, "settings_customise_sources")
        for name in _secrets(settings, "MIEN")
    }
    assert {"MIEN_POSTGRES__URL", "MIEN_WEBHOOKS__KEY", "MIEN_POSTERS__PAYMENT_SECRET"} <= secret
    assert secret <= refused


def _secrets(settings: type[BaseModel], prefix: str, separator: str = "_") -> Iterator[str]:
    """The names in the environment of all fields that hold a secret."""
    for name, field in settings.model_fields.items():
        variable = f"{prefix}{separator}{name.upper()}"
        for each in _types(field.annotation):
            if each is SecretStr:
                yield variable
            elif inspect.isclass(each) and issubclass(each, BaseModel):
                yield from _secrets(each, variable, "__")


def _types(annotation: Any) -> Iterator[Any]:
    """A type and those that it is made of: None | X, tuple[X, ...], Annotated[X, …]."""
    yield annotation
    if get_origin(annotation) is not None or isinstance(annotation, Union if inspect.isclass(Union) else ()):
        for each in get_args(annotation):
            yield from _types(each)


def test_the_ingress_lets_in_the_contract_and_no_more() -> None:
    """Every public operation is below a path that the Ingress lets in, and metrics and the operator's are not."""
    app = api_wiring.build(api_wiring.ApiSettings.model_validate({"postgres": {"url": "postgresql://nowhere"}}))
    let_in = values()["api"]["ingress"]["paths"]

    def reaches(path: str) -> bool:
        return any(path == prefix or path.startswith(f"{prefix}/") for prefix in let_in)

    paths = {path for path in app.openapi()["paths"] if not path.startswith("/internal/")}
    assert [path for path in sorted(paths) if not reaches(path)] == []
    assert reaches("/openapi.json")
    assert not reaches("/metrics")
    assert not reaches("/internal/v1/retention/runs")
    useless = [prefix for prefix in let_in if not any(path.startswith(prefix) for path in {*paths, "/openapi.json"})]
    assert useless == []
