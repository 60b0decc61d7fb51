"""Calls of the API server, on servers of the tests' own that misbehave."""

import asyncio

import kopf
import pytest
from aiohttp import web

from mien_core.errors import Unavailable
from mien_operator.cluster.api import ClusterApi
from mien_operator.cluster.resources import Resources
from mien_operator.health import served
from tests.widgets import WIDGET


async def test_after_a_silence_new_connections_are_taken() -> None:
    """Where one fell silent all may have: the next call doesn't wait on another of them."""
    peers: list[object] = []
    ended = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        peers.append(request.transport.get_extra_info("peername") if request.transport else None)
        if request.path == "/silent":
            await ended.wait()
        return web.json_response({"path": request.path})

    routes = web.Application()
    routes.add_routes([web.get("/{path}", answer)])
    async with served(routes, "127.0.0.1", 0) as port:
        info = kopf.ConnectionInfo(server=f"http://127.0.0.1:{port}")
        try:
            async with ClusterApi(lambda: info, timeout_seconds=1.0) as api:
                await asyncio.gather(api.get("/one"), api.get("/two"))
                idle = set(peers)
                with pytest.raises(Unavailable, match="can't be reached"):
                    await api.get("/silent")
                peers.clear()
                assert await api.get("/three") == {"path": "/three"}
                assert not set(peers) & idle
        finally:
            ended.set()


async def test_a_kind_of_which_there_is_none_has_no_metadata() -> None:
    """The API server says null for the items of such a list, where it is asked for metadata alone."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"kind": "PartialObjectMetadataList", "metadata": {}, "items": None})

    routes = web.Application()
    routes.add_routes([web.get("/{path:.*}", answer)])
    async with served(routes, "127.0.0.1", 0) as port:
        info = kopf.ConnectionInfo(server=f"http://127.0.0.1:{port}")
        async with ClusterApi(lambda: info) as api:
            assert [each async for each in Resources(api, "mien").metadata(WIDGET)] == []
