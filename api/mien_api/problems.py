"""Errors as problem+json (RFC 9457): the platform's words become HTTP statuses here, its codes in the catalogue."""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from mien_api.contract.catalogue import CATALOGUE, title_of, type_of
from mien_api.request_ids import request_id_of
from mien_core.errors import Conflict, MienError, Missing, Rejected, Unavailable
from mien_core.model.platform import JobError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

_STATUS_OF_ERROR: Mapping[type[MienError], HTTPStatus] = {
    Rejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    Missing: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

# What the framework itself refuses.
_CODE_OF_STATUS: Mapping[int, str] = {
    # a body that is nested too deep, has numbers of thousands of digits or isn't UTF-8
    400: "malformed_json",
    404: "route_not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    415: "unsupported_media_type",
}

_NO_JSON = "The body is not JSON that can be read. Send a JSON object in UTF-8."
_INTERNAL_DETAIL = "Something went wrong on our side. It is logged under the request_id; a repeat may help."


def problem(
    request: Request,
    code: str,
    status: int,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """Make a problem answer; members are RFC 9457 extension members."""
    body = {
        "type": type_of(code),
        "title": title_of(code),
        "status": int(status),
        "detail": detail,
        "code": code,
        "request_id": request_id_of(request.scope),
        **members,
    }
    return JSONResponse(body, status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def problem_of(request: Request, error: MienError) -> Response:
    """Make the answer to one of the four errors."""
    word = _STATUS_OF_ERROR.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
    status = _status_of(error.code, word)
    headers = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        # whole seconds, and never 0, which clients read as "at once"
        headers["Retry-After"] = str(max(1, math.ceil(getattr(error, "retry_after", 1))))
    return problem(request, error.code, status, error.detail, headers=headers)


def problem_of_failed_job(request: Request, error: JobError, **members: Any) -> Response:
    """Make the answer to whoever waited for a job that failed."""
    status = _status_of(error.code, HTTPStatus.UNPROCESSABLE_ENTITY)
    headers = {"Retry-After": "1"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return problem(request, error.code, status, error.detail, headers=headers, **members)


def _status_of(code: str, word: HTTPStatus) -> HTTPStatus:
    """The catalogue's status; that of the error's word for what no client should meet."""
    entry = CATALOGUE.get(code)
    return word if entry is None else entry.status


def install(app: FastAPI) -> None:
    """Make every error of the app a problem."""
    app.add_exception_handler(MienError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


def internal_error(request: Request) -> Response:
    """Make the answer to a bug; whoever caught it has logged it."""
    return problem(request, "internal_error", HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL_DETAIL)


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, MienError)  # noqa: S101 - it is installed for these only; tells mypy so
    return problem_of(request, error)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is installed for these only; tells mypy so
    parts = error.errors()
    if any(part["type"] == "json_invalid" for part in parts):
        return problem(request, "malformed_json", HTTPStatus.BAD_REQUEST, _NO_JSON)
    errors = [{"pointer": _pointer(part["loc"]), "detail": part["msg"]} for part in parts]
    detail = "Some fields are missing or wrong; errors says which."
    return problem(request, "invalid_request", HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is installed for these only; tells mypy so
    code = _CODE_OF_STATUS.get(error.status_code, HTTPStatus(error.status_code).phrase.lower().replace(" ", "_"))
    detail = error.detail
    if error.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        detail = f"{request.method} {request.url.path} is not part of this API; /openapi.json lists what is."
    if error.status_code == HTTPStatus.BAD_REQUEST:
        detail = _NO_JSON
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods_of_path(request))
    return problem(request, code, error.status_code, detail, headers=headers)


def _methods_of_path(request: Request) -> list[str]:
    """The methods that the path knows: the router names those of the first route that has it alone.

    /looks/save is also the looks of a user, if one is called so, but nobody who asks means that: it is the path that
    has the fewest parameters.
    """
    methods: dict[str, set[str]] = {}
    for route in iter_route_contexts(request.app.routes):
        path = str(route.path)
        if compile_path(path)[0].match(request.scope["path"]):
            methods.setdefault(path, set()).update(route.methods or ())
    plainest = min(methods, key=lambda path: path.count("{"), default="")
    return sorted(methods.get(plainest, ()))


def _pointer(location: tuple[str | int, ...]) -> str:
    """Write a place in the request as a JSON pointer; body parts first lose the word body."""
    steps = location[1:] if location and location[0] == "body" else location
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
