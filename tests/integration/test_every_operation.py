"""A walk over every operation in the OpenAPI: the owner's credential opens it, and nobody else's shows what is hers.

Operations come from the app itself, their requests from tests/operations: a new route must come with an entry there.
"""

import json
from collections.abc import AsyncIterator

import httpx
import jwt
import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.settings import PostgresSettings
from mien_local.issuer.keys import SigningKey
from mien_local.issuer.server import IssuerServer
from mien_local.issuer.tokens import HOUR, new_token
from tests.conftest import database_copy
from tests.operations.table import OPERATIONS
from tests.operations.world import OWNER, TENANT, Call, Operation, World, make_app, open_world

# never connected: it is asked for its OpenAPI only
DOCUMENT = make_app(MemoryDatabase(), MemoryObjectStore(), "https://issuer.example").openapi()
WALKED = [
    (method.upper(), path)
    for path, operations in DOCUMENT["paths"].items()
    for method in operations
    if method in {"get", "put", "post", "delete", "patch", "head", "options", "trace"}
]


@pytest.fixture(scope="module")
async def world(
    postgres_server: str, migrated_template: str, issuer: IssuerServer, key: SigningKey
) -> AsyncIterator[World]:
    with database_copy(postgres_server, migrated_template) as url:
        async with PostgresDatabase(PostgresSettings(url=url)) as database, open_world(database, issuer, key) as world:
            yield world


def operation_of(method: str, path: str) -> Operation:
    operation = OPERATIONS.get((method, path))
    if operation is None:
        pytest.fail(
            f"{method} {path} stands in no table. Add it to OPERATIONS of its application's module in "
            "tests/operations, with a valid request of the owner's and what it names; a new module goes into table.py."
        )
    return operation


def unsigned(token: str) -> str:
    """The same claims under the algorithm none."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, "", algorithm="none", headers={"kid": jwt.get_unverified_header(token)["kid"]})


def shown(answer: httpx.Response, call: Call) -> list[str]:
    """The owner's words in an answer, apart from those that the caller said."""
    said = json.dumps([call.path, call.json, dict(call.params or {}), dict(call.data or {})])
    return [mark for mark in call.marks if mark in answer.text and mark not in said]


@pytest.mark.parametrize(("method", "path"), WALKED)
async def test_what_is_no_credential_opens_nothing(  # noqa: PLR0917 - fixtures and parameters, by name
    world: World, issuer: IssuerServer, key: SigningKey, other_key: SigningKey, method: str, path: str
) -> None:
    """None, an expired token, one for another audience, one without signature, one by another key: 401 each."""
    operation = operation_of(method, path)
    call = await operation.prepare(world)
    if operation.open_to == "everybody":
        assert (await world.send(method, call, None)).is_success
        return
    token = world.owners_token
    wrong = {
        "expired": new_token(key, issuer.url, OWNER, TENANT, -HOUR),
        "another audience": new_token(key, issuer.url, OWNER, TENANT, client_id="another"),
        "alg none": unsigned(token),
        "another key": jwt.encode(
            jwt.decode(token, options={"verify_signature": False}),
            other_key.private,
            "RS256",
            jwt.get_unverified_header(token),
        ),
        "unknown API key": "mien_unknown",
    }
    for name, credential in wrong.items():
        answer = await world.send(method, call, f"Bearer {credential}")
        assert (answer.status_code, answer.json()["code"]) == (401, "credential_invalid"), name
        assert answer.headers["WWW-Authenticate"].startswith("Bearer"), name
    nothing = await world.send(method, call, None)
    if operation.open_to == "anonymous":
        assert nothing.status_code == 404 if operation.about == "thing" else nothing.is_success, nothing.text
        assert not shown(nothing, call)
    else:
        assert (nothing.status_code, nothing.json()["code"]) == (401, "credential_missing")


async def only_the_operator(world: World, issuer: IssuerServer, key: SigningKey, method: str, call: Call) -> None:
    """No tenant's key, be it good for everything, and no user's token opens what is the platform's; its own does."""
    users = new_token(key, issuer.url, OWNER, TENANT)
    for credential in (await world.key(), await world.key("platform"), users, f"Bearer {world.owners_token}"):
        answer = await world.send(method, call, credential)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
        assert not shown(answer, call)
    operator = await world.send(method, call, await world.operators_key())
    assert operator.is_success, operator.text
    assert all(mark in operator.text for mark in call.marks if method == "GET")


@pytest.mark.parametrize(("method", "path"), WALKED)
async def test_only_the_owner_finds_what_is_theirs(
    world: World, issuer: IssuerServer, key: SigningKey, method: str, path: str
) -> None:
    """Another tenant's key and another user's token get 404 or their own; then the owner's credentials get 2xx."""
    operation = operation_of(method, path)
    call = await operation.prepare(world)
    if operation.open_to == "operator":
        await only_the_operator(world, issuer, key, method, call)
        return
    another_tenant = await world.send(method, call, await world.key("other"))
    another_tenants_user = await world.send(method, call, new_token(key, issuer.url, OWNER, "other"))
    another_user = await world.send(method, call, new_token(key, issuer.url, "eve", TENANT))

    assert not shown(another_tenant, call)
    assert not shown(another_tenants_user, call)
    assert not shown(another_user, call)
    users_may = operation.open_to != "tenants"
    if operation.about == "thing":
        assert another_tenant.status_code == 404, another_tenant.text
        assert another_tenants_user.status_code == (404 if users_may else 403), another_tenants_user.text
    else:
        assert another_tenant.is_success, another_tenant.text
        assert another_tenants_user.is_success if users_may else another_tenants_user.status_code == 403
    if not users_may:
        assert another_user.status_code == 403, another_user.text
    elif operation.about == "nothing":
        assert another_user.is_success, another_user.text
    else:
        assert another_user.status_code == 404, another_user.text

    # after all of them, so that none of them has taken it away
    if users_may:
        owner = await world.send(method, call, f"Bearer {world.owners_token}")
        assert owner.is_success, owner.text
        call = await operation.prepare(world)
    tenant = await world.send(method, call, await world.key())
    assert tenant.is_success, tenant.text


def test_every_entry_is_an_operation() -> None:
    """What is no route any more has no entry either."""
    assert set(OPERATIONS) <= set(WALKED)


@pytest.mark.parametrize(("method", "path"), WALKED)
def test_the_document_says_where_a_credential_goes(method: str, path: str) -> None:
    """Each operation that takes one declares it, and no other does."""
    declared = bool(DOCUMENT["paths"][path][method.lower()].get("security"))
    assert declared == (operation_of(method, path).open_to != "everybody")
