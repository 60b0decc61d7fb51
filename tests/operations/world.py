"""The people of the walk over all operations: anna of acme, whose things they are, and those who may not see them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import httpx
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from pydantic import SecretStr

from mien_api import keys
from mien_api.app import create_app
from mien_api.credential_settings import CredentialSettings, IssuerSettings
from mien_api.handlers import Handlers
from mien_api.limits import Limiting, RateLimits
from mien_api.poster_settings import PosterSettings
from mien_api.scopes import APPLICATIONS
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.model.keys import original_key
from mien_core.ports.database import Database
from mien_core.ports.objects import ObjectStore
from mien_core.rules.load import Limits
from mien_local.issuer.keys import SigningKey
from mien_local.issuer.server import IssuerServer
from mien_local.issuer.tokens import AUDIENCE, TENANT_CLAIM, new_token
from tests.webhooks import webhook_rules

TENANT, OWNER = "acme", "anna"


@dataclass(frozen=True)
class Call:
    """A valid request, as httpx takes it.

    as_json is a body that does the same, where the operation takes JSON as well as this form. marks are words of the
    owner's that nobody else's answer may have in it. afterwards is what is done once it was answered 2xx, so that the
    next calls find the world as it was.
    """

    path: str
    json: Any = None
    params: Mapping[str, str] | None = None
    data: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str, bytes, str]] | None = None
    as_json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    afterwards: "Callable[[World, httpx.Response], Awaitable[None]] | None" = None


@dataclass(frozen=True)
class Operation:
    """How an operation is called, and for whom.

    prepare makes what the call is about, all of it the owner's, and gives a call that is answered 2xx.

    about says what it names. A thing (an id that the server gave) is nobody else's: 404 for other tenants and users. A
    user is another person in another tenant, which may so be answered 2xx, but 404 for other users of the tenant.
    Nothing: all may call it and see their own.

    open_to says who may call it: everybody; callers without a credential, too, of things made so; users and tenants;
    tenants alone, by their API keys; the operator alone, by a key that nothing else is.
    """

    prepare: Callable[["World"], Awaitable[Call]]
    about: Literal["thing", "user", "nothing"]
    open_to: Literal["everybody", "anonymous", "credentials", "tenants", "operator"] = "credentials"


class World:
    """The app with real credentials, and the owner's means to make things."""

    def __init__(self, client: httpx.AsyncClient, database: Database, store: ObjectStore) -> None:
        self.client = client
        self.database = database
        self.object_store = store
        self.owners_token = ""

    async def key(self, tenant: str = TENANT) -> str:
        """An API key of a tenant, good for everything."""
        _, secret = await keys.create(self.database, tenant, "test", frozenset({"*"}))
        return secret

    async def operators_key(self, tenant: str = "platform", *more: str) -> str:
        """A key of the operator's, of whatever tenant, that is good for what else is said."""
        _, secret = await keys.create(self.database, tenant, "operator", frozenset({"operator", *more}))
        return secret

    async def make_as_operator(self, call: Call, method: str = "POST") -> Mapping[str, Any]:
        """Call as the operator; the answer's body."""
        answer = await self.send(method, call, f"Bearer {await self.operators_key()}")
        assert answer.is_success, answer.text
        body: Mapping[str, Any] = answer.json()
        return body

    async def make(self, call: Call, method: str = "POST") -> Mapping[str, Any]:
        """Call as the owner; the answer's body."""
        answer = await self.send(method, call, f"Bearer {self.owners_token}")
        assert answer.is_success, answer.text
        body: Mapping[str, Any] = answer.json()
        return body

    async def send(self, method: str, call: Call, authorization: str | None) -> httpx.Response:
        """Call as somebody."""
        headers = {**call.headers, **({"Authorization": authorization} if authorization is not None else {})}
        answer = await self.client.request(
            method, call.path, params=call.params, json=call.json, data=call.data, files=call.files, headers=headers
        )
        if answer.is_success and call.afterwards is not None:
            await call.afterwards(self, answer)
        return answer

    async def upload(self) -> str:
        """A photo of the owner's that has arrived; its id."""
        announced = {"contentType": "image/jpeg", "contentLength": 4, "userId": OWNER}
        upload_id = str((await self.make(Call("/upload-url", json=announced)))["uploadId"])
        await self.object_store.put(original_key(upload_id), b"jpeg", "image/jpeg")
        return upload_id

    async def analysed_upload(self) -> tuple[str, str]:
        """A photo of the owner's whose analysis has begun; its id and the job's."""
        upload_id = await self.upload()
        job = await self.make(Call("/analyze", json={"uploadId": upload_id}, headers={"Prefer": "wait=0"}))
        return upload_id, str(job["id"])

    async def publish_all(self) -> None:
        """Do what the relay does, as far as the api sees it."""
        async with self.database.transaction() as transaction:
            await transaction.outbox.remove([row.id for row in await transaction.outbox.due(10_000)])


# nobody works off what tests leave, and machines stand still: nobody is sent away for it
PATIENT: Final = Limits(open_jobs=10**6, outbox_seconds=1e6, database_seconds=1e6, requests=10**6, photos=10**6)


def make_app(database: Database, store: ObjectStore, issuer_url: str) -> FastAPI:
    """The app as it is in production, but for its object store."""

    @asynccontextmanager
    async def open_handlers() -> AsyncIterator[Handlers]:
        yield Handlers(database, store, consent_required=False, upload_expires=900, download_expires=900)

    issuer = IssuerSettings(
        url=issuer_url,
        audiences=frozenset({AUDIENCE}),
        tenant_claim=TENANT_CLAIM,
        # users who may have webhooks must not see others'
        scopes=APPLICATIONS | {"webhooks"},
    )
    # the walk comes by more often than anybody may
    limiting = Limiting(RateLimits(caller=10**6, anonymous=10**6, failures=10**6))
    return create_app(
        open_handlers,
        [],
        PATIENT,
        credentials=CredentialSettings(issuers=(issuer,)),
        limiting=limiting,
        webhook_rules=webhook_rules(),
        # without a provider nothing is sold
        # for as many posters as anybody draws
        poster_settings=PosterSettings(
            payment_secret=SecretStr("whsec_of-the-walk-over-all"), welcome_credits=1_000_000
        ),
    )


@asynccontextmanager
async def open_world(database: Database, issuer: IssuerServer, key: SigningKey) -> AsyncIterator[World]:
    """A running app whose issuer is this one."""
    store = MemoryObjectStore()
    async with (
        LifespanManager(make_app(database, store, issuer.url)) as manager,
        httpx.AsyncClient(transport=httpx.ASGITransport(manager.app), base_url="http://mien.test") as client,
    ):
        world = World(client, database, store)
        world.owners_token = new_token(key, issuer.url, OWNER, TENANT)
        yield world
