"""From pydantic's JSON Schema to the structural schema that a CustomResourceDefinition takes.

Kubernetes takes OpenAPI 3.0 with further limits: nothing may be referred to, every place has one type, which is never
null, and objects list their fields instead of forbidding others (unknown ones are refused by clients that validate
strictly, as kubectl does, and dropped otherwise). What can't be said that way is refused here, when the
manifests are made, and not by the API server when they are installed.
"""

import inspect
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

JsonSchema = dict[str, Any]

_KEPT = (
    "default",
    "enum",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
)
# those that the API server checks; others it would ignore without a word
_FORMATS = frozenset({"date", "date-time", "email", "ipv4", "ipv6", "uri", "uuid"})
_DROPPED = frozenset({"title", "examples", "example", "discriminator", "deprecated", "readOnly", "writeOnly"})
_HANDLED = frozenset(
    {
        "$defs",
        "$ref",
        "additionalProperties",
        "allOf",
        "anyOf",
        "const",
        "description",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "properties",
        "required",
        "type",
        "uniqueItems",
    }
)


class NotStructural(TypeError):
    """A model says something that a custom resource can't."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path or 'the model itself'}: {what}")


def structural_schema(model: type[BaseModel], *, defaults: bool = True) -> JsonSchema:
    """The schema of what a client sends for this model.

    Args:
        model: a pydantic model with the names of YAML as its aliases.
        defaults: whether the API server fills in what is left out.

    Raises:
        NotStructural: it says something that Kubernetes can't check; the message says where, and what to do.
    """
    document = model.model_json_schema(by_alias=True, mode="validation")
    return _Converter(document.get("$defs", {}), defaults=defaults).convert(document, "")


class _Converter:
    def __init__(self, definitions: Mapping[str, JsonSchema], *, defaults: bool) -> None:
        self._definitions = definitions
        self._defaults = defaults
        self._open: list[str] = []

    def convert(self, schema: Mapping[str, Any], path: str) -> JsonSchema:
        if "$ref" in schema:
            return self._referred(schema, path)
        if len(schema.get("allOf", ())) == 1:
            rest = {name: value for name, value in schema.items() if name != "allOf"}
            return self.convert({**schema["allOf"][0], **rest}, path)
        if "anyOf" in schema:
            return self._any_of(schema, path)
        unknown = {name for name in schema if not name.startswith("x-kubernetes-")}
        unknown -= _HANDLED | _DROPPED | set(_KEPT)
        if unknown or "allOf" in schema:
            raise NotStructural(path, f"{', '.join(sorted(unknown)) or 'allOf'} has no place in a structural schema")
        return self._plain(schema, path)

    def _referred(self, schema: Mapping[str, Any], path: str) -> JsonSchema:
        name = str(schema["$ref"]).rpartition("/")[2]
        if name in self._open:
            raise NotStructural(path, f"{name} holds itself; a structural schema has an end")
        self._open.append(name)
        try:
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            return self.convert({**self._definitions[name], **beside}, path)
        finally:
            self._open.pop()

    def _any_of(self, schema: Mapping[str, Any], path: str) -> JsonSchema:
        beside = {name: value for name, value in schema.items() if name != "anyOf"}
        branches = [branch for branch in schema["anyOf"] if branch.get("type") != "null"]
        types = [branch.get("type") for branch in branches]
        if types in (["integer", "string"], ["string", "integer"]):
            return self._finished({"x-kubernetes-int-or-string": True}, beside)
        if len(branches) != 1:
            raise NotStructural(path, "a place has one type; give each alternative a field of its own, and a rule")
        # Where null has no place, the API server drops it before it checks anything: what is null was left out.
        return self.convert({**branches[0], **beside}, path)

    def _plain(self, schema: Mapping[str, Any], path: str) -> JsonSchema:
        if "const" in schema:
            schema = {**schema, "enum": [schema["const"]]}
        if "type" not in schema and "enum" not in schema:
            return self._finished({"x-kubernetes-preserve-unknown-fields": True}, schema)
        result: JsonSchema = {"type": schema.get("type", "string")}
        if result["type"] == "object":
            result |= self._fields(schema, path)
        elif result["type"] == "array":
            result |= self._entries(schema, path)
        result |= _bounds(schema) | _format(schema, path)
        return self._finished(result, schema)

    def _fields(self, schema: Mapping[str, Any], path: str) -> JsonSchema:
        result: JsonSchema = {}
        if "properties" in schema:
            prefix = f"{path}." if path else ""
            result["properties"] = {
                name: self.convert(field, f"{prefix}{name}") for name, field in schema["properties"].items()
            }
            if schema.get("required"):
                result["required"] = list(schema["required"])
        elif isinstance(values := schema.get("additionalProperties"), Mapping) and values:
            result["additionalProperties"] = self.convert(values, f"{path}[]")
        elif values is not False:
            result["x-kubernetes-preserve-unknown-fields"] = True
        return result

    def _entries(self, schema: Mapping[str, Any], path: str) -> JsonSchema:
        if "items" not in schema:
            raise NotStructural(path, "a list says what its entries are, all of one type")
        result: JsonSchema = {"items": self.convert(schema["items"], f"{path}[]")}
        if schema.get("uniqueItems"):
            result["x-kubernetes-list-type"] = "set"
        return result

    def _finished(self, result: JsonSchema, schema: Mapping[str, Any]) -> JsonSchema:
        """Add what may stand at any place, and put the text first, as people read it."""
        result |= {name: value for name, value in schema.items() if name.startswith("x-kubernetes-")}
        # pydantic writes null as the default of what may be left out
        kept = {name: schema[name] for name in _KEPT if name in schema and schema[name] is not None}
        if not self._defaults:
            kept.pop("default", None)
        text = {"description": _text(schema["description"])} if schema.get("description") else {}
        return {**text, **result, **kept}


def _bounds(schema: Mapping[str, Any]) -> JsonSchema:
    # OpenAPI 3.0 says with a flag that a bound itself is excluded
    result: JsonSchema = {}
    for excluded, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if excluded in schema:
            result |= {bound: schema[excluded], excluded: True}
    return result


def _format(schema: Mapping[str, Any], path: str) -> JsonSchema:
    written = schema.get("format")
    if written is None:
        return {}
    if written not in _FORMATS:
        raise NotStructural(path, f"the API server doesn't check the format {written}; use a number or a pattern")
    return {"format": written}


def _text(description: str) -> str:
    """The part of a docstring that is for readers of the resource: its first paragraphs, without Args and the like."""
    paragraphs = inspect.cleandoc(description).split("\n\n")
    kept = [" ".join(part.split()) for part in paragraphs if not part.startswith(("Args:", "Attributes:", "Raises:"))]
    return "\n\n".join(kept)
