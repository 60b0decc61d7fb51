"""Serving as streams sees it: a port, and its adapter over HTTP."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol, Self

import aiohttp
from pydantic import ValidationError

from mien_core.errors import Missing, Rejected, Unavailable
from mien_core.model.serving import FaceAnswer, FaceRequest
from mien_core.settings import ServingSettings
from mien_core.telemetry import current_traceparent

FACE_PATH = "/v1/face"

# the code by which serving's own edge says that it caught a bug; a 500 without it is a replica that died
INTERNAL_ERROR = "internal_error"

# a connection is made within this or not at all; the settings' timeout is for the whole request
CONNECT_TIMEOUT_SECONDS = 2.0
# a replica that went away closes its connections; being told so is cheaper than asking it first
KEEPALIVE_SECONDS = 30.0
# without a Retry-After, whoever is told "unavailable" decides by its own backoff
NO_ADVICE = 0.0
LONGEST_ADVICE_SECONDS = 30.0


class ServingFault(Exception):
    """Serving says that it has a bug, which asking again would only meet again."""


class FaceAnalysis(Protocol):
    """The model side's one question: what does this photo say of its face?"""

    async def analyse(self, request: FaceRequest) -> FaceAnswer:
        """Analyse the face of one photo.

        Raises:
            Rejected: the photo can't be analysed, with the code that says why (no_face, not_an_image, ...).
            Missing: there is no such photo, or no such revision.
            Unavailable: serving is away, full or too slow.
            ServingFault: a bug in serving.
        """

    async def analyse_unless(self, request: FaceRequest, etag: str) -> FaceAnswer | None:
        """Analyse the face of one photo, unless there is an answer about the same pixels already.

        Args:
            request: which photo, and for whom.
            etag: of the answer that is there; None comes back where serving would say the same again.

        Raises:
            Rejected, Missing, Unavailable, ServingFault: as analyse.
        """


class HttpFaceAnalysis:
    """Meets FaceAnalysis at a Ray Serve router's address. An async context manager."""

    def __init__(self, settings: ServingSettings, connections: int) -> None:
        self._url = settings.url.rstrip("/") + FACE_PATH
        self._timeout = aiohttp.ClientTimeout(total=settings.timeout_seconds, sock_connect=CONNECT_TIMEOUT_SECONDS)
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=KEEPALIVE_SECONDS)
        # the router is inside; a proxy of the environment is for the outside, so trust_env stays off
        self._session = aiohttp.ClientSession(connector=connector, timeout=self._timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def analyse(self, request: FaceRequest) -> FaceAnswer:
        """See FaceAnalysis."""
        status, body, retry_after = await self._post(request, {})
        if status == HTTPStatus.OK:
            return _answer(body)
        raise _error(status, body, retry_after)

    async def analyse_unless(self, request: FaceRequest, etag: str) -> FaceAnswer | None:
        """See FaceAnalysis."""
        status, body, retry_after = await self._post(request, {"If-None-Match": f'"{etag}"'})
        if status == HTTPStatus.NOT_MODIFIED:
            return None
        if status == HTTPStatus.OK:
            return _answer(body)
        raise _error(status, body, retry_after)

    async def _post(self, request: FaceRequest, headers: Mapping[str, str]) -> tuple[int, bytes, float]:
        """Status, body and the seconds that it advises to wait."""
        if self._session is None:
            raise RuntimeError("HttpFaceAnalysis is used outside of its async with")
        traceparent = current_traceparent()
        headers = {
            "Content-Type": "application/json",
            **({"traceparent": traceparent} if traceparent else {}),
            **headers,
        }
        try:
            async with self._session.post(self._url, data=request.model_dump_json(), headers=headers) as response:
                body = await response.read()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise _unavailable(f"it doesn't answer ({type(error).__name__})") from error
        return response.status, body, _retry_after(response.headers.get("Retry-After"))


def _answer(body: bytes) -> FaceAnswer:
    try:
        return FaceAnswer.model_validate_json(body)
    except ValidationError as error:
        # a serving that is older or newer than this process, as it happens during a rollout of the platform
        raise _unavailable("its answer is not a FaceAnswer") from error


def _error(status: int, body: bytes, retry_after: float) -> Rejected | Missing | Unavailable | ServingFault:
    problem = _problem(body)
    code, detail = problem.get("code"), problem.get("detail")
    if isinstance(code, str):
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            return Rejected(code, str(detail or code))
        if status == HTTPStatus.NOT_FOUND:
            return Missing(code, str(detail or code))
        if code == INTERNAL_ERROR:
            return ServingFault(str(detail or code))
    # anything else is no answer of ours: a router that has no route yet, a proxy, a crashed replica
    return _unavailable(f"it answers {status}", retry_after)


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _retry_after(header: str | None) -> float:
    try:
        advice = float(header or NO_ADVICE)
    except ValueError:
        # the header's other form is a date, which nobody here sends
        return NO_ADVICE
    return min(max(advice, NO_ADVICE), LONGEST_ADVICE_SECONDS)


def _unavailable(what: str, retry_after: float = NO_ADVICE) -> Unavailable:
    return Unavailable("serving_unavailable", f"The model serving can't be used: {what}.", retry_after)
