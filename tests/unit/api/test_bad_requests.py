"""Bodies that no operation takes: each operation of the API refuses them alike, whoever adds it."""

from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest

from mien_api.contract.openapi import JSON, operations_of
from tests.unit.api.conftest import Platform
from tests.webhooks import webhook_rules

ID: Final = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
TAKING: Final = [
    (method.upper(), path, frozenset(operation["requestBody"]["content"]))
    for path, method, operation in operations_of(Platform().app().openapi())
    if "requestBody" in operation
]
TAKING_JSON: Final = [(method, path) for method, path, types in TAKING if JSON in types]
# more than any body may have
TOO_LONG: Final = 11 * 1024 * 1024


def filled(path: str) -> str:
    """The path with an id wherever it needs one."""
    return "/".join(ID if step.startswith("{") else step for step in path.split("/"))


@pytest.fixture(scope="module")
async def caller() -> AsyncIterator[httpx.AsyncClient]:
    """A client with a key for everything, which finds nothing but its own mistakes."""
    platform = Platform(webhook_rules=webhook_rules())
    async with platform.client(f"Bearer {await platform.secret(scopes='*,operator')}") as client:
        yield client


def is_problem(answer: httpx.Response, status: int, code: str) -> bool:
    body = answer.json()
    return (answer.status_code, body["status"], body["code"]) == (status, status, code)


@pytest.mark.parametrize(("method", "path"), TAKING_JSON)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[" * 20_000 + b"]" * 20_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"a": ' + b"9" * 5_000 + b"}",
        b'{"a": "\xff\xfe"}',
        b'{"a": "' + b"\x00" + b'"}',
        b'{"a": 1',
        b"\xef\xbb\xbf{}",
        b'{"a": "\\ud800"}',
        b"null",
        b'"text"',
        b"1e999",
    ],
    ids=[
        "nothing",
        "deep list",
        "deep object",
        "digits",
        "no UTF-8",
        "NUL",
        "cut",
        "BOM",
        "half",
        "null",
        "text",
        "inf",
    ],
)
async def test_what_is_no_object_is_refused(caller: httpx.AsyncClient, method: str, path: str, content: bytes) -> None:
    """Too deep, too many digits, halves of characters, cut off, another type: 400 or 422, and never a bug."""
    answer = await caller.request(method, filled(path), content=content, headers={"Content-Type": JSON})
    # where all fields may be left out, an object without any is refused by a rule, or it is about nothing that exists
    assert answer.status_code in {400, 404, 413, 422}, answer.text
    assert answer.json()["status"] == answer.status_code


@pytest.mark.parametrize(("method", "path", "types"), TAKING)
async def test_another_type_is_refused_by_its_name(
    caller: httpx.AsyncClient, method: str, path: str, types: frozenset[str]
) -> None:
    """415 names what is taken, whether another type is said or none."""
    for said in ({"Content-Type": "text/plain"}, {"Content-Type": "application/xml; charset=utf-8"}, {}):
        answer = await caller.request(method, filled(path), content=b"{}", headers=said)
        assert is_problem(answer, 415, "unsupported_media_type"), answer.text
        assert all(name in answer.json()["detail"] for name in types)


@pytest.mark.parametrize(("method", "path"), TAKING_JSON)
async def test_json_by_another_name_is_json(caller: httpx.AsyncClient, method: str, path: str) -> None:
    """A parameter, capitals and a +json type change nothing: the body is read, and what it lacks is said."""
    for said in ("Application/JSON; charset=utf-8", "application/vnd.api+json"):
        answer = await caller.request(method, filled(path), content=b"[]", headers={"Content-Type": said})
        assert is_problem(answer, 422, "invalid_request"), answer.text


@pytest.mark.parametrize(("method", "path", "types"), TAKING)
async def test_a_body_that_is_too_long_is_not_read(
    caller: httpx.AsyncClient, method: str, path: str, types: frozenset[str]
) -> None:
    """413, as soon as its length is announced."""
    headers = {"Content-Type": min(types), "Content-Length": str(TOO_LONG)}
    answer = await caller.request(method, filled(path), content=b"{}", headers=headers)
    assert is_problem(answer, 413, "request_too_large"), answer.text
    assert answer.headers["Connection"] == "close"
