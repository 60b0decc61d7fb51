"""The API as a client meets it: a real server on a real database and object store, in a thread of its own."""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from threading import Thread
from typing import Any, Final, TypeVar

import httpx
import uvicorn

from mien_api.connections import Connection
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.adapters.s3 import S3ObjectStore
from mien_core.settings import PostgresSettings, S3Settings
from mien_local.issuer.keys import SigningKey
from mien_local.issuer.server import IssuerServer
from mien_local.issuer.tokens import new_token
from mien_local.ports import HOST, unused_port
from tests.fuzz.workers import Workers
from tests.operations.world import OWNER, TENANT, Call, Operation, World, make_app

# for a machine that does much else
PATIENCE_SECONDS: Final = 120.0

Result = TypeVar("Result")


class Api:
    """A running API. Its methods are for the thread of the test."""

    def __init__(self, world: World, workers: Workers, url: str, secret: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._world = world
        self._workers = workers
        self.url = url
        self.secret = secret

    def prepared(self, operation: Operation) -> Call:
        """A valid call about things that exist; to be asked for while nobody works on them."""

        async def prepare() -> Call:
            return await operation.prepare(self._world)

        return self._run(prepare())

    @contextlib.contextmanager
    def nobody_works(self) -> Iterator[None]:
        """Leave jobs as they are as long as the block lasts."""
        self._run(self._workers.pause())
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._workers.go_on)

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_SECONDS)


@contextlib.contextmanager
def running_api(database_url: str, s3: S3Settings, issuer: IssuerServer, key: SigningKey) -> Iterator[Api]:
    """A running API, until the end of the block."""
    started: Future[Api] = Future()
    stop = asyncio.Event()

    def serve() -> None:
        try:
            loop.run_until_complete(_serve(started, stop, database_url, s3, issuer, key))
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    loop = asyncio.new_event_loop()
    thread = Thread(target=serve, name="fuzzed-api")
    thread.start()
    try:
        yield started.result(PATIENCE_SECONDS)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE_SECONDS)
        loop.close()


async def _serve(  # noqa: PLR0917 - the parts, by their types
    started: Future[Api], stop: asyncio.Event, database_url: str, s3: S3Settings, issuer: IssuerServer, key: SigningKey
) -> None:
    port = unused_port()
    url = f"http://{HOST}:{port}"
    store = S3ObjectStore(s3)
    async with (
        PostgresDatabase(PostgresSettings.model_validate({"url": database_url})) as database,
        httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS, trust_env=False) as client,
        asyncio.TaskGroup() as tasks,
    ):
        app = make_app(database, store, issuer.url)
        config = uvicorn.Config(
            app, HOST, port, http=Connection, access_log=False, log_config=None, proxy_headers=False, lifespan="on"
        )
        server = uvicorn.Server(config)
        workers = Workers(database)
        serving = tasks.create_task(server.serve())
        working = tasks.create_task(workers.run())
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.02)
        world = World(client, database, store)
        world.owners_token = new_token(key, issuer.url, OWNER, TENANT)
        # a tenant's, and the operator's as well
        started.set_result(Api(world, workers, url, await world.operators_key(TENANT, "*")))
        await stop.wait()
        server.should_exit = True
        working.cancel()
    await store.close()
