"""Answers with what a user wrote, or what follows from it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import Response
from pydantic import BaseModel

# It is theirs alone, and a copy of it has to be asked about each time.
PRIVATE: Final = {"Cache-Control": "private, no-cache"}


def private_json(
    body: BaseModel, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """Show a body under the names that frontends know."""
    return Response(
        body.model_dump_json(by_alias=True), status, {**PRIVATE, **(headers or {})}, media_type="application/json"
    )
