"""Errors as HTTP problems (RFC 9457): the one place where serving's shell gives an error its status."""

import json
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from mien_core.errors import Conflict, MienError, Missing, Rejected, Unavailable

_STATUSES: Final[dict[type[MienError], HTTPStatus]] = {
    Rejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    Missing: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


def problem_of(error: MienError) -> Response:
    """The response that tells a client of this error."""
    status = next(status for kind, status in _STATUSES.items() if isinstance(error, kind))
    response = problem(status, error.code, error.detail)
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = str(max(1, round(error.retry_after)))
    return response


def problem(status: HTTPStatus, code: str, detail: str) -> Response:
    """A problem that no domain error stands for: a wrong path, a bug."""
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail, "code": code}
    return Response(json.dumps(body), status.value, media_type="application/problem+json")
