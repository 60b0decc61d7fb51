"""What routes ask for: the caller and the handlers.

Each is one dependency that asks for none itself: FastAPI solves every one anew for each place where it is asked for.
"""

from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.security.base import SecurityBase

from mien_api.authentication import Authentication
from mien_api.handlers import Handlers
from mien_api.limits import Limiting, application_of
from mien_api.scopes import ALL_SCOPES, APPLICATIONS, OPERATOR, Application, require_scope
from mien_api.skin_handlers import SkinHandlers
from mien_core.errors import Rejected
from mien_core.model.platform import Caller

SIGNATURE_HEADER: Final = "Stripe-Signature"
# All of them are coroutines, also those that await nothing: FastAPI sends plain functions through its thread pool.


def handlers_of(request: Request) -> Handlers:
    """The handlers of the app that the request came to."""
    handlers: Handlers = request.app.state.handlers
    return handlers


async def _handlers(request: Request) -> Handlers:
    return handlers_of(request)


UsesHandlers = Annotated[Handlers, Depends(_handlers)]


async def skin_handlers_of(request: Request) -> SkinHandlers:
    """The handlers of photos that come along, of the app that the request came to."""
    handlers: SkinHandlers = request.app.state.skin_handlers
    return handlers


UsesSkinHandlers = Annotated[SkinHandlers, Depends(skin_handlers_of)]


async def caller_of(request: Request) -> Caller:
    """Who calls; whoever asks again during the same request gets the same answer without looking it up.

    Here the request is counted: once, whatever else a route needs, and before any of it. Who comes without a credential
    is let in only where the route's application asks for none, and to a job that was made so.

    Raises:
        Rejected: as Authentication.caller.
        Unavailable: as Authentication.caller, or rate_limited.
    """
    known: Caller | None = request.scope["state"].get("caller")
    if known is not None:
        return known
    authorization = request.headers.get("Authorization")
    if authorization is None:
        known = await _anonymous(request)
    return known or await _identified(request, authorization)


def anonymous_address(request: Request) -> str | None:
    """Where a request without a credential comes from, to tell those who make such apart; None for all others."""
    limiting: Limiting = request.app.state.limiting
    return limiting.address(request.scope) if "Authorization" not in request.headers else None


async def _identified(request: Request, authorization: str | None) -> Caller:
    authentication: Authentication = request.app.state.authentication
    limiting: Limiting = request.app.state.limiting
    try:
        known = await authentication.caller(authorization)
    except Rejected:
        await limiting.count_failure(request)
        raise
    request.scope["state"]["caller"] = known
    await limiting.admit(request, known)
    return known


async def _anonymous(request: Request) -> Caller | None:
    authentication: Authentication = request.app.state.authentication
    limiting: Limiting = request.app.state.limiting
    application, job_id = application_of(request.scope), request.path_params.get("job_id")
    if application is not None:
        known = authentication.anonymous(application)
        if known is not None:
            request.scope["state"]["caller"] = known
            await limiting.admit_address(request)
        return known
    if job_id is None:
        return None
    # before the look-up, which whoever shows nothing could have for nothing
    await limiting.admit_address(request)
    known = await authentication.anonymous_of_job(str(job_id))
    request.scope["state"]["caller"] = known
    return known


class _Declared(SecurityBase):
    """Declares to OpenAPI by what a caller is known."""

    def __init__(self) -> None:
        description = "A token of an OIDC issuer or an API key, as `Bearer …` or raw."
        self.model = APIKey(**{"in": APIKeyIn.header}, name="Authorization", description=description)
        self.scheme_name = "APIKeyHeader"


class _AnyCaller(_Declared):
    """The caller."""

    async def __call__(self, request: Request) -> Caller:
        caller = await caller_of(request)
        self.check(caller)
        return caller

    def check(self, caller: Caller) -> None:
        """Let pass whose credential is good for this.

        Raises:
            Rejected: scope_missing.
        """


class _OfScope(_AnyCaller):
    def __init__(self, scope: str) -> None:
        super().__init__()
        self._scope = scope

    def check(self, caller: Caller) -> None:
        require_scope(caller, self._scope)


class OfApplication(_OfScope):
    """The caller of an application's route, which also has the application's tag."""

    def __init__(self, application: Application) -> None:
        super().__init__(application)
        self.application = application


class _OfApplicationOrSigned(_Declared):
    """The caller of a route that takes a provider's signature instead of a credential; None is the provider.

    Whether the signature is good is the route's to say: it is over the body.
    """

    def __init__(self, application: Application) -> None:
        super().__init__()
        self._application = application

    async def __call__(self, request: Request) -> Caller | None:
        if SIGNATURE_HEADER in request.headers:
            return None
        caller = await caller_of(request)
        require_scope(caller, self._application)
        return caller


class _OfJobs(_AnyCaller):
    def check(self, caller: Caller) -> None:
        if not caller.scopes & (APPLICATIONS | {ALL_SCOPES}):
            raise Rejected("scope_missing", "The credential covers no application. Ask for one that does.")


AnyCaller = Annotated[Caller, Depends(_AnyCaller())]
# jobs are all applications', and nobody's who has none of them
JobCaller = Annotated[Caller, Depends(_OfJobs())]
GlamCaller = Annotated[Caller, Depends(OfApplication("glam"))]
SkinCaller = Annotated[Caller, Depends(OfApplication("skin"))]
CycleCaller = Annotated[Caller, Depends(OfApplication("cycle"))]
PosterCaller = Annotated[Caller, Depends(OfApplication("poster"))]
PosterCallerOrSignature = Annotated[Caller | None, Depends(_OfApplicationOrSigned("poster"))]
TryOnCaller = Annotated[Caller, Depends(OfApplication("tryon"))]
UsageCaller = Annotated[Caller, Depends(_OfScope("usage"))]
OperatorCaller = Annotated[Caller, Depends(_OfScope(OPERATOR))]
WebhookCaller = Annotated[Caller, Depends(_OfScope("webhooks"))]
