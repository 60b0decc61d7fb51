"""The HTTP shell: translates requests to handlers' calls, and what comes back to answers."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from mien_api import problems
from mien_api.handlers import Handlers
from mien_api.middleware import RequestMiddleware
from mien_api.routers import glam, health, jobs

# what a page in a browser may read besides the body
EXPOSED_HEADERS = ("X-Request-ID", "Location", "Retry-After", "Preference-Applied", "Server-Timing")


def create_app(
    open_handlers: Callable[[], AbstractAsyncContextManager[Handlers]], cors_origins: Sequence[str]
) -> FastAPI:
    """Make the app; open_handlers is entered at start-up and left at shutdown."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_handlers() as handlers:
            app.state.handlers = handlers
            yield

    app = FastAPI(
        title="mien",
        summary="How a person looks: face analysis, from a photo to a report.",
        version="0.1.0",
        docs_url="/api/docs",
        redoc_url=None,
        lifespan=lifespan,
        # our middleware makes the request's span and metrics; a second set would cost time and say the same
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    problems.install(app)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(cors_origins),
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=list(EXPOSED_HEADERS),
    )
    # added last, so that it wraps all others: a CORS preflight has a request id, too
    app.add_middleware(RequestMiddleware)
    for router in (glam.router, jobs.router, health.router):
        app.include_router(router)
    return app
