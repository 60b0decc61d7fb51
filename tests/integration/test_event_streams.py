"""Event streams of the process `python -m mien_api` on a real database: thousands, stalled, broken off, stopped."""

import asyncio
import contextlib
import logging
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import uvicorn

from mien_api import event_stream, keys
from mien_api.connections import Connection as ServerConnection
from mien_api.wiring import ApiSettings, build
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.model.platform import JobStatus
from mien_core.settings import PostgresSettings
from mien_local.ports import HOST, is_open, unused_port
from tests.makers import new_job, new_upload
from tests.sse import DEADLINE_SECONDS, Connection, connected

# on a machine that does much else besides, starting the process alone may take a minute
pytestmark = pytest.mark.timeout(600)

logger = logging.getLogger(__name__)

STREAMS = 5000
WATCHERS = 20
# streams that are being opened at a time; more would only wait for the database's connections
OPENING = 16
# two pools, the limits' own, and the one that listens
CONNECTIONS = 2 * 10 + 2 + 1
MOST_BYTES_A_STREAM = 80_000
STEPS_OF_A_LONG_HISTORY = 1500


class Api:
    """The process, and the database behind it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.port = unused_port()
        self.log = folder / "api.log"
        self.database = PostgresDatabase(PostgresSettings.model_validate({"url": url}))
        self.secret = ""
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> int:
        """Start it and wait until it takes connections; its process id."""
        self._process = self._started()
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not is_open(self.port):
                assert self._process.poll() is None, self.log.read_text()
                await asyncio.sleep(0.05)
        return self._process.pid

    def _started(self) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MIEN_")} | {
            "MIEN_POSTGRES__URL": psycopg.conninfo.make_conninfo(self.url, application_name="api"),
            "MIEN_S3__ACCESS_KEY_ID": "nobody",
            "MIEN_S3__SECRET_ACCESS_KEY": "nothing",
            "MIEN_API__HOST": HOST,
            "MIEN_API__PORT": str(self.port),
            # all streams are one caller's here, and there is room for no other
            "MIEN_API__STREAMS__PER_TENANT": str(STREAMS),
            "MIEN_API__LIMITS__PLATFORM__CALLER": str(100 * STREAMS),
            "MIEN_TELEMETRY__LOG_LEVEL": "WARNING",
        }
        with self.log.open("ab") as log:
            return subprocess.Popen([sys.executable, "-m", "mien_api"], env=environment, stdout=log, stderr=log)

    async def stop(self) -> int:
        """Ask it to stop; its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self._process.wait, DEADLINE_SECONDS)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def job(self) -> str:
        async with self.database.transaction() as transaction:
            upload = await transaction.uploads.add(new_upload())
            return (await transaction.jobs.create(new_job(upload)))[0].id

    async def step(self, job_id: str, status: JobStatus) -> None:
        async with self.database.transaction() as transaction:
            await transaction.jobs.change(job_id, status)

    async def asked(self, job_id: str) -> Connection:
        """An answer that has begun; who is told to come later, since the machine is busy, does."""
        while True:
            stream = await Connection.open(self.port, f"/jobs/{job_id}/events", self.secret)
            await stream.until(b"\r\n\r\n")
            if stream.status != 503:
                return stream
            stream.close()
            await asyncio.sleep(0.2)

    def stream(
        self, job_id: str, last_event_id: str | None = None
    ) -> contextlib.AbstractAsyncContextManager[Connection]:
        return connected(self.port, f"/jobs/{job_id}/events", self.secret, last_event_id)


@pytest.fixture
async def api(fresh_database: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The process is started by the test."""
    api = Api(fresh_database, tmp_path)
    async with api.database:
        _, api.secret = await keys.create(api.database, "acme", "test", frozenset({"*"}))
        try:
            yield api
        finally:
            api.kill()


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many open files as there are streams: this process has the other end of each."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = STREAMS + 1000
    if most != resource.RLIM_INFINITY and most < needed:
        pytest.skip(f"this machine allows {most} open files a process, and {STREAMS} streams need {needed}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before, needed), most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


@pytest.mark.usefixtures("many_files")
async def test_five_thousand_streams_on_one_process(api: Api) -> None:
    """Each hears of its job's end; together they hold the connections of none, and little memory each."""
    server = psutil.Process(await api.start())
    jobs = [await api.job() for _ in range(STREAMS // WATCHERS)]
    first = await api.asked(jobs[0])
    await first.until(b"event: created")
    first.close()
    before, cpu_before = server.memory_info().rss, sum(server.cpu_times()[:2])
    streams: list[Connection] = []
    turn = asyncio.Semaphore(OPENING)

    async def open_one(job_id: str) -> None:
        async with turn:
            stream = await api.asked(job_id)
            streams.append(stream)
            await stream.until(b"event: created")

    try:
        async with asyncio.timeout(3 * DEADLINE_SECONDS):
            await asyncio.gather(*(open_one(job_id) for job_id in jobs for _ in range(WATCHERS)))
        each = (server.memory_info().rss - before) / STREAMS
        cpu = server.cpu_times()
        opening = (cpu.user + cpu.system - cpu_before) / STREAMS
        logger.info("%d bytes a stream, %.1f ms of the process to open it", each, opening * 1000)
        assert len(server.net_connections("tcp")) >= STREAMS
        assert each < MOST_BYTES_A_STREAM
        with psycopg.connect(api.url) as connection:
            held = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'api'").fetchone()
        assert held is not None
        assert held[0] <= CONNECTIONS
        one_more = await api.asked(jobs[0])
        await one_more.until(b"too_many_streams")
        assert one_more.status == 429
        for job_id in jobs:
            await api.step(job_id, JobStatus.COMPLETED)
        await asyncio.gather(*(stream.until_over() for stream in streams))
        assert all(stream.ended for stream in streams)
        assert {tuple(event.name for event in stream.events) for stream in streams} == {("created", "completed")}
    finally:
        for stream in streams:
            stream.close()


async def test_whenever_a_stream_breaks_off_the_rest_follows_once(api: Api) -> None:
    """Clients leave in the middle, at any moment, and come back: what they have seen is the history, each step once."""
    await api.start()
    job_id, chance = await api.job(), random.Random(6)  # noqa: S311 - picks moments

    async def watch() -> list[int]:
        seen: list[int] = []
        while True:
            async with api.stream(job_id, str(seen[-1]) if seen else None) as stream:
                # up to the end of the stream, or of its patience
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(chance.choice([0.05, 0.2, 0.6, 5.0])):
                        await stream.until_over()
                seen += [event.id for event in stream.events]
                if stream.events and stream.events[-1].name == JobStatus.COMPLETED:
                    return seen

    async def move() -> None:
        for status in [*[JobStatus.PROCESSING] * 10, JobStatus.COMPLETED]:
            await asyncio.sleep(0.1)
            await api.step(job_id, status)

    async with asyncio.timeout(DEADLINE_SECONDS):
        *watched, _ = await asyncio.gather(*(watch() for _ in range(8)), move())
    assert watched == [list(range(1, 13))] * 8
    async with api.stream(job_id, "12") as stream:
        await stream.until(b"\r\n\r\n")
        assert stream.status == 204


async def test_a_server_that_stops_ends_its_streams_and_the_next_one_goes_on(api: Api) -> None:
    """The process doesn't wait for the jobs; whoever comes back misses nothing, a step between the two included."""
    await api.start()
    jobs = [await api.job() for _ in range(20)]
    async with contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(api.stream(job_id)) for job_id in jobs]
        for stream in streams:
            await stream.until(b"event: created")
        assert await api.stop() == -signal.SIGTERM
        for stream in streams:
            await stream.until_over()
            assert stream.ended, "whole, and not broken off"
    assert "timeout graceful shutdown exceeded" not in api.log.read_text()
    for job_id in jobs:
        await api.step(job_id, JobStatus.COMPLETED)
    await api.start()
    for job_id in jobs:
        async with api.stream(job_id, "1") as stream:
            await stream.until_over()
            assert [(event.id, event.name) for event in stream.events] == [(2, "completed")]


async def test_a_client_that_stalls_is_cut_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps no connection, and what it didn't read isn't kept for it; another client of that job is served."""
    monkeypatch.setattr(event_stream, "WRITE_SECONDS", 0.5)
    job_id = await api.job()
    with psycopg.connect(api.url) as connection:
        connection.execute(
            "INSERT INTO job_events (job_id, seq, status) SELECT %s, seq, 'processing' FROM generate_series(2, %s) seq",
            (job_id, STEPS_OF_A_LONG_HISTORY),
        )
        connection.execute("UPDATE jobs SET status = 'processing' WHERE id = %s", (job_id,))
    settings = ApiSettings.model_validate({"postgres": {"url": api.url}})
    config = uvicorn.Config(
        build(settings), host=HOST, port=api.port, http=ServerConnection, log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    stalled = event_stream.OVER.labels("stalled")._value
    before = stalled.get()
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not server.started:  # noqa: ASYNC110 - it says so nowhere else
                await asyncio.sleep(0.02)
            client = await Connection.open(api.port, f"/jobs/{job_id}/events", api.secret, buffer=4096)
            client.transport.pause_reading()
            while stalled.get() == before:  # noqa: ASYNC110 - a counter has no event
                await asyncio.sleep(0.02)
            async with api.stream(job_id, str(STEPS_OF_A_LONG_HISTORY - 1)) as other:
                await other.until(f"id: {STEPS_OF_A_LONG_HISTORY}\n".encode())
            while server.server_state.connections:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.02)
            client.transport.resume_reading()
            await client.until_over()
        assert not client.ended
    finally:
        server.should_exit = True
        await serving
