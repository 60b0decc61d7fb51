"""How many requests whom: of callers by application, of clients without a credential by address, of wrong credentials.

A request is counted where its caller becomes known (routers/dependencies.py), before any work of its own; every answer
carries RateLimit and RateLimit-Policy as in draft-ietf-httpapi-ratelimit-headers-10.
"""

import contextlib
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Scope

from mien_api.addresses import client_address
from mien_api.scopes import Application
from mien_api.slices import Limiter, Quota, Standing
from mien_core.errors import Rejected, Unavailable
from mien_core.model.platform import Caller
from mien_core.quotas import Quotas

WINDOW_SECONDS: Final = 60.0
PLATFORM: Final = "platform"
# The application of a route is that of its router's tag; any other tag is the platform's own.
APPLICATIONS: Final[Mapping[str, Application]] = {
    "GlamAI": "glam",
    "Skin Chapters": "skin",
    "Glow Cycle": "cycle",
    "TryOnAI": "tryon",
    "Posters": "poster",
}
# The tag of what the operator calls, and the name of its quota: it comes often, and keeps no frontend waiting.
OPERATOR_TAG: Final = "Operator"
OPERATOR: Final = "operator"


class ApplicationLimits(BaseModel):
    """One application's own, in requests a minute; None means that of all."""

    model_config = ConfigDict(frozen=True)

    caller: int | None = Field(default=None, ge=1)
    anonymous: int | None = Field(default=None, ge=1)


class TryonLimits(ApplicationLimits):
    """TryOnAI's contract says how often an address may call."""

    anonymous: int | None = Field(default=10, ge=1)


class OperatorLimits(ApplicationLimits):
    """It asks for each of its resources, and no user waits for it."""

    caller: int | None = Field(default=12_000, ge=1)


class RateLimits(BaseModel):
    """Requests a minute, over all replicas.

    caller is per application, tenant and user; anonymous per application and client address, where a request carries
    no credential; failures per client address, where it carries a wrong one or lacks one.
    """

    model_config = ConfigDict(frozen=True)

    caller: int = Field(default=600, ge=1)
    anonymous: int = Field(default=60, ge=1)
    failures: int = Field(default=60, ge=1)
    glam: ApplicationLimits = ApplicationLimits()
    skin: ApplicationLimits = ApplicationLimits()
    cycle: ApplicationLimits = ApplicationLimits()
    tryon: TryonLimits = TryonLimits()
    poster: ApplicationLimits = ApplicationLimits()
    platform: ApplicationLimits = ApplicationLimits()
    operator: OperatorLimits = OperatorLimits()

    def of_callers(self, application: str) -> Quota:
        """What a caller may ask of an application."""
        own: ApplicationLimits = getattr(self, application)
        return Quota(application, own.caller or self.caller, WINDOW_SECONDS)

    def of_addresses(self, application: str) -> Quota:
        """What a client without a credential may ask of an application."""
        own: ApplicationLimits = getattr(self, application)
        return Quota(f"{application}-anonymous", own.anonymous or self.anonymous, WINDOW_SECONDS)


def no_quotas() -> AbstractAsyncContextManager[Quotas | None]:
    """Nothing that replicas share: each process counts alone."""
    return contextlib.nullcontext()


class Limiting:
    """Counts requests, and says in each answer's headers what is left. One a process.

    Args:
        limits: how many.
        trusted_proxies: how many proxies of one's own every request comes through.
        open_quotas: what the replicas share; entered at start-up and left at shutdown.
    """

    def __init__(
        self,
        limits: RateLimits | None = None,
        trusted_proxies: int = 0,
        open_quotas: Callable[[], AbstractAsyncContextManager[Quotas | None]] = no_quotas,
    ) -> None:
        limits = limits or RateLimits()
        self._trusted_proxies = trusted_proxies
        self._open_quotas = open_quotas
        self._limiter = Limiter()
        applications = {PLATFORM, OPERATOR, *APPLICATIONS.values()}
        self._of_callers = {application: limits.of_callers(application) for application in applications}
        self._of_addresses = {application: limits.of_addresses(application) for application in applications}
        self._failures = Quota("credentials", limits.failures, WINDOW_SECONDS)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Share limits with the other replicas as long as the block lasts."""
        async with self._open_quotas() as quotas:
            self._limiter = Limiter(quotas)
            async with self._limiter.running():
                yield

    async def count_failure(self, request: Request) -> None:
        """Count a request without a good credential by its client's address.

        Only after the credential was looked at: counted before, those of one client would shut out all who come from
        the same address and weren't seen yet. What is refused here would have been refused anyway, in other words.

        Raises:
            Unavailable: rate_limited.
        """
        await self._take(request, self._failures, self.address(request.scope))

    @contextlib.asynccontextmanager
    async def verifying(self, request: Request) -> AsyncIterator[None]:
        """Check a signature in this block; a wrong one counts as a wrong credential does.

        Raises:
            Unavailable: rate_limited.
        """
        try:
            yield
        except Rejected:
            await self.count_failure(request)
            raise

    async def admit(self, request: Request, caller: Caller) -> None:
        """Count a request of a caller who showed a credential.

        Raises:
            Unavailable: rate_limited.
        """
        quota = self._of_callers[_quota_name(request.scope)]
        # a user without a name is the tenant itself
        await self._take(request, quota, caller.tenant, *([] if caller.user_id is None else [caller.user_id]))

    async def admit_address(self, request: Request) -> None:
        """Count a request by its client's address. A dependency of FastAPI, for routes that ask for no caller.

        Raises:
            Unavailable: rate_limited.
        """
        quota = self._of_addresses[_quota_name(request.scope)]
        await self._take(request, quota, self.address(request.scope))

    def address(self, scope: Scope) -> str:
        """Tell where a request comes from, behind as many proxies as are trusted."""
        return client_address(scope, self._trusted_proxies)

    def headers(self, scope: Scope) -> dict[str, str]:
        """What an answer says, by names as ASGI has them: of the quota that the request was counted by.

        Where it wasn't counted (health, preflights, unknown paths, bodies refused unread), it is what the client's
        address may ask of the platform without a credential.
        """
        standing: Standing | None = scope["state"].get("rate_limit")
        if standing is None:
            quota = self._of_addresses[PLATFORM]
            standing = self._limiter.standing(quota, self.address(scope))
        quota = standing.quota
        return {
            "ratelimit-policy": f'"{quota.name}";q={quota.limit};w={math.ceil(quota.window_seconds)}',
            "ratelimit": f'"{quota.name}";r={standing.remaining};t={standing.resets_in}',
        }

    async def _take(self, request: Request, quota: Quota, *key: str) -> Standing:
        try:
            standing = await self._limiter.take(quota, *key)
        except Unavailable:
            request.scope["state"]["rate_limit"] = self._limiter.standing(quota, *key)
            raise
        request.scope["state"]["rate_limit"] = standing
        return standing


def application_of(scope: Scope) -> Application | None:
    """Tell which application the request's route belongs to; None if to none of them."""
    tags = getattr(scope.get("route"), "tags", None) or [PLATFORM]
    return APPLICATIONS.get(tags[0])


def _quota_name(scope: Scope) -> str:
    if OPERATOR_TAG in getattr(scope.get("route"), "tags", ()):
        return OPERATOR
    return application_of(scope) or PLATFORM
