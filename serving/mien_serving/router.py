"""The router's shell around Ray Serve: HTTP in, calls of the revisions' applications out.

It lives apart from the revisions' shell so that its process loads neither models nor OpenCV.
"""

import asyncio
import hmac
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final

from pydantic import BaseModel, SecretStr
from ray import serve
from ray.exceptions import ActorDiedError, ActorUnavailableError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from mien_core.errors import MienError, Unavailable
from mien_core.model.comparisons import Comparison, Tally, windows_to_json
from mien_core.model.serving import FaceRequest, PosterRequest
from mien_core.model.tryon import TryOnRequest
from mien_core.rules.serve_config import COMPARISONS_APPLICATION, POSTER_APPLICATION
from mien_core.settings import ServiceSettings, load
from mien_serving import etags
from mien_serving.mirror import Mirror, NotThereError, Result
from mien_serving.problems import problem, problem_of
from mien_serving.routes import RouterConfig, Routes, parse_poster_request, parse_request, parse_try_on

log = logging.getLogger(__name__)

_REACH_SECONDS: Final = 5.0
_PATHS: Final = "Serving knows GET /health, and POST /v1/face, /v1/tryon and /v1/poster."
_BEARER: Final = "Bearer "


class ComparisonsSettings(BaseModel):
    """Whoever asks for comparisons must send this token, if there is one."""

    token: SecretStr | None = None


class RouterSettings(ServiceSettings):
    """What the router reads from the environment."""

    comparisons: ComparisonsSettings = ComparisonsSettings()


class Router:
    """Answers HTTP: POST /v1/face and /v1/tryon by the revision that the subject gets, POST /v1/poster, GET /health.

    GET /internal/comparisons is for the operator alone: how the answers of a candidate differ from the stable ones.
    """

    def __init__(self) -> None:
        self._token = load(RouterSettings).comparisons.token
        self._mirror: Mirror | None = None
        self._routes = Routes(RouterConfig(revisions={}))
        self._handles: dict[str, DeploymentHandle[Any]] = {}
        self._reached: set[str] = set()

    def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Take new weights; Serve calls this at the start and whenever user_config changes, without a restart."""
        self._routes = Routes(RouterConfig.model_validate(user_config))
        shadow = self._routes.config.shadow
        if shadow is None or self._mirror is None or self._mirror.shadow != shadow:
            # what the one before still has in flight ends by itself
            self._mirror = None if shadow is None else Mirror(shadow, self, self)
        applications = self._routes.applications | {POSTER_APPLICATION, COMPARISONS_APPLICATION}
        self._handles = {name: handle for name, handle in self._handles.items() if name in applications}
        self._reached.intersection_update(self._handles)

    async def __call__(self, request: Request) -> Response:
        """The edge: whatever happens inside becomes a response."""
        try:
            return await self._dispatch(request)
        except Exception as error:  # noqa: BLE001 - the edge
            return _refusal(error)

    async def _dispatch(self, request: Request) -> Response:
        match request.method, request.url.path:
            case "GET", "/health" | "/internal/comparisons" as path:
                health = path == "/health"
                return await (self._health() if health else self._comparisons(request.headers.get("authorization", "")))
            case "POST", "/v1/face":
                asked = parse_request(await request.body())
                return await self._face(asked, request.headers.get("if-none-match"))
            case "POST", "/v1/tryon":
                return await self._try_on(parse_try_on(await request.body()))
            case "POST", "/v1/poster":
                return await self._poster(parse_poster_request(await request.body()))
            case _, "/health" | "/v1/face" | "/v1/tryon" | "/v1/poster" | "/internal/comparisons":
                return problem(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "This path knows another method.")
            case _:
                return problem(HTTPStatus.NOT_FOUND, "path_not_found", _PATHS)

    async def _health(self) -> Response:
        """Healthy means that each revision with a weight can be reached; once reached it is not asked again."""
        weights = self._routes.weights
        if not any(weights.values()):
            raise Unavailable("no_revision_available", "The router has no revision with a weight yet.")
        await asyncio.gather(*(self._reach(application) for application in self._routes.weighted_applications))
        return Response(json.dumps({"status": "ok", "revisions": weights}), media_type="application/json")

    async def _reach(self, application: str) -> None:
        if application in self._reached:
            return
        try:
            async with asyncio.timeout(_REACH_SECONDS):
                await self._call(application, "ready")
        except TimeoutError as error:
            raise Unavailable("revision_unavailable", "A model revision is still starting, or is stuck.") from error

    async def _face(self, request: FaceRequest, if_none_match: str | None) -> Response:
        """The revision's answer, or 304 where the caller has one of the same revision and measures already."""
        revision = self._routes.revision_for(request)
        etag = etags.etag_of(revision)
        headers = {"ETag": f'"{etag}"'}
        if etags.names(if_none_match, etag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        # a revision that was asked for by name says nothing of what others get
        mirror = None if request.revision else self._mirror
        began = perf_counter()
        result: bytes | Exception
        try:
            result = await self._outcome(self._routes.application_of(revision), "analyse", request)
            response = Response(result, media_type="application/json", headers=headers)
        except Exception as error:  # noqa: BLE001 - the edge: told as all are, and counted
            result, response = error, _refusal(error)
        if mirror is not None:
            # Starlette runs it once the answer is on its way.
            response.background = BackgroundTask(mirror.answered, request, revision, result, perf_counter() - began)
        return response

    async def _comparisons(self, authorization: str) -> Response:
        """What is known of the two revisions that are compared; nothing where none are."""
        if self._token is not None:
            wanted = f"{_BEARER}{self._token.get_secret_value()}".encode()
            if not hmac.compare_digest(authorization.encode(), wanted):
                detail = "Comparisons are for the operator: send its token as Authorization: Bearer …"
                return problem(HTTPStatus.UNAUTHORIZED, "operator_token_required", detail)
        body = windows_to_json((), datetime.now(UTC))
        if self._mirror is not None:
            body = await self._call(COMPARISONS_APPLICATION, "windows")
        return Response(body, media_type="application/json")

    async def ask(self, revision: str, request: FaceRequest) -> Result:
        """What this revision answers; for the mirror.

        Raises:
            NotThereError: it is still starting, or is gone.
        """
        routed = self._routes.config.revisions.get(revision)
        try:
            if routed is not None:
                await self._reach(routed.application)
        except Unavailable as error:
            raise NotThereError from error
        if routed is None:
            raise NotThereError
        result: Result = await self._call(routed.application, "analyse", request)
        return result

    async def pair(self, comparison: Comparison, stable: Result, candidate: Result) -> None:
        """Have two answers compared; for the mirror."""
        await self._call(COMPARISONS_APPLICATION, "pair", comparison, stable, candidate)

    async def add(self, comparison: Comparison, tally: Tally) -> None:
        """Have something counted; for the mirror."""
        await self._call(COMPARISONS_APPLICATION, "add", comparison, tally)

    async def _try_on(self, request: TryOnRequest) -> Response:
        application = self._routes.application_of(self._routes.revision_for(request))
        return Response(await self._outcome(application, "try_on", request), media_type="application/json")

    async def _poster(self, request: PosterRequest) -> Response:
        return Response(await self._outcome(POSTER_APPLICATION, "compose", request), media_type="application/json")

    async def _outcome(self, application: str, method: str, request: object) -> bytes:
        outcome: bytes | MienError = await self._call(application, method, request)
        if isinstance(outcome, MienError):
            raise outcome
        return outcome

    async def _call(self, application: str, method: str, *arguments: object) -> Any:
        try:
            handle = await self._handle(application)
            answer = await getattr(handle, method).remote(*arguments)
        except BackPressureError as error:
            raise Unavailable("serving_full", "All replicas are busy and their queue is full; try again.") from error
        except (ActorDiedError, ActorUnavailableError, RayServeException) as error:
            self._handles.pop(application, None)
            self._reached.discard(application)
            raise Unavailable("revision_unavailable", "The model revision is not there at the moment.") from error
        self._reached.add(application)
        return answer

    async def _handle(self, application: str) -> DeploymentHandle[Any]:
        known = self._handles.get(application)
        if known is None:
            # This asks Serve's controller and blocks, so it is asked once, and beside the loop.
            known = await asyncio.to_thread(serve.get_app_handle, application)
            self._handles[application] = known
        return known


def _refusal(error: Exception) -> Response:
    """What a caller hears of an error."""
    if isinstance(error, MienError):
        return problem_of(error)
    log.error("A request failed for a reason that nobody expected.", exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "The platform has a fault; it was written down.")
