"""What holds for every operation of the API, whichever router it is written in."""

import inspect
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from mien_api import idempotency
from mien_api.content_types import require_content_type, types_taken
from mien_api.direct import direct
from mien_api.shedding import Shedding

Application = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]

# where FastAPI looks for what is to be cleaned up after a request, after an endpoint, after a form
_STACKS: Final = ("fastapi_inner_astack", "fastapi_function_astack", "fastapi_middleware_astack")


class Operation(APIRoute):
    """A route that sheds load, begins an Idempotency-Key once, and refuses a body of a type that it does not take.

    All of it comes before its caller is known, and before its body is read. What a request
    doesn't need costs it nothing, which a dependency of FastAPI's would, above all one with a cleanup.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self._head = path.partition("{")[0]
        self._types = types_taken(self)
        if self.is_short:
            self.app = self.answer_short

    @property
    def is_short(self) -> bool:
        """Whether there is a short way to its endpoint."""
        return self._short is not None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See APIRoute. Most routes are another path's, which shows before their regular expression is tried."""
        if not scope.get("root_path") and not scope["path"].startswith(self._head):
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See APIRoute."""
        answer = super().get_route_handler()
        short = self._short = direct(self)

        async def handle(request: Request) -> Response:
            shedding: Shedding = request.app.state.shedding
            with shedding.admission(request.method, self.path):
                async with idempotency.begun(request):
                    require_content_type(request, self._types)
                    if short is None:
                        return await answer(request)
                    return await short.answer(request) or await _solved(answer, request)

        self._handle = handle
        return handle

    async def answer_short(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that this operation was found for, without the layers that FastAPI puts around each."""
        request = Request(scope, receive, send)
        response = await self._handle(request)
        await response(scope, receive, send)


async def _solved(answer: Callable[[Request], Coroutine[Any, Any, Response]], request: Request) -> Response:
    """Have FastAPI solve a request that came the short way: no dependency on it has a cleanup, so nothing is in these.

    (Where there may be some, FastAPI's own way keeps them until the answer is sent.)
    """
    async with AsyncExitStack() as stack:
        request.scope.update(dict.fromkeys(_STACKS, stack))
        return await answer(request)


class _Signpost:
    """Sends a request to its operation by the first part of its path, without asking all of them in turn.

    What is found this way is what the router would find: the first that takes the path and the method. What isn't (an
    unknown path, another method, an operation that needs more of FastAPI) is the router's to find.
    """

    def __init__(self, operations: Iterable[Operation], router: Application) -> None:
        self._by_part: dict[str, list[Operation]] = {}
        self._router = router
        for operation in operations:
            self._by_part.setdefault(_first_part(operation.path), []).append(operation)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """Handle one request."""
        if scope["type"] == "http":
            for operation in self._by_part.get(_first_part(scope["path"]), ()):
                match, found = operation.matches(scope)
                if match == Match.FULL and operation.is_short:
                    scope.update(found)
                    return operation.answer_short(scope, receive, send)
                if match == Match.FULL:
                    break
        return self._router(scope, receive, send)


def _first_part(path: str) -> str:
    return path[1:].partition("/")[0]


def install(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Add the routers' operations to the app, and make each that is added later an Operation, too.

    Side by side, not as routers within a router: FastAPI matches those twice for each request.
    """
    app.router.route_class = Operation
    options = inspect.signature(app.router.add_api_route).parameters
    for router in routers:
        for route in iter_route_contexts(router.routes):
            app.router.add_api_route(**{name: getattr(route, name) for name in options if hasattr(route, name)})
    operations = [route for route in app.router.routes if isinstance(route, Operation)]
    app.router.middleware_stack = _Signpost(operations, AsyncExitStackMiddleware(app.router.middleware_stack))
