"""Answers with what a user wrote, or what follows from it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import Response
from pydantic import BaseModel
from pydantic_core import to_json

# It is theirs alone, and a copy of it has to be asked about each time.
PRIVATE: Final = {"Cache-Control": "private, no-cache"}
_PRIVATE_JSON: Final = {**PRIVATE, "Content-Type": "application/json"}


def private_json(
    body: BaseModel | Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """Show a body under the names that frontends know."""
    written = body.model_dump_json(by_alias=True) if isinstance(body, BaseModel) else to_json(body)
    return Response(written, status, {**_PRIVATE_JSON, **headers} if headers else _PRIVATE_JSON)
