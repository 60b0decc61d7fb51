"""The router's shell around Ray Serve: HTTP in, calls of the revisions' applications out.

It lives apart from the revisions' shell so that its process loads neither models nor OpenCV.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from ray import serve
from ray.exceptions import ActorDiedError, ActorUnavailableError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle
from starlette.requests import Request
from starlette.responses import Response

from mien_core.errors import MienError, Unavailable
from mien_core.model.serving import FaceRequest, PosterRequest
from mien_core.model.tryon import TryOnRequest
from mien_core.rules.serve_config import POSTER_APPLICATION
from mien_serving import etags
from mien_serving.problems import problem, problem_of
from mien_serving.routes import RouterConfig, Routes, parse_poster_request, parse_request, parse_try_on

log = logging.getLogger(__name__)

_REACH_SECONDS: Final = 5.0
_PATHS: Final = "Serving knows GET /health, and POST /v1/face, /v1/tryon and /v1/poster."


class Router:
    """Answers HTTP: POST /v1/face and /v1/tryon by the revision that the subject gets, POST /v1/poster, GET /health."""

    def __init__(self) -> None:
        self._routes = Routes(RouterConfig(revisions={}))
        self._handles: dict[str, DeploymentHandle[Any]] = {}
        self._reached: set[str] = set()

    def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Take new weights; Serve calls this at the start and whenever user_config changes, without a restart."""
        self._routes = Routes(RouterConfig.model_validate(user_config))
        applications = self._routes.applications | {POSTER_APPLICATION}
        self._handles = {name: handle for name, handle in self._handles.items() if name in applications}
        self._reached.intersection_update(self._handles)

    async def __call__(self, request: Request) -> Response:
        """The edge: whatever happens inside becomes a response."""
        try:
            return await self._dispatch(request)
        except MienError as error:
            return problem_of(error)
        except Exception:
            log.exception("A request failed for a reason that nobody expected.")
            return problem(
                HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "The platform has a fault; it was written down."
            )

    async def _dispatch(self, request: Request) -> Response:
        match request.method, request.url.path:
            case "GET", "/health":
                return await self._health()
            case "POST", "/v1/face":
                asked = parse_request(await request.body())
                return await self._face(asked, request.headers.get("if-none-match"))
            case "POST", "/v1/tryon":
                return await self._try_on(parse_try_on(await request.body()))
            case "POST", "/v1/poster":
                return await self._poster(parse_poster_request(await request.body()))
            case _, "/health" | "/v1/face" | "/v1/tryon" | "/v1/poster":
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
        outcome = await self._outcome(self._routes.application_of(revision), "analyse", request)
        return Response(outcome, media_type="application/json", headers=headers)

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
