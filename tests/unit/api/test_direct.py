"""The short way to an endpoint and FastAPI's own take and refuse the same."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import fastapi.routing
import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.dependencies.utils import solve_dependencies
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from mien_api import operations, problems
from mien_api.answers import private_json
from mien_api.direct import direct
from mien_api.shedding import Shedding
from mien_core.errors import Missing
from mien_core.rules.load import Limits

ID = "6f9619ff-8b86-4011-b42d-00cf4fc964ff"
JSON = {"Content-Type": "application/json"}

router = APIRouter()


class Body(BaseModel):
    """Something to send."""

    name: Annotated[str, Field(min_length=2)]
    count: int = 1


async def _asked(request: Request) -> list[str]:
    asked: list[str] = request.app.state.asked
    asked.append(request.headers.get("x-caller", ""))
    if asked[-1] == "nobody":
        raise Missing("nobody", "Nobody is called so.")
    return asked


async def _days(first: Annotated[int | None, Query(alias="from")] = None) -> int | None:
    return first


@router.post("/things/{thing_id}")
async def write(
    body: Body,
    thing_id: UUID,
    asked: Annotated[list[str], Depends(_asked)],
    request: Request,
    if_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Have a path, a body, a header and a dependency."""
    told = {"body": body, "id": str(thing_id), "caller": asked[-1], "method": request.method, "if_match": if_match}
    return private_json({**told, "body": body.model_dump()}, HTTPStatus.CREATED)


@router.get("/things/{thing_id}")
async def read(
    thing_id: UUID, days: Annotated[int | None, Depends(_days)], limit: Annotated[int, Query(ge=1)] = 50
) -> Response:
    """Have a path and queries, one of them a dependency's."""
    return private_json({"id": str(thing_id), "days": days, "limit": limit})


@router.get("/long/{thing_id}")
async def read_long(thing_id: UUID) -> Body:
    """Leave the answer to FastAPI."""
    return Body(name=str(thing_id))


def _app(route_class: type[APIRoute]) -> FastAPI:
    app = FastAPI()
    app.state.asked = []
    app.state.shedding = Shedding(Limits(), {})
    problems.install(app)

    @app.middleware("http")
    async def with_state(request: Request, call_next: Any) -> Response:
        request.scope["state"] = {"request_id": "one"}
        answer: Response = await call_next(request)
        return answer

    if route_class is APIRoute:
        app.include_router(router)
    else:
        operations.install(app, [router])
    return app


@pytest.fixture
async def clients() -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Our app, and the same as FastAPI has it."""
    ours, theirs = (httpx.ASGITransport(_app(route)) for route in (operations.Operation, APIRoute))
    async with (
        httpx.AsyncClient(transport=ours, base_url="http://mien") as short,
        httpx.AsyncClient(transport=theirs, base_url="http://mien") as plain,
    ):
        yield short, plain


@pytest.mark.parametrize(
    ("method", "path", "headers", "content"),
    [
        ("POST", f"/things/{ID}", JSON, b'{"name": "anna"}'),
        ("POST", f"/things/{ID}", JSON, b'{"name": "anna", "count": 3, "other": 4}'),
        ("POST", f"/things/{ID}", JSON | {"If-Match": '"1"'}, b'{"name": "anna"}'),
        ("POST", f"/things/{ID}", JSON | {"X-Caller": "bea"}, b'{"name": "anna"}'),
        ("POST", f"/things/{ID}", JSON | {"X-Caller": "nobody"}, b'{"name": "anna"}'),
        ("POST", f"/things/{ID}", JSON | {"X-Caller": "nobody"}, b'{"name": 1}'),
        ("POST", f"/things/{ID}?from=1", JSON, b'{"name": "anna"}'),
        ("POST", f"/things/{ID}", {"Content-Type": "application/json; charset=utf-8"}, b'{"name": "anna"}'),
        ("POST", f"/things/{ID}", {"Content-Type": "application/merge-patch+json"}, b'{"name": "anna"}'),
        ("POST", f"/things/{ID}", JSON, b'{"name": "a"}'),
        ("POST", f"/things/{ID}", JSON, b'{"name": NaN}'),
        ("POST", f"/things/{ID}", JSON, b'{"name": "anna", "count": "x"}'),
        ("POST", f"/things/{ID}", JSON, b"null"),
        ("POST", f"/things/{ID}", JSON, b"[]"),
        ("POST", f"/things/{ID}", JSON, b"0"),
        ("POST", f"/things/{ID}", JSON, b"{"),
        ("POST", f"/things/{ID}", JSON, b"\xff\xfe"),
        ("POST", f"/things/{ID}", JSON, b"[" * 100_000),
        ("POST", f"/things/{ID}", JSON, b""),
        ("POST", "/things/none", JSON, b'{"name": "anna"}'),
        ("POST", "/things/none", JSON, b'{"name": 1}'),
        ("GET", f"/things/{ID}", {}, b""),
        ("GET", f"/things/{ID}?limit=2&from=3", {}, b""),
        ("GET", f"/things/{ID}?limit=2&limit=3&from=3&from=4", {}, b""),
        ("GET", f"/things/{ID}?limit=&from=", {}, b""),
        ("GET", f"/things/{ID}?limit=%32&from=+1", {}, b""),
        ("GET", f"/things/{ID}?limit=0", {}, b""),
        ("GET", f"/things/{ID}?limit=0&from=x", {}, b""),
        ("GET", f"/things/{ID}?from=x", {}, b""),
        ("GET", f"/things/{ID}?unknown=1", {}, b""),
        ("GET", "/things/none", {}, b""),
        ("GET", f"/long/{ID}", {}, b""),
        ("PUT", f"/things/{ID}", JSON, b"{}"),
        ("GET", "/nowhere", {}, b""),
        ("GET", f"/things/{ID}/more", {}, b""),
    ],
)
async def test_both_ways_answer_alike(
    clients: tuple[httpx.AsyncClient, httpx.AsyncClient],
    method: str,
    path: str,
    headers: dict[str, str],
    content: bytes,
) -> None:
    """Status, headers and body are FastAPI's, whatever is sent."""
    short, plain = [await client.request(method, path, headers=headers, content=content) for client in clients]
    assert (short.status_code, short.headers, short.content) == (plain.status_code, plain.headers, plain.content)


async def test_a_plain_request_is_not_solved_anew(
    clients: tuple[httpx.AsyncClient, httpx.AsyncClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needn't be looked for isn't; else the short way would be one in name only."""
    solved: list[str] = []

    async def noted(**arguments: Any) -> Any:
        solved.append(arguments["request"].url.path)
        return await solve_dependencies(**arguments)

    monkeypatch.setattr(fastapi.routing, "solve_dependencies", noted)
    short, _ = clients
    await short.get(f"/things/{ID}")
    await short.post(f"/things/{ID}", json={"name": "anna"})
    assert solved == []
    await short.get(f"/things/{ID}?limit=2&from=3&unknown=1")
    assert solved == []
    await short.get(f"/things/{ID}?limit=x")
    assert solved == [f"/things/{ID}"]


def test_what_needs_more_of_fastapi_has_no_short_way() -> None:
    """A model for an answer, required queries, cleanups and plain functions are FastAPI's to do."""
    odd = APIRouter()

    async def cleaning() -> AsyncIterator[int]:
        yield 1

    def threaded() -> int:
        return 1

    @odd.get("/cleanup")
    async def cleanup(one: Annotated[int, Depends(cleaning)]) -> Response:
        return private_json({"one": one})

    @odd.get("/thread")
    async def thread(one: Annotated[int, Depends(threaded)]) -> Response:
        return private_json({"one": one})

    @odd.get("/required")
    async def required(one: Annotated[int, Query()]) -> Response:
        return private_json({"one": one})

    @odd.get("/several")
    async def several(one: Annotated[list[int] | None, Query()] = None) -> Response:
        return private_json({"one": one})

    @odd.get("/answer")
    async def answer(response: Response) -> Response:
        return response

    @odd.get("/function")
    def function() -> Response:
        return private_json({})

    assert [direct(route) for route in odd.routes if isinstance(route, APIRoute)] == [None] * 6
    short = {route.name for route in router.routes if isinstance(route, APIRoute) and direct(route) is not None}
    assert short == {"write", "read"}
