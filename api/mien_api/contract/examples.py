"""Examples of what is sent and answered, made of the schemas: from their fields' own examples and from NAMES.

So each new field has an example, or a test asks for one; and no example contradicts its schema, as a test checks.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic.alias_generators import to_snake

_ID: Final = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
_MOMENT: Final = "2026-11-20T10:00:00Z"
_DAY: Final = "2026-11-20"
_URL: Final = "https://photos.example/uploads/6f9619ff-8b86-d011-b42d-00cf4fc964ff"

# What fields are that have no example of their own, by their names in snake_case.
NAMES: Final[Mapping[str, Any]] = {
    "advice": "Hold the camera still, clean its lens and focus on your face.",
    "analysis_id": _ID,
    "annotated_url": f"{_URL}/annotated.png?X-Amz-Expires=900",
    "asset_id": "lipstick-classic",
    "calls": 120,
    "code": "blur",
    "confidence": 0.98,
    "consent": "given",
    "content_length": 204_800,
    "cycle_day": 12,
    "cycle_length": 28,
    "cycles": 6,
    "dark_circles": 66.0,
    "delta_e": 2.1,
    "dependencies": {"postgres": "ok", "object_store": "ok", "pipeline": "ok"},
    "detail": "Hold the camera still, clean its lens and focus on your face.",
    "energy": 70.0,
    "engine": "ranker",
    "entry_id": _ID,
    "errors": 2,
    "etag": '"1"',
    "expires_in": 900,
    "face_count": 1,
    "headers": {"Content-Type": "image/jpeg", "Content-Length": "204800"},
    "height": 0.42,
    "id": _ID,
    "if_match": '"1"',
    "if_none_match": '"1"',
    "insight_id": _ID,
    "ita": 33.2,
    "job_id": _ID,
    "jobs": 40,
    "kind": "analyse-face",
    "last_event_id": "1",
    "left": 0.31,
    "level": 0.8,
    "look_id": _ID,
    "masks": {"pores": f"{_URL}/masks/pores.png?X-Amz-Expires=900"},
    "mean": 28.4,
    "moisture": 55.0,
    "model": "eu.anthropic.claude-haiku-4-5",
    "mood": "calm",
    "name": "Soft evening",
    "notice": "An appearance measure, not a diagnosis.",
    "p": 0.12,
    "period_id": _ID,
    "pitch": -2.0,
    "pores": 48.0,
    "prefer": "wait=10",
    "probabilities": {"dullness": 0.61},
    "product_id": "lip-017",
    "radiance": 61.0,
    "reason": "It goes with a warm undertone.",
    "recommended_chapter": 5,
    "model_revision": "face@sha256:0123456789ab",
    "roll": 0.4,
    "route": "/analyze",
    "scan_id": _ID,
    "sd": 2.1,
    "seq": 1,
    "skin_score": 88,
    "skips_likely": 1,
    "symptoms": ["cramps"],
    "tag": "sleep",
    "tags": ["sleep"],
    "text": "Slept well.",
    "texture": 70.0,
    "threshold": 60.0,
    "timings": {"outbox": 2.5, "serving": 187.0},
    "tone": 4,
    "top": 0.12,
    "upload_id": _ID,
    "upload_url": f"{_URL}/original?X-Amz-Signature=…",
    "url": "https://shop.example/lip-017",
    "user_id": "anna",
    "value": 212.0,
    "width": 0.34,
    "x": 0.47,
    "y": 0.31,
    "yaw": 3.1,
    "z": -0.02,
}
# What may be null is shown as it is when it is there, but for these: nothing failed, and a short list has one page.
_ABSENT: Final = frozenset({"error", "next_cursor"})
_DONE: Final = "completed"
_FORMATS: Final[Mapping[str, Any]] = {
    "date": _DAY,
    "date-time": _MOMENT,
    "uuid": _ID,
    "uri": "https://shop.example/lip-017",
    "binary": "(the photo's bytes)",
    "email": "anna@mail.example",
}


class Examples:
    """Makes examples of the schemas of one document.

    Args:
        schemas: the document's, by their names.
        on_unknown: told of each text and number for which nothing stands here, by the field's name.
    """

    def __init__(self, schemas: Mapping[str, Any], on_unknown: Callable[[str], None] = lambda _: None) -> None:
        self._schemas = schemas
        self._on_unknown = on_unknown

    def of(self, schema: Mapping[str, Any], name: str = "") -> Any:
        """Make an example of a schema; name is that of the field which it is of."""
        if "$ref" in schema:
            schema = {**self._schemas[schema["$ref"].rpartition("/")[2]], **schema}
            del schema["$ref"]
        if "const" in schema:
            return schema["const"]
        if schema.get("examples"):
            return schema["examples"][0]
        known = NAMES.get(to_snake(name).replace("-", "_"))
        if known is not None and _fits(known, schema):
            return known
        return self._made(schema, name)

    def _made(self, schema: Mapping[str, Any], name: str) -> Any:
        for alternatives in (schema.get("anyOf"), schema.get("oneOf")):
            if alternatives:
                if to_snake(name) in _ABSENT:
                    return None
                return self.of(next(one for one in alternatives if one.get("type") != "null"), name)
        if "allOf" in schema:
            parts = [self.of(part, name) for part in schema["allOf"]]
            return {key: value for part in parts for key, value in part.items()}
        if "enum" in schema:
            # work is shown when it is done
            return _DONE if _DONE in schema["enum"] else schema["enum"][0]
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        return self._of_type(schema, name)

    def _of_type(self, schema: Mapping[str, Any], name: str) -> Any:
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            if "prefixItems" in schema:
                return [self.of(item, name) for item in schema["prefixItems"]]
            return [self.of(schema.get("items", {}), name.removesuffix("s"))] * max(1, schema.get("minItems", 1))
        if kind in _PLAIN:
            return _PLAIN[kind]
        if schema.get("default") is not None:
            return schema["default"]
        self._on_unknown(name)
        return "…" if kind == "string" else schema.get("minimum", 1)

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        made = {key: self.of(value, key) for key, value in schema.get("properties", {}).items()}
        values = schema.get("additionalProperties")
        if isinstance(values, dict) and not made:
            made[schema.get("propertyNames", {}).get("enum", ["name"])[0]] = self.of(values)
        return made


_PLAIN: Final[Mapping[str | None, Any]] = {"boolean": True, "null": None, None: None}
_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
    "boolean": bool,
}


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Tell whether the schema, or one of its alternatives, is of the value's type and has no list of its own words."""
    alternatives = [*schema.get("anyOf", ()), *schema.get("oneOf", ())] or [schema]
    return any(
        "type" in one and "enum" not in one and isinstance(value, _TYPES.get(one["type"], ())) for one in alternatives
    )
