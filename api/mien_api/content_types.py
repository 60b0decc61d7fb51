"""What types a body may be of: 415 names them, instead of a complaint about fields of a body that was not read."""

from typing import Final

from fastapi import Request
from fastapi.routing import APIRoute

from mien_core.errors import Rejected

_JSON: Final = "application/json"


def require_content_type(request: Request, taken: frozenset[str]) -> None:
    """Let a request in whose body is of one of the types taken, or that has none.

    Raises:
        Rejected: unsupported_media_type.
    """
    if not taken or not _has_body(request):
        return
    whole = request.headers.get("content-type", "")
    if whole in taken:
        return
    sent = whole.partition(";")[0].strip().lower()
    # application/problem+json and its like are JSON, too (RFC 6839)
    is_json = sent.startswith("application/") and sent.endswith("+json")
    if sent in taken or (is_json and _JSON in taken):
        return
    raise Rejected("unsupported_media_type", f"Send the body as {' or '.join(sorted(taken))}, and say so.")


def types_taken(route: APIRoute) -> frozenset[str]:
    """Tell what a route's body may be: what OpenAPI says of it; nothing where it has none."""
    declared = (route.openapi_extra or {}).get("requestBody", {}).get("content", {})
    if route.body_field is not None:
        # a form's field tells whether there are files in it, too
        declared = {**declared, getattr(route.body_field.field_info, "media_type", _JSON): {}}
    return frozenset(declared)


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
