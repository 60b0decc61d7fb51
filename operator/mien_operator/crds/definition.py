"""A kind of resource, and the CustomResourceDefinition that follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from mien_operator.cel import CelRule
from mien_operator.crds.structural import JsonSchema, structural_schema

GROUP: Final = "mien.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "mien"
# what a whole list of conditions may hold, so that the API server can tell what a rule over them costs
_MOST_CONDITIONS: Final = 16
_CONDITION_TYPE: Final = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)
_REASON: Final = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`.

    Args:
        name: its heading.
        path: where its value stands, as JSONPath from the resource on: ".status.phase".
        type: string, integer, number, boolean or date (which is shown as an age).
        priority: 0 is always shown, 1 with `-o wide`.
        description: what it says.
    """

    name: str
    path: str
    type: str = "string"
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of custom resource, all of them namespaced.

    Args:
        kind: its name, as in YAML.
        plural: its name in addresses.
        short_names: what people type.
        description: what it is for, the first words of `kubectl explain`.
        spec: what people write.
        status: what the operator writes, without conditions and observedGeneration, which all have.
        columns: what `kubectl get` shows besides the name; the age comes last by itself.
        rules: what the API server checks of the spec besides types and ranges.
    """

    kind: str
    plural: str
    short_names: tuple[str, ...]
    description: str
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: tuple[Column, ...] = ()
    rules: tuple[CelRule, ...] = ()

    @property
    def name(self) -> str:
        """What its definition is called."""
        return f"{self.plural}.{GROUP}"


def definition(kind: Kind) -> dict[str, Any]:
    """Give the CustomResourceDefinition (apiextensions.k8s.io/v1).

    Raises:
        NotStructural: a model says what a custom resource can't.
        ValueError: a rule's path leads nowhere.
    """
    spec = structural_schema(kind.spec)
    for rule in kind.rules:
        _add_rule(spec, rule)
    columns = [*kind.columns, Column("Age", ".metadata.creationTimestamp", "date")]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.name},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": list(kind.short_names),
                "categories": [CATEGORY],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(column) for column in columns],
                    "schema": {
                        "openAPIV3Schema": {
                            "description": kind.description,
                            "type": "object",
                            "required": ["spec"],
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {"type": "object"},
                                "spec": spec,
                                "status": _status(kind.status),
                            },
                        }
                    },
                }
            ],
        },
    }


def _column(column: Column) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.description:
        entry["description"] = column.description
    if column.priority:
        entry["priority"] = column.priority
    return entry


def _status(model: type[BaseModel]) -> JsonSchema:
    # The operator writes it by patches that name what changed: nothing is filled in or asked for between two of them.
    schema = structural_schema(model, defaults=False)
    schema.pop("required", None)
    schema.setdefault("properties", {}).update(_common_status())
    schema.pop("x-kubernetes-preserve-unknown-fields", None)
    schema["description"] = schema.get("description") or "What the operator last saw and did."
    return schema


def _common_status() -> Mapping[str, JsonSchema]:
    """What every status has, as Kubernetes' conventions want it (metav1.Condition)."""
    return {
        "observedGeneration": {
            "description": "The generation of the spec that this status speaks of.",
            "type": "integer",
            "format": "int64",
            "minimum": 0,
        },
        "conditions": {
            "description": "What holds of this resource, each with its reason and with what to do where it is wrong.",
            "type": "array",
            "maxItems": _MOST_CONDITIONS,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": {
                "type": "object",
                "required": ["type", "status", "lastTransitionTime", "reason", "message"],
                "properties": {
                    "type": {
                        "description": "What it is about, such as Ready.",
                        "type": "string",
                        "maxLength": 316,
                        "pattern": _CONDITION_TYPE,
                    },
                    "status": {
                        "description": "Whether it holds.",
                        "type": "string",
                        "enum": ["True", "False", "Unknown"],
                    },
                    "observedGeneration": {
                        "description": "The generation of the spec that this condition speaks of.",
                        "type": "integer",
                        "format": "int64",
                        "minimum": 0,
                    },
                    "lastTransitionTime": {
                        "description": "Since when it holds or doesn't.",
                        "type": "string",
                        "format": "date-time",
                    },
                    "reason": {
                        "description": "Why, in one word for programs.",
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 1024,
                        "pattern": _REASON,
                    },
                    "message": {
                        "description": "Why, and what to do, in a sentence for people.",
                        "type": "string",
                        "maxLength": 32768,
                    },
                },
            },
        },
    }


def _add_rule(spec: JsonSchema, rule: CelRule) -> None:
    place = _place(spec, [part for part in rule.path.replace("[]", ".[]").split(".") if part], rule)
    rules: list[Mapping[str, str]] = place.setdefault("x-kubernetes-validations", [])
    rules.append({"rule": rule.rule, "message": rule.message})


def _place(schema: JsonSchema, parts: Sequence[str], rule: CelRule) -> JsonSchema:
    for part in parts:
        if part == "[]":
            inner = schema.get("items") or schema.get("additionalProperties")
        else:
            inner = schema.get("properties", {}).get(part)
        if inner is None:
            raise ValueError(f"The path {rule.path!r} of the rule {rule.rule!r} leads nowhere: there is no {part}.")
        schema = inner
    return schema
