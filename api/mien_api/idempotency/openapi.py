"""What OpenAPI says of the Idempotency-Key: the same on every operation that is unsafe."""

from typing import Any, Final

from mien_api.idempotency.exchange import HEADER, SAFE_METHODS

_PARAMETER: Final[dict[str, Any]] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": (
        "Makes a repeat safe: the same request under the same key is done once and answered the same, for 24 hours. "
        "Use a new random one, such as a UUID, for each new request."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]{1,255}$"},
    "example": "0f6e1c9a-6a0b-4e52-9d3e-0f7d5b0f4c11",
}


def declare(document: dict[str, Any]) -> None:
    """Add the header to each unsafe operation of an OpenAPI document; a second time adds nothing."""
    for path in document.get("paths", {}).values():
        for method, operation in path.items():
            if method.upper() in SAFE_METHODS:
                continue
            parameters = operation.setdefault("parameters", [])
            if not any(parameter.get("name") == HEADER for parameter in parameters):
                parameters.append(_PARAMETER)
