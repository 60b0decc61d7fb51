"""What holds for every operation of the API, whichever router it is written in."""

import inspect
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Match
from starlette.types import Scope

from mien_api import idempotency
from mien_api.content_types import require_content_type, types_taken
from mien_api.shedding import Shedding


class Operation(APIRoute):
    """A route that sheds load, begins an Idempotency-Key once, and refuses a body of a type that it does not take.

    All of it comes before its caller is known, and before its body is read. What a request
    doesn't need costs it nothing, which a dependency of FastAPI's would, above all one with a cleanup.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self._head = path.partition("{")[0]
        self._types = types_taken(self)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See APIRoute. Most routes are another path's, which shows before their regular expression is tried."""
        if not scope.get("root_path") and not scope["path"].startswith(self._head):
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See APIRoute."""
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            shedding: Shedding = request.app.state.shedding
            with shedding.admission(request.method, self.path):
                async with idempotency.begun(request):
                    require_content_type(request, self._types)
                    return await answer(request)

        return handle


def install(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Add the routers' operations to the app, and make each that is added later an Operation, too.

    Side by side, not as routers within a router: FastAPI matches those twice for each request.
    """
    app.router.route_class = Operation
    options = inspect.signature(app.router.add_api_route).parameters
    for router in routers:
        for route in iter_route_contexts(router.routes):
            app.router.add_api_route(**{name: getattr(route, name) for name in options if hasattr(route, name)})
