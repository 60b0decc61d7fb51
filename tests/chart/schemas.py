"""JSON schemas for kubeconform, made of what Kubernetes and custom resources' definitions say of themselves."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.chart.charts import CHART

JSON = dict[str, Any]
KUBERAY = Path(__file__).parent / "raycluster-crd.yaml"
_PREFIX = "#/definitions/"
_POD = "io.k8s.api.core.v1.PodTemplateSpec"


def write_schemas(swagger: JSON, folder: Path) -> None:
    """Write a schema a kind, named as kubeconform looks for it: deployment-apps-v1.json.

    Each is strict, as kubectl's own validation is: a field that Kubernetes doesn't know is an error.
    """
    # Kubernetes' definitions name each other instead of being nested
    definitions: dict[str, JSON] = {
        name: {"additionalProperties": False, **definition} if "properties" in definition else definition
        for name, definition in swagger["definitions"].items()
    }
    # numbers or strings, for which OpenAPI 2 has no word
    for name in ("io.k8s.apimachinery.pkg.api.resource.Quantity", "io.k8s.apimachinery.pkg.util.intstr.IntOrString"):
        definitions[name] = {"type": ["string", "integer", "number"]}
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            whole = {**definition, "definitions": _needed([name], definitions)}
            _path(folder, kind["group"], kind["version"], kind["kind"]).write_text(json.dumps(whole))
    for crd in _custom():
        group, kind = crd["spec"]["group"], crd["spec"]["names"]["kind"]
        for version in crd["spec"]["versions"]:
            schema = _custom_schema(version["schema"]["openAPIV3Schema"])
            whole = {**schema, "definitions": _needed([_POD], definitions)}
            _path(folder, group, version["name"], kind).write_text(json.dumps(whole))


def _path(folder: Path, group: str, version: str, kind: str) -> Path:
    # of a group with dots kubeconform takes the first word
    words = (kind, group.split(".", maxsplit=1)[0], version) if group else (kind, version)
    return folder / ("-".join(words).lower() + ".json")


def _custom() -> Iterator[JSON]:
    for path in (KUBERAY, *sorted(CHART.glob("crds/*.yaml"))):
        yield from yaml.safe_load_all(path.read_text())


def _custom_schema(schema: JSON) -> JSON:
    """Make a custom resource's schema strict, and put Kubernetes' own in the place of pods' templates."""
    made = dict(schema)
    if "properties" in schema:
        made["properties"] = {
            name: {"$ref": _PREFIX + _POD} if name == "template" else _custom_schema(each)
            for name, each in schema["properties"].items()
        }
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made["additionalProperties"] = False
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), Mapping):
            made[name] = _custom_schema(schema[name])
    return made


def _needed(names: Iterable[str], definitions: Mapping[str, JSON]) -> dict[str, JSON]:
    """These definitions and all that they are made of."""
    found: dict[str, JSON] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = definitions[name]
            waiting.extend(_references(definitions[name]))
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _references(each)
    elif isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix(_PREFIX)
        for each in node.values():
            yield from _references(each)
