"""The HTTP shell: translates requests to handlers' calls, and what comes back to answers."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp

from mien_api import idempotency, operations, problems
from mien_api.authentication import Authentication
from mien_api.contract import openapi
from mien_api.cors import Cors
from mien_api.credential_settings import CredentialSettings
from mien_api.door import PhotoDoor
from mien_api.guard import GuardMiddleware
from mien_api.handlers import Handlers
from mien_api.job_feed import JobFeed
from mien_api.limits import Limiting
from mien_api.middleware import RequestMiddleware
from mien_api.payment_handlers import PaymentHandlers
from mien_api.poster_handlers import PosterHandlers
from mien_api.poster_settings import PosterSettings
from mien_api.routers import (
    assets,
    catalogue,
    cycle,
    glam,
    health,
    insights,
    internal_holds,
    internal_retention,
    jobs,
    looks,
    payments,
    posters,
    predictions,
    scans,
    skin,
    tryon,
    usage,
    users,
    webhooks,
)
from mien_api.shedding import Shedding, Work
from mien_api.skin_handlers import SkinHandlers
from mien_api.stream_places import StreamLimits
from mien_api.usage import UsageMeter
from mien_api.webhook_handlers import WebhookRules
from mien_core.model.platform import JobKind
from mien_core.rules.load import Limits

# what a page in a browser may read besides the body
EXPOSED_HEADERS = (
    "X-Request-ID",
    "Location",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "Preference-Applied",
    "Server-Timing",
    "Idempotency-Replayed",
    "Age",
    "ETag",
)

# What requests bring. An announced upload is work to come: who can't be served must not send its photo first.
WORK = {
    "/upload-url": Work(JobKind.ANALYSE_FACE, begins=False),
    "/get-presigned-url": Work(JobKind.ANALYSE_FACE, begins=False, methods=frozenset({"GET"})),
    "/analyze": Work(JobKind.ANALYSE_FACE),
    skin.PATH: Work(JobKind.ANALYSE_FACE, photo=True),
    scans.PATH: Work(JobKind.ANALYSE_FACE, photo=True),
    tryon.PATH: Work(JobKind.RENDER_TRYON, photo=True),
    insights.PATH: Work(JobKind.WRITE_INSIGHT),
    posters.PATH: Work(JobKind.RENDER_POSTER, methods=frozenset({"GET", "POST"})),
}


ROUTERS = (
    glam.router,
    looks.router,
    assets.router,
    skin.router,
    cycle.router,
    predictions.router,
    scans.router,
    insights.router,
    posters.router,
    payments.router,
    tryon.router,
    jobs.router,
    users.router,
    usage.router,
    webhooks.router,
    internal_retention.router,
    internal_holds.router,
    health.router,
    catalogue.router,
)


class _App(FastAPI):
    """Says in its contract what holds for every operation; anonymous applications ask for no credential."""

    anonymous: frozenset[str] = frozenset()
    _declared: dict[str, Any] | None = None

    def build_middleware_stack(self) -> ASGIApp:
        """See FastAPI: our middleware, and what makes answers of exceptions.

        FastAPI's own layers for telemetry, body limits and bugs have nothing to do here, and each layer costs a request
        whenever it waits. Bugs are answered by GuardMiddleware.
        """
        app: ASGIApp = ExceptionMiddleware(self.router, handlers=self.exception_handlers)
        for middleware, arguments, options in reversed(self.user_middleware):
            app = middleware(app, *arguments, **options)
        return app

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        # FastAPI keeps the document until there is another route
        if document is not self._declared:
            idempotency.declare(document)
            openapi.declare(document, self.anonymous)
            self._declared = document
        return document


def create_app(
    open_handlers: Callable[[], AbstractAsyncContextManager[Handlers]],
    cors_origins: Sequence[str],
    limits: Limits | None = None,
    *,
    credentials: CredentialSettings | None = None,
    limiting: Limiting | None = None,
    streams: StreamLimits | None = None,
    webhook_rules: WebhookRules | None = None,
    poster_settings: PosterSettings | None = None,
) -> FastAPI:
    """Make the app.

    Args:
        open_handlers: entered at start-up and left at shutdown.
        cors_origins: the pages that may call from a browser.
        limits: how much may wait before work is sent away; None means the usual ones.
        credentials: whose tokens count, and who may come without any; None means nobody's, and try-on.
        limiting: how many requests whom; None means the usual limits, counted by this process alone.
        streams: how many event streams may be open; None means the usual numbers.
        webhook_rules: where webhooks may be sent; None means that there are none.
        poster_settings: prices, and whose word about payments counts; None means the usual prices, and nobody's.
    """
    limiting = limiting or Limiting()
    credentials = credentials or CredentialSettings()
    meter = UsageMeter()
    shedding = Shedding(limits or Limits(), WORK)
    leases = idempotency.Leases()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            open_handlers() as handlers,
            shedding.watching(handlers.database),
            limiting.running(),
            meter.writing(handlers.database),
            leases.renewing(handlers.database.idempotency_keys),
        ):
            authentication = Authentication(handlers.database, credentials)
            app.state.authentication = authentication
            feed = JobFeed(handlers.database, streams or StreamLimits())
            with PhotoDoor() as door:
                app.state.handlers = handlers
                app.state.job_feed = feed
                app.state.skin_handlers = SkinHandlers(handlers, door)
                prices = poster_settings or PosterSettings()
                app.state.poster_handlers = PosterHandlers(handlers, prices)
                app.state.payment_handlers = PaymentHandlers(handlers.database, prices)
                async with authentication.ready(), feed.running():
                    yield

    app = _App(
        title="mien",
        summary="How a person looks: face analysis, from a photo to a report.",
        version="0.1.0",
        docs_url="/api/docs",
        redoc_url=None,
        lifespan=lifespan,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        # the name of the function that answers, which a test keeps unique: clients are generated from it
        generate_unique_id_function=lambda route: route.name,
        # our middleware makes the request's span and metrics; a second set would cost time and say the same
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.anonymous = frozenset(credentials.anonymous)
    app.state.shedding = shedding
    app.state.limiting = limiting
    app.state.meter = meter
    app.state.webhook_rules = webhook_rules
    problems.install(app)
    idempotency.install(app, leases)
    body_limits = {route.PATH: route.MAX_BODY_BYTES for route in (skin, scans, tryon)}
    app.add_middleware(GuardMiddleware, body_limits=body_limits)
    app.add_middleware(Cors, origins=list(cors_origins), exposed_headers=EXPOSED_HEADERS)
    # added last, so that it wraps all others: a CORS preflight has a request id, too
    app.add_middleware(RequestMiddleware, limiting=limiting, meter=meter)
    operations.install(app, ROUTERS)
    return app
