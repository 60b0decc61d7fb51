"""The door through which an operator reaches all else; it can be killed there, at each call."""

import base64
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp import web

from mien_local.ports import HOST

_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NO_LIMIT: Final = aiohttp.ClientTimeout(total=None)
_PASSED_ON: Final = ("Accept", "Authorization", "Content-Type")
_CLUSTER, _DATA, _SERVE = "cluster", "data", "serve"


@dataclass(frozen=True)
class Step:
    """A call that changes something or asks the api, before it is sent or after it was carried out."""

    call: str
    carried_out: bool

    def __str__(self) -> str:
        return f"{'after' if self.carried_out else 'before'} {self.call}"


class Door:
    """Passes calls on, and writes down the steps.

    Args:
        servers: the addresses of the cluster's API, of the api and of serving, by these names.
        trusted: what the cluster's certificate is checked with.
    """

    def __init__(self, servers: dict[str, str], trusted: ssl.SSLContext) -> None:
        self.servers = servers
        self.steps: list[Step] = []
        self.kill_at: int | None = None
        self.kill: Callable[[], None] = lambda: None
        self.url = ""
        self._trusted = trusted
        self._http: aiohttp.ClientSession | None = None

    def address(self, server: str) -> str:
        """Where a server seems to be."""
        return f"{self.url}/{server}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Door"]:
        """Pass on for as long as the block lasts."""
        application = web.Application(client_max_size=2**26)
        application.router.add_route("*", "/{server}{path:/.*}", self._pass_on)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        async with aiohttp.ClientSession(timeout=_NO_LIMIT, auto_decompress=False) as self._http:
            try:
                await web.TCPSite(runner, HOST, 0).start()
                self.url = f"http://{HOST}:{runner.addresses[0][1]}"
                yield self
            finally:
                await runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        server, path = request.match_info["server"], request.match_info["path"]
        content = await request.read()
        call = _call(server, request.method, path, content)
        if call is not None and self._is_killed(Step(call, carried_out=False)):
            return _hung_up(request)
        assert self._http is not None
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        url = self.servers[server] + path + (f"?{request.query_string}" if request.query_string else "")
        async with self._http.request(
            request.method, url, data=content or None, headers=headers, ssl=self._trusted
        ) as answer:
            told = await answer.read()
        if call is not None and self._is_killed(Step(call, carried_out=True)):
            return _hung_up(request)
        kept = {name: answer.headers[name] for name in ("Content-Type", "Retry-After") if name in answer.headers}
        return web.Response(status=answer.status, body=told, headers=kept)

    def _is_killed(self, step: Step) -> bool:
        self.steps.append(step)
        if len(self.steps) - 1 != self.kill_at:
            return False
        self.kill()
        return True


def _hung_up(request: web.Request) -> web.StreamResponse:
    """Nobody is there any more who would hear an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _call(server: str, method: str, path: str, content: bytes) -> str | None:
    """What a call is called, without the names of things; None if it is no step."""
    match server:
        case "data":
            return f"{method} {_ID.sub('…', path)}"
        case "serve":
            return f"{method} {path}" if method == "PUT" else None
    if method == "GET":
        return None
    words = path.split("/namespaces/")[1].split("/")
    what = words[1] + (f"/{words[3]}" if len(words) > 3 else "")  # the namespace, what, which, and its part
    if what == "events":
        return f"{method} events of {_regarding(content)}"
    finalizers = json.loads(content).get("metadata", {}).get("finalizers") if method == "PATCH" else None
    if finalizers is None:
        return f"{method} {what}"
    return f"{method} {what}: {'guarded' if finalizers else 'released'}"


def _regarding(content: bytes) -> str:
    told: dict[str, Any] = json.loads(content)
    return str(told.get("regarding", {}).get("kind", "a series"))


def trusted_by(kubeconfig: str) -> ssl.SSLContext:
    """What the cluster in a kubeconfig is checked with."""
    authority = json.loads(kubeconfig)["clusters"][0]["cluster"]["certificate-authority-data"]
    return ssl.create_default_context(cadata=base64.b64decode(authority).decode())
