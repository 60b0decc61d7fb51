"""What routes ask for: the caller and the handlers."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader

from mien_api.credentials import authenticate, require_scope
from mien_api.handlers import Handlers
from mien_api.skin_handlers import SkinHandlers
from mien_core.model.platform import Caller

# declares the header to OpenAPI; what is in it is judged by authenticate
_AUTHORIZATION = APIKeyHeader(
    name="Authorization", auto_error=False, description="An API key, as `Bearer mien_…` or raw."
)


# All of them are coroutines, also those that await nothing: FastAPI sends plain functions through its thread pool.


async def _handlers(request: Request) -> Handlers:
    handlers: Handlers = request.app.state.handlers
    return handlers


UsesHandlers = Annotated[Handlers, Depends(_handlers)]


async def _skin_handlers(request: Request) -> SkinHandlers:
    handlers: SkinHandlers = request.app.state.skin_handlers
    return handlers


UsesSkinHandlers = Annotated[SkinHandlers, Depends(_skin_handlers)]


async def caller_of(request: Request) -> Caller:
    """Who calls; whoever asks again during the same request gets the same answer without looking it up.

    Raises:
        Rejected: as authenticate.
    """
    known: Caller | None = getattr(request.state, "caller", None)
    if known is None:
        handlers: Handlers = request.app.state.handlers
        known = await authenticate(handlers.database, request.headers.get("Authorization"))
        request.state.caller = known
    return known


async def _caller(request: Request, _declared: Annotated[str | None, Security(_AUTHORIZATION)]) -> Caller:
    return await caller_of(request)


AnyCaller = Annotated[Caller, Depends(_caller)]


async def _glam_caller(caller: AnyCaller) -> Caller:
    require_scope(caller, "glam")
    return caller


GlamCaller = Annotated[Caller, Depends(_glam_caller)]


async def _skin_caller(caller: AnyCaller) -> Caller:
    require_scope(caller, "skin")
    return caller


SkinCaller = Annotated[Caller, Depends(_skin_caller)]
