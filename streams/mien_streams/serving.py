"""Serving as streams sees it: a port, and its adapter over HTTP."""

import contextlib
from http import HTTPStatus
from typing import Any, Protocol, Self

import httpx
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


class HttpFaceAnalysis:
    """Meets FaceAnalysis at a Ray Serve router's address. An async context manager."""

    def __init__(self, settings: ServingSettings, connections: int) -> None:
        self._client = httpx.AsyncClient(
            base_url=settings.url,
            timeout=httpx.Timeout(settings.timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS),
            limits=httpx.Limits(max_connections=connections, keepalive_expiry=KEEPALIVE_SECONDS),
            # the router is inside; a proxy of the environment is for the outside
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def analyse(self, request: FaceRequest) -> FaceAnswer:
        """See FaceAnalysis."""
        traceparent = current_traceparent()
        try:
            response = await self._client.post(
                FACE_PATH,
                content=request.model_dump_json(),
                headers={"content-type": "application/json"} | ({"traceparent": traceparent} if traceparent else {}),
            )
        except httpx.TransportError as error:
            raise _unavailable(f"it doesn't answer ({type(error).__name__})") from error
        if response.status_code == HTTPStatus.OK:
            return _answer(response)
        raise _error(response)


def _answer(response: httpx.Response) -> FaceAnswer:
    try:
        return FaceAnswer.model_validate_json(response.content)
    except ValidationError as error:
        # a serving that is older or newer than this process, as it happens during a rollout of the platform
        raise _unavailable("its answer is not a FaceAnswer") from error


def _error(response: httpx.Response) -> Rejected | Missing | Unavailable | ServingFault:
    problem: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        body = response.json()
        problem = body if isinstance(body, dict) else {}
    code, detail = problem.get("code"), problem.get("detail")
    if isinstance(code, str):
        if response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
            return Rejected(code, str(detail or code))
        if response.status_code == HTTPStatus.NOT_FOUND:
            return Missing(code, str(detail or code))
        if code == INTERNAL_ERROR:
            return ServingFault(str(detail or code))
    # anything else is no answer of ours: a router that has no route yet, a proxy, a crashed replica
    return _unavailable(f"it answers {response.status_code}", _retry_after(response))


def _retry_after(response: httpx.Response) -> float:
    try:
        advice = float(response.headers.get("retry-after", NO_ADVICE))
    except ValueError:
        # the header's other form is a date, which nobody here sends
        return NO_ADVICE
    return min(max(advice, NO_ADVICE), LONGEST_ADVICE_SECONDS)


def _unavailable(what: str, retry_after: float = NO_ADVICE) -> Unavailable:
    return Unavailable("serving_unavailable", f"The model serving can't be used: {what}.", retry_after)
