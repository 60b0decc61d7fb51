"""What OpenAPI says of the Idempotency-Key: the same on every operation that is unsafe."""

from typing import Any, Final

from mien_api.idempotency.exchange import HEADER, SAFE_METHODS
from mien_api.problems import MEDIA_TYPE

_PARAMETER: Final[dict[str, Any]] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": (
        "Makes a repeat safe: the same request under the same key is done once and answered the same, for 24 hours. "
        "Use a new random one, such as a UUID, for each new request."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]{1,255}$"},
}
_ANSWERS: Final = {
    "409": "The request contradicts the present state, or the first one with its Idempotency-Key is still in flight.",
    "422": "A field is missing or wrong, or the Idempotency-Key was first sent with another request.",
}


def declare(document: dict[str, Any]) -> None:
    """Add the header and its answers to each unsafe operation of an OpenAPI document; a second time adds nothing."""
    for path in document.get("paths", {}).values():
        for method, operation in path.items():
            if method.upper() in SAFE_METHODS:
                continue
            parameters = operation.setdefault("parameters", [])
            if not any(parameter.get("name") == HEADER for parameter in parameters):
                parameters.append(_PARAMETER)
            for status, description in _ANSWERS.items():
                answer = operation["responses"].setdefault(status, {})
                answer["description"] = description
                answer.setdefault("content", {}).setdefault(MEDIA_TYPE, {"schema": {"type": "object"}})
