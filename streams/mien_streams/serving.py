"""Serving as streams sees it: a port, and its adapter over HTTP."""

import asyncio
import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol, Self, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from mien_core.errors import Missing, Rejected, Unavailable
from mien_core.model.serving import FaceAnswer, FaceRequest
from mien_core.settings import ServingSettings
from mien_core.telemetry import current_traceparent
from mien_streams.gate import Gate, Passage
from mien_streams.retry import backoff

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer", bound=BaseModel)

FACE_PATH = "/v1/face"

# the code by which serving's own edge says that it caught a bug; a 500 without it is a replica that died
INTERNAL_ERROR = "internal_error"

# a connection is made within this or not at all; the settings' timeout is for the whole request
CONNECT_TIMEOUT_SECONDS = 2.0
# a replica that went away closes its connections; being told so is cheaper than asking it first
KEEPALIVE_SECONDS = 30.0
# without a Retry-After the gate decides by its own pauses
NO_ADVICE = 0.0
LONGEST_ADVICE_SECONDS = 30.0
# how long a request that is refused again and again, among others that aren't, keeps away at most
LONGEST_REFUSED_SECONDS = 2.0
# what is said where no request is begun: too many of them, or nobody yet to take them on
REFUSALS = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.NOT_FOUND})
# who says it: these codes of serving's router, or somebody before it who has no code. With any other code it was
# begun, so that the photo itself may be the reason: a replica that died of it is "revision_unavailable".
REFUSAL_CODES = frozenset({"serving_full", "no_revision_available", None})


class ServingFault(Exception):
    """Serving says that it has a bug, which asking again would only meet again."""


class _RefusedError(Exception):
    """Serving did not take a request on."""


class FaceAnalysis(Protocol):
    """The model side's one question: what does this photo say of its face?"""

    async def analyse(self, request: FaceRequest) -> FaceAnswer:
        """Analyse the face of one photo.

        Raises:
            Rejected: the photo can't be analysed, with the code that says why (no_face, not_an_image, ...).
            Missing: there is no such photo, or no such revision.
            Unavailable: serving broke off, or was too slow. Where it is away or full this waits instead.
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


class HttpServing:
    """A Ray Serve router's address. An async context manager.

    A request that serving did not take on is nobody's attempt: it waits at the gate and is made again.
    """

    def __init__(self, settings: ServingSettings, connections: int, gate: Gate) -> None:
        self._url = settings.url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=settings.timeout_seconds, sock_connect=CONNECT_TIMEOUT_SECONDS)
        self._connections = connections
        self.gate = gate
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=KEEPALIVE_SECONDS)
        # the router is inside; a proxy of the environment is for the outside, so trust_env stays off
        self._session = aiohttp.ClientSession(connector=connector, timeout=self._timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(
        self, path: str, request: BaseModel, answer: type[Answer], headers: Mapping[str, str] | None = None
    ) -> Answer | None:
        """Serving's answer, once it takes the request on; None if it says that the known one still holds.

        Raises:
            Rejected, Missing: serving's verdict, with its code.
            Unavailable: serving broke off, or was too slow.
            ServingFault: a bug in serving.
        """
        pauses = backoff(longest_seconds=LONGEST_REFUSED_SECONDS)
        body = request.model_dump_json()
        while True:
            async with self.gate.passage() as passage:
                try:
                    return await self._asked(passage, path, body, answer, headers or {})
                except _RefusedError:
                    others_ask = not passage.probe
            if others_ask:
                # Among others that are answered it is refused: were it the first at the gate each time that this
                # opens, it would be what closes it.
                await asyncio.sleep(next(pauses))

    async def _asked(
        self, passage: Passage, path: str, body: str, answer: type[Answer], headers: Mapping[str, str]
    ) -> Answer | None:
        """Ask once, and tell the gate what came of it."""
        try:
            status, content, retry_after = await self._post(path, body, headers)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            logger.info("Nobody is there to take the request on: %s", error)
            passage.refused(NO_ADVICE)
            raise _RefusedError from error
        except (TimeoutError, aiohttp.ClientError) as error:
            passage.failed(NO_ADVICE)
            raise unavailable(f"it doesn't answer ({type(error).__name__})") from error
        if status in REFUSALS and _problem(content).get("code") in REFUSAL_CODES:
            logger.info("Serving doesn't take the request on: %d", status)
            passage.refused(retry_after)
            raise _RefusedError
        try:
            answered = _answer(status, content, retry_after, answer)
        except Unavailable:
            passage.failed(retry_after)
            raise
        except (Rejected, Missing, ServingFault):
            passage.answered()
            raise
        passage.answered()
        return answered

    async def _post(self, path: str, body: str, headers: Mapping[str, str]) -> tuple[int, bytes, float]:
        """Status, body and the seconds that it advises to wait."""
        if self._session is None:
            raise RuntimeError(f"{type(self).__name__} is used outside of its async with")
        traceparent = current_traceparent()
        headers = {
            "Content-Type": "application/json",
            **({"traceparent": traceparent} if traceparent else {}),
            **headers,
        }
        async with self._session.post(self._url + path, data=body, headers=headers) as response:
            content = await response.read()
        return response.status, content, _retry_after(response.headers.get("Retry-After"))


class HttpFaceAnalysis(HttpServing):
    """Meets FaceAnalysis at serving's address."""

    async def analyse(self, request: FaceRequest) -> FaceAnswer:
        """See FaceAnalysis."""
        answer = await self.ask(FACE_PATH, request, FaceAnswer)
        if answer is None:
            raise unavailable("it takes an answer for known that nobody mentioned")
        return answer

    async def analyse_unless(self, request: FaceRequest, etag: str) -> FaceAnswer | None:
        """See FaceAnalysis."""
        return await self.ask(FACE_PATH, request, FaceAnswer, {"If-None-Match": f'"{etag}"'})


def _answer(status: int, body: bytes, retry_after: float, answer: type[Answer]) -> Answer | None:
    if status == HTTPStatus.NOT_MODIFIED:
        return None
    if status != HTTPStatus.OK:
        raise _error(status, body, retry_after)
    try:
        return answer.model_validate_json(body)
    except ValidationError as error:
        # a serving that is older or newer than this process, as it happens during a rollout of the platform
        raise unavailable(f"its answer is not a {answer.__name__}") from error


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
    # anything else is no answer of ours: a proxy, a crashed replica
    return unavailable(f"it answers {status}", retry_after)


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


def unavailable(what: str, retry_after: float = NO_ADVICE) -> Unavailable:
    """What is raised where serving can't be used."""
    return Unavailable("serving_unavailable", f"The model serving can't be used: {what}.", retry_after)
