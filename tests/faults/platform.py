"""The platform that the faults happen to: real servers, two workers, two relays, the api, and a serving stand-in.

Everything but the stand-in is the product as it is started elsewhere; the jobs come by the same core code that the api
calls, or through the api itself.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import boto3
import psycopg
from aiokafka.errors import KafkaError

from mien_api import keys
from mien_core.adapters.kafka import KafkaEventPublisher
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.errors import Unavailable
from mien_core.intake import start_analysis
from mien_core.model.platform import JobKind
from mien_core.ports.messages import Record
from mien_core.settings import KafkaSettings, PostgresSettings, S3Settings
from mien_local.parts.part import tail
from mien_local.ports import HOST, is_open, unused_port
from tests.faults.audit import Expected, Findings, audit
from tests.faults.effects import TRIGGERS
from tests.faults.gate import Gate
from tests.faults.lag import LagMeter
from tests.faults.processes import Kept, stop_all
from tests.faults.servers import Servers
from tests.faults.stand_in import BEHAVIOUR_PATH, Behaviour
from tests.faults.topics import Topics
from tests.makers import new_upload

Request = contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]

TENANT = "acme"
STREAMS = ("-m", "mien_streams")
# who waits for longer than this waits for nothing any more
SETTLED_SECONDS = 150.0
# nothing is on its way and nobody works: what has not ended by now never will
STUCK_SECONDS = 3.0
# four times as long as offsets wait for their commit
STANDSTILL_SECONDS = 1.0
LOOK_SECONDS = 0.1
INSIST_SECONDS = 90.0
CALLERS = 8
PHOTO = b"not really a photo"

WAITING = """
    SELECT (SELECT count(*) FROM jobs WHERE status IN ('created', 'processing')), (SELECT count(*) FROM outbox)
"""

TAKEN = "SELECT extract(epoch FROM updated_at - created_at)::float8 FROM jobs WHERE id = ANY(%s::uuid[])"


@dataclass
class Platform:
    """One database, bucket and set of processes. luck is what all that is left to chance is drawn from."""

    servers: Servers
    database_url: str
    bucket: S3Settings
    gate: Gate
    folder: Path
    luck: random.Random = field(default_factory=random.Random)
    entry: Sequence[str] = STREAMS
    accepted: dict[str, str] = field(default_factory=dict)
    failing: dict[str, str] = field(default_factory=dict)
    dead_letters: int = 0
    processes: dict[str, Kept] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.topics = Topics(self.servers.kafka.brokers)
        self.lag = LagMeter(self.database_url)
        self.database = PostgresDatabase(PostgresSettings.model_validate({"url": self.database_url}))
        self._serving_port, self._api_port = unused_port(), unused_port()
        self._api = f"http://{HOST}:{self._api_port}"
        self._session: aiohttp.ClientSession | None = None
        self._api_key: str | None = None
        for name in ("worker-a", "worker-b"):
            self.add_streams(name, "analyse-face", "s3-notifications")
        for name in ("relay-a", "relay-b"):
            self.add_streams(name, "relay")
        self._add("serving", ("-m", "tests.faults.stand_in", "--port", str(self._serving_port)), self._serving_port)
        self._add("api", ("-m", "mien_api"), self._api_port)

    @property
    def workers(self) -> list[Kept]:
        """The two that analyse."""
        return [self.processes["worker-a"], self.processes["worker-b"]]

    @property
    def relays(self) -> list[Kept]:
        """The two that publish, one of them at a time."""
        return [self.processes["relay-a"], self.processes["relay-b"]]

    @contextlib.asynccontextmanager
    async def running(self, *names: str) -> AsyncIterator["Platform"]:
        """Run these processes, or all, as long as the block lasts; what they print is shown if it fails."""
        wanted = [self.processes[name] for name in names or self.processes]
        async with self.database, aiohttp.ClientSession(trust_env=False) as session, self.lag.running():
            self._session = session
            try:
                for process in wanted:
                    process.start()
                await asyncio.gather(*(process.ready() for process in wanted))
                yield self
            finally:
                await stop_all(list(self.processes.values()))

    @contextlib.asynccontextmanager
    async def without(self, *names: str, stopped_by: signal.Signals = signal.SIGTERM) -> AsyncIterator[None]:
        """Do without these processes as long as the block lasts."""
        processes = [self.processes[name] for name in names]
        await asyncio.gather(*(process.stop(stopped_by) for process in processes))
        try:
            yield
        finally:
            for process in processes:
                await process.stop()
                process.start()
            await asyncio.gather(*(process.ready() for process in processes))

    def add_streams(self, name: str, *roles: str) -> Kept:
        """Add a process of these roles, to be started."""
        arguments = [*self.entry, *(word for role in roles for word in ("--role", role))]
        return self._add(name, arguments, None)

    async def behave(self, behaviour: Behaviour | None = None) -> None:
        """Tell the stand-in how to answer; without an argument, as it does by itself."""
        body = (behaviour or Behaviour()).model_dump_json()
        async with self._http.post(f"http://{HOST}:{self._serving_port}{BEHAVIOUR_PATH}", data=body) as response:
            response.raise_for_status()

    def next_upload_id(self) -> str:
        """An id that the seed decides."""
        return str(UUID(int=self.luck.getrandbits(128), version=4))

    async def accept(self, *, upload_id: str | None = None, pixel_digest: str | None = None) -> str:
        """Take one job in as the api does, again and again until it is accepted; its id."""
        deadline = time.monotonic() + INSIST_SECONDS
        while True:
            announced = new_upload(
                id=upload_id or self.next_upload_id(), tenant=TENANT, purpose="glam", pixel_digest=pixel_digest
            )
            try:
                async with self.database.transaction() as transaction:
                    upload = await transaction.uploads.add(announced)
                    job = await start_analysis(transaction, upload)
            except Unavailable:
                # whether it was committed is unknown: the next try is another upload, and both must end
                upload_id = None
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)
            else:
                self.accepted[job.id] = upload.id
                return job.id

    async def feed(self, count: int, rate: float) -> list[str]:
        """Accept jobs, so many a second; their ids."""
        began = time.monotonic()
        accepting = []
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            accepting.append(asyncio.create_task(self.accept()))
        return await asyncio.gather(*accepting)

    async def call_api(self, count: int, *, calls: int = 1) -> None:
        """Upload photos as browsers do, some at a time, and ask for each one's analysis at once, by so many calls.

        With none, S3's notification is all that begins the work; then it is waited for.
        """
        queue = list(range(count))

        async def caller() -> None:
            while queue:
                queue.pop()
                await self._upload(calls)

        await asyncio.gather(*(caller() for _ in range(CALLERS)))

    async def _upload(self, calls: int) -> None:
        announced = await self._call("/upload-url", {"contentType": "image/png", "contentLength": len(PHOTO)})
        upload_id = announced["uploadId"]
        await self._insist(lambda: self._http.put(announced["uploadUrl"], data=PHOTO, headers=announced["headers"]))
        if calls == 0:
            self.accepted[await self._noticed(upload_id)] = upload_id
            return
        for answer in await asyncio.gather(*(self._call("/analyze", {"uploadId": upload_id}) for _ in range(calls))):
            # the analysis if it is there already, else the job
            self.accepted[answer.get("jobId") or answer["id"]] = upload_id

    async def _noticed(self, upload_id: str) -> str:
        """Wait until a notification has begun the upload's job; its id."""
        async with asyncio.timeout(INSIST_SECONDS):
            while True:
                async with self.database.reading() as reading:
                    job = await reading.jobs.of_upload(JobKind.ANALYSE_FACE, upload_id)
                if job is not None:
                    return job.id
                await asyncio.sleep(0.05)

    async def _call(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {await self._secret()}", "Prefer": "wait=0"}
        answer: dict[str, Any] = json.loads(
            await self._insist(lambda: self._http.post(self._api + path, json=body, headers=headers))
        )
        return answer

    async def _insist(self, ask: Callable[[], Request]) -> bytes:
        """Ask again and again until the answer is 2xx, as a client does whose user waits; its body."""
        deadline = time.monotonic() + INSIST_SECONDS
        while True:
            try:
                async with ask() as response:
                    body = await response.read()
                    if response.ok:
                        return body
                    problem = f"{response.status} {body!r}"
                    assert response.status >= HTTPStatus.INTERNAL_SERVER_ERROR, problem
            except (aiohttp.ClientError, TimeoutError) as error:
                problem = repr(error)
            assert time.monotonic() < deadline, problem
            await asyncio.sleep(0.1)

    async def _secret(self) -> str:
        deadline = time.monotonic() + INSIST_SECONDS
        while self._api_key is None:
            try:
                _, self._api_key = await keys.create(self.database, TENANT, "faults", frozenset({"*"}))
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(LOOK_SECONDS)
        return self._api_key

    async def put_on_topic(self, topic: str, value: bytes) -> None:
        """Write onto a topic past the outbox, as strangers do."""
        async with KafkaEventPublisher(KafkaSettings(brokers=self.servers.kafka.brokers)) as publisher:
            await publisher.publish([Record(topic, b"stranger", value, ())])

    async def buried(self, count: int) -> None:
        """Wait until there are so many dead letters."""
        async with asyncio.timeout(INSIST_SECONDS):
            while True:
                async with self.database.reading() as reading:
                    if await reading.dead_letters.count() >= count:
                        return
                await asyncio.sleep(0.01)

    async def seconds_taken(self, job_ids: Sequence[str]) -> list[float]:
        """The seconds from each job's beginning to its end."""
        async with await psycopg.AsyncConnection.connect(self.database_url, autocommit=True) as connection:
            rows = await (await connection.execute(TAKEN, (list(job_ids),))).fetchall()
        return [row[0] for row in rows]

    async def settled(self, seconds: float = SETTLED_SECONDS) -> None:
        """Wait until nothing is on its way: no open job, no record in the outbox, no message without its commit.

        Also returns once nothing moves any more although jobs are open; the audit names them.
        """
        deadline = time.monotonic() + seconds
        stuck, looks = -1, 0
        while time.monotonic() < deadline:
            open_jobs, records, uncommitted = await self._open()
            if records or uncommitted:
                stuck = -1
            elif open_jobs == 0:
                return
            elif open_jobs != stuck:
                stuck, looks = open_jobs, 0
            else:
                # looks, not seconds, of which this process may itself have slept through some
                looks += 1
                if looks > STUCK_SECONDS / LOOK_SECONDS:
                    return
            await asyncio.sleep(LOOK_SECONDS)
        raise AssertionError(f"not settled after {seconds:g} s:\n{self.logs()}")

    async def only_held(self, open_jobs: int, *, committed: bool) -> None:
        """Wait until no more than these jobs are open, nothing is in the outbox and offsets are committed.

        Args:
            open_jobs: that can't end.
            committed: whether all offsets are; otherwise as far as they go, which is where they stay for a second.
        """
        before, looks = await self._open(), 0
        async with asyncio.timeout(SETTLED_SECONDS):
            while True:
                now = await self._open()
                before, looks = now, looks + 1 if now == before else 0
                jobs, records, uncommitted = now
                if jobs <= open_jobs and not records:
                    if not uncommitted:
                        return
                    if not committed and looks > STANDSTILL_SECONDS / LOOK_SECONDS:
                        return
                await asyncio.sleep(LOOK_SECONDS)

    async def findings(self) -> Findings:
        """Audit everything that was done so far."""
        found = await asyncio.to_thread(self._objects)
        expected = Expected(self.accepted.keys(), self.failing, self.dead_letters)
        findings = await audit(self.database_url, expected, self.topics, found)
        for process in self.processes.values():
            if process.unexpected_ends:
                findings.wrong.append(f"{process.name} ended with {process.unexpected_ends}, which nobody wanted")
        return findings

    def logs(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"{process.name}:\n{tail(process.log)}" for process in self.processes.values())

    async def _open(self) -> tuple[int, int, int]:
        """How many jobs have not ended, records wait in the outbox, and messages are not committed.

        A server that came back a moment ago may not be able to tell yet, and is asked again.
        """
        deadline = time.monotonic() + INSIST_SECONDS
        while True:
            try:
                return await self._open_now()
            except (psycopg.OperationalError, KafkaError):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(LOOK_SECONDS)

    async def _open_now(self) -> tuple[int, int, int]:
        async with await psycopg.AsyncConnection.connect(self.database_url, autocommit=True) as connection:
            row = await (await connection.execute(WAITING)).fetchone()
        assert row is not None
        return row[0], row[1], await self.topics.lag()

    @property
    def _http(self) -> aiohttp.ClientSession:
        assert self._session is not None
        return self._session

    def _add(self, name: str, arguments: Sequence[str], port: int | None) -> Kept:
        process = Kept(name, [sys.executable, *arguments], {}, self.folder, lambda: False)
        process.environment = self._environment(process)
        process.is_ready = process.ready_file.exists if port is None else lambda: is_open(port)
        self.processes[name] = process
        return process

    def _environment(self, process: Kept) -> Mapping[str, str]:
        secret = self.bucket.secret_access_key
        key_id = self.bucket.access_key_id
        return {name: value for name, value in os.environ.items() if not name.startswith("MIEN_")} | {
            "MIEN_ENVIRONMENT": "test",
            "MIEN_FAULTS": str(process.plan),
            "MIEN_POSTGRES__URL": self.database_url,
            "MIEN_KAFKA__BROKERS": self.servers.kafka.brokers,
            "MIEN_SERVING__URL": f"http://{HOST}:{self._serving_port}",
            "MIEN_S3__ENDPOINT": self.gate.url,
            "MIEN_S3__BUCKET": self.bucket.bucket,
            "MIEN_S3__REGION": self.bucket.region,
            "MIEN_S3__ACCESS_KEY_ID": key_id.get_secret_value() if key_id else "",
            "MIEN_S3__SECRET_ACCESS_KEY": secret.get_secret_value() if secret else "",
            "MIEN_STREAMS__INSTANCE": process.name,
            "MIEN_STREAMS__READY_FILE": str(process.ready_file),
            "MIEN_API__HOST": HOST,
            "MIEN_API__PORT": str(self._api_port),
            "MIEN_API__LIMITS__CALLER": "1000000",
            "MIEN_TELEMETRY__LOG_FORMAT": "text",
        }

    def _objects(self) -> Collection[str]:
        """All keys in the bucket, asked past the gate."""
        secret, key_id = self.bucket.secret_access_key, self.bucket.access_key_id
        client = boto3.client(
            "s3",
            endpoint_url=self.bucket.endpoint,
            region_name=self.bucket.region,
            aws_access_key_id=key_id.get_secret_value() if key_id else None,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
        )
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket.bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@contextlib.asynccontextmanager
async def new_platform(
    servers: Servers, name: str, folder: Path, entry: Sequence[str] = STREAMS
) -> AsyncIterator[Platform]:
    """Give a platform with a database and a bucket of its own, of that name, not yet running.

    Args:
        servers: running.
        name: nobody else's on these servers.
        folder: for logs and plans.
        entry: what is run for streams, after `python`.
    """
    database_url = await asyncio.to_thread(servers.new_database, name)
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(TRIGGERS)
    bucket = await asyncio.to_thread(servers.new_bucket, name.replace("_", "-"))
    port = urlsplit(bucket.endpoint or "").port
    assert port is not None
    async with Gate(port) as gate:
        yield Platform(servers, database_url, bucket, gate, folder, entry=entry)
