"""The short way to an endpoint, for requests as plain as nearly all of them are.

FastAPI solves an operation's parameters anew for each request: it looks for every query and header parameter that
could have come, in the operation and in each of its dependencies, which takes longer than most operations' own work.
Here it is found out once, when a route is made, what each parameter is where nothing is sent; a request then pays for
what it does send. One with a header that its operation declares is not plain: there are few such.

FastAPI's own fields check what did come, so both ways take and refuse the same. Whatever isn't plain, or isn't right,
is FastAPI's to do and to say: the short way never refuses.
"""

import inspect
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Final, Literal, Protocol, Union, get_args, get_origin

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.params import Form
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

_JSON: Final = "application/json"


class _Field(Protocol):
    """What is needed of FastAPI's fields."""

    name: str

    @property
    def alias(self) -> str: ...

    def validate(self, value: Any) -> tuple[Any, list[Any]]: ...


@dataclass(frozen=True, slots=True)
class _Queries:
    """The query parameters of an operation or a dependency. absent is what may be left out, as it is then."""

    fields: tuple[_Field, ...]
    absent: Mapping[str, Any]

    def read(self, request: Request, values: dict[str, Any]) -> bool:
        """Put them among the values; False if one isn't right."""
        values.update(self.absent)
        if not self.fields or not request.scope["query_string"]:
            return True
        sent = request.query_params
        return _check([(field, sent[field.alias]) for field in self.fields if field.alias in sent], values)


@dataclass(frozen=True, slots=True)
class _Dependency:
    """A dependency that asks for nothing but the request, and for what may be left out."""

    name: str
    call: Callable[..., Awaitable[Any]]
    request_name: str | None
    queries: _Queries


@dataclass(frozen=True, slots=True)
class Direct:
    """How a route's endpoint is called by a plain request."""

    endpoint: Callable[..., Awaitable[Response]]
    dependencies: tuple[_Dependency, ...]
    request_name: str | None
    path: tuple[_Field, ...]
    body: _Field | None
    queries: _Queries
    headers: frozenset[bytes]

    async def answer(self, request: Request) -> Response | None:
        """Answer a plain request; None leaves it to FastAPI, which then looks at all of it itself.

        A dependency may have been asked by then. It is asked again, so it must not mind.

        Raises:
            MienError: the dependencies' and the endpoint's own.
        """
        if self.headers and any(name in self.headers for name, _ in request.scope["headers"]):
            return None
        sent: list[tuple[_Field, Any]] = []
        if self.body is not None:
            body = await _json(request)
            if body is None:
                return None
            sent.append((self.body, body))
        values: dict[str, Any] = {}
        # who calls comes before what is wrong with the call
        is_right = await self._solve(request, values)
        sent.extend((field, request.scope["path_params"][field.alias]) for field in self.path)
        if not (is_right and self.queries.read(request, values) and _check(sent, values)):
            return None
        if self.request_name is not None:
            values[self.request_name] = request
        return await self.endpoint(**values)

    async def _solve(self, request: Request, values: dict[str, Any]) -> bool:
        """Ask the dependencies; False if one isn't asked, since what is sent for it isn't right."""
        is_right = True
        for dependency in self.dependencies:
            arguments: dict[str, Any] = {}
            if not dependency.queries.read(request, arguments):
                is_right = False
                continue
            if dependency.request_name is not None:
                arguments[dependency.request_name] = request
            values[dependency.name] = await dependency.call(**arguments)
        return is_right


def _check(sent: Sequence[tuple[_Field, Any]], values: dict[str, Any]) -> bool:
    """Put what was sent among the values, as FastAPI's fields read it; False if one of them refuses it."""
    for field, value in sent:
        values[field.name], errors = field.validate(value)
        if errors:
            return False
    return True


async def _json(request: Request) -> Any:
    """The body, where it is JSON, and something else than null."""
    if request.headers.get("content-type") != _JSON:
        return None
    try:
        return await request.json()
    except (ValueError, RecursionError, ClientDisconnect):
        return None


def direct(route: APIRoute) -> Direct | None:
    """Find the short way to a route's endpoint; None if it asks for what only FastAPI solves."""
    dependant = route.dependant
    dependencies = [_dependency(one) for one in dependant.dependencies]
    known = tuple(one for one in dependencies if one is not None)
    queries = _queries(dependant)
    if (
        not inspect.iscoroutinefunction(route.endpoint)
        or inspect.signature(route.endpoint).return_annotation is not Response
        or queries is None
        or len(known) < len(dependencies)
        or not _has_plain_body(route)
    ):
        return None
    return Direct(
        endpoint=route.endpoint,
        dependencies=known,
        request_name=dependant.request_param_name,
        path=tuple(dependant.path_params),
        body=route.body_field,
        queries=queries,
        headers=frozenset(
            field.alias.lower().encode() for one in (dependant, *dependant.dependencies) for field in one.header_params
        ),
    )


def _dependency(dependant: Dependant) -> _Dependency | None:
    queries = _queries(dependant)
    if (
        queries is None
        or dependant.dependencies
        or dependant.path_params
        or dependant.body_params
        or dependant.concurrency is not None
        or dependant.call is None
        or not _is_coroutine(dependant.call)
    ):
        return None
    return _Dependency(dependant.name or "", dependant.call, dependant.request_param_name, queries)


def _queries(dependant: Dependant) -> _Queries | None:
    """What may be left out; None where something may not, or is more than one value, or where FastAPI gives more."""
    optional = [*dependant.query_params, *dependant.header_params]
    special = (
        dependant.websocket_param_name,
        dependant.http_connection_param_name,
        dependant.response_param_name,
        dependant.background_tasks_param_name,
        dependant.security_scopes_param_name,
    )
    if dependant.cookie_params or any(special) or any(field.field_info.is_required() for field in optional):
        return None
    if not all(_is_one_value(field.field_info.annotation) for field in dependant.query_params):
        return None
    absent = {field.name: field.get_default() for field in optional}
    # the same for all requests, so nobody may write into it
    if not all(isinstance(default, Hashable) for default in absent.values()):
        return None
    return _Queries(tuple(dependant.query_params), absent)


def _is_one_value(annotation: Any) -> bool:
    """Whether a query parameter of this type is read from one value: no list, and no model of several parameters."""
    if get_origin(annotation) in {Annotated, Union, UnionType}:
        return all(_is_one_value(part) for part in get_args(annotation) if isinstance(part, type) or get_origin(part))
    if get_origin(annotation) is Literal:
        return True
    return isinstance(annotation, type) and not issubclass(
        annotation, list | tuple | set | frozenset | dict | BaseModel
    )


def _has_plain_body(route: APIRoute) -> bool:
    """Whether a route takes no body, or one JSON value that is its endpoint's one parameter."""
    fields = route.dependant.body_params
    if not fields:
        return True
    return len(fields) == 1 and fields[0] is route.body_field and not isinstance(fields[0].field_info, Form)


def _is_coroutine(call: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(type(call).__call__)
