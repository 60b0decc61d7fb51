"""How the rollouts' controller is put together, from settings."""

from contextlib import AsyncExitStack
from typing import Annotated

import aiohttp
from pydantic import BaseModel, Field, SecretStr

from mien_core.rules.serve_config import ServeOptions
from mien_operator.rollouts.controller import Elders, ListRollouts, RolloutController
from mien_operator.rollouts.latest import LatestComparisons
from mien_operator.rollouts.serve_api import RouterApi, ServeApi

Address = Annotated[str, Field(pattern=r"^https?://[^/]+")]


class RolloutSettings(BaseModel):
    """Where serving is, and what of it no rollout decides.

    serve_url is Ray's dashboard (port 8265), where Serve's REST API is, and serve_token its RAY_AUTH_TOKEN. router_url
    is Serve's HTTP proxy as the operator reaches it, and router_token what the router wants to hear from whoever asks
    for comparisons. http_host and http_port are where that proxy listens: Serve takes them at its start alone.
    """

    serve_url: Address
    serve_token: SecretStr | None = None
    router_url: Address
    router_token: SecretStr | None = None
    http_host: str = "0.0.0.0"  # noqa: S104 - the proxy of a pod, which a NetworkPolicy guards
    http_port: int = Field(default=8090, ge=1, le=65535)
    request_timeout_seconds: float = Field(default=60.0, gt=0)
    cpus_per_replica: float = Field(default=1.0, ge=0)
    threads_per_replica: int = Field(default=1, ge=1)
    router_replicas: int = Field(default=1, ge=1)
    poster_replicas: int = Field(default=1, ge=1)

    @property
    def options(self) -> ServeOptions:
        """As the configuration is rendered with."""
        return ServeOptions(
            http_host=self.http_host,
            http_port=self.http_port,
            request_timeout_seconds=self.request_timeout_seconds,
            cpus_per_replica=self.cpus_per_replica,
            threads_per_replica=self.threads_per_replica,
            router_replicas=self.router_replicas,
            poster_replicas=self.poster_replicas,
        )


async def built(
    settings: RolloutSettings,
    rollouts: ListRollouts,
    stack: AsyncExitStack,
) -> RolloutController:
    """Give the controller; the stack closes its connections.

    Args:
        settings: where serving is.
        rollouts: reads all rollouts.
        stack: closes what is opened here.
    """
    http = await stack.enter_async_context(aiohttp.ClientSession())
    serve = ServeApi(http, settings.serve_url, settings.serve_token)
    comparisons = LatestComparisons(RouterApi(http, settings.router_url, settings.router_token))
    stack.push_async_callback(comparisons.close)
    return RolloutController(serve, comparisons, Elders(rollouts), settings.options)
