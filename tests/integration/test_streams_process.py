"""The process `python -m mien_streams` on a real database, a real broker and a serving that speaks the protocol."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer

from mien_core import events
from mien_core.adapters.kafka import KafkaEventPublisher
from mien_core.adapters.kafka_lag import KafkaLag
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.adapters.s3 import S3ObjectStore
from mien_core.errors import Unavailable
from mien_core.intake import start_analysis
from mien_core.model.keys import annotated_key, mask_key, original_key
from mien_core.model.platform import Job, JobKind, JobStatus, Upload
from mien_core.model.serving import FaceAnswer, FaceRequest, PhotoFacts
from mien_core.ports.messages import Record
from mien_core.settings import KafkaSettings, PostgresSettings, S3Settings
from mien_streams.handlers import analyse_face, s3_notifications
from tests.makers import face_report, new_upload, skin_report

pytestmark = pytest.mark.timeout(600)

DEADLINE_SECONDS = 150.0
OWN_NAME = "mien-test"


@dataclass
class Serving:
    """A model serving without a model: answers every photo alike, unless told otherwise.

    While it holds, requests wait in it: what a test finds under way then, stays under way until it looked.
    """

    url: str = ""
    delay_seconds: float = 0.0
    holds: bool = False
    away: bool = False
    problems: dict[str, tuple[int, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    in_flight: int = 0

    async def face(self, request: web.Request) -> web.Response:
        """Answer POST /v1/face."""
        asked = FaceRequest.model_validate_json(await request.read())
        self.asked.append(asked.upload_id)
        self.in_flight += 1
        try:
            await asyncio.sleep(self.delay_seconds)
            while self.holds:  # noqa: ASYNC110 - a test switches it, as it does the others
                await asyncio.sleep(0.01)
        finally:
            self.in_flight -= 1
        if self.away:
            return web.Response(status=503, headers={"Retry-After": "0.1"})
        if asked.upload_id in self.problems:
            status, code = self.problems[asked.upload_id]
            problem = {"type": "about:blank", "title": code, "status": status, "detail": f"{code}!", "code": code}
            return web.json_response(problem, status=status, content_type="application/problem+json")
        answer = FaceAnswer(
            model_revision="face@sha256:0123456789ab",
            etag="face@sha256:0123456789ab/1",
            report=face_report(),
            skin=skin_report(),
            annotated_key=annotated_key(asked.upload_id),
            mask_keys={"radiance": mask_key(asked.upload_id, "radiance")},
            photo=PhotoFacts(width=640, height=480, pixel_digest="ab" * 32),
            timings={"decode": 12.5},
        )
        return web.Response(body=answer.model_dump_json().encode(), content_type="application/json")


@contextlib.asynccontextmanager
async def serving_on_a_free_port() -> AsyncIterator[Serving]:
    """A serving that is there as long as the block lasts."""
    serving = Serving()
    application = web.Application()
    application.router.add_post("/v1/face", serving.face)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    serving.url = f"http://{host}:{port}"
    try:
        yield serving
    finally:
        serving.holds = False
        await runner.cleanup()


@pytest.fixture
async def serving() -> AsyncIterator[Serving]:
    """A serving on a free port."""
    async with serving_on_a_free_port() as serving:
        yield serving


class Platform:
    """The parts around the process, and the process."""

    def __init__(self, postgres: str, kafka: str, serving: str, folder: Path) -> None:
        self.kafka = KafkaSettings(brokers=kafka)
        self.postgres_url = postgres
        # named, so that a test can cut the process's connections and keep its own
        own_url = psycopg.conninfo.make_conninfo(postgres, application_name=OWN_NAME)
        self.database = PostgresDatabase(PostgresSettings.model_validate({"url": own_url}))
        self.ready_file = folder / "ready"
        self.log = folder / "streams.log"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("MIEN_")} | {
            "MIEN_POSTGRES__URL": postgres,
            "MIEN_KAFKA__BROKERS": kafka,
            "MIEN_SERVING__URL": serving,
            "MIEN_STREAMS__INSTANCE": "test",
            "MIEN_WEBHOOKS__KEY": "k" * 32,
            "MIEN_ERASURE__SIGNING_KEY": "5" * 64,
            "MIEN_STREAMS__READY_FILE": str(self.ready_file),
        }

    @contextlib.contextmanager
    def process(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run `python -m mien_streams` as long as the block lasts, at most."""
        self.ready_file.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "mien_streams", *(arguments or ("--role", "all"))],
                env=self.environment | environment,
                stderr=log,
                stdout=log,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    @contextlib.asynccontextmanager
    async def running(self, *arguments: str) -> AsyncIterator[subprocess.Popen[bytes]]:
        """The process, once it is ready."""
        with self.process(*arguments) as process:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while not self.ready_file.exists():
                    assert process.poll() is None, self.log.read_text()
                    await asyncio.sleep(0.02)
            yield process

    async def upload(self) -> Upload:
        """Announce an upload."""
        async with self.database.transaction() as transaction:
            return await transaction.uploads.add(new_upload())

    async def begin(self) -> Job:
        """Announce an upload and begin its analysis, as the API does."""
        upload = await self.upload()
        async with self.database.transaction() as transaction:
            return await start_analysis(transaction, upload)

    async def job_of(self, upload: Upload) -> Job:
        """Wait until an upload has its analysis job."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                async with self.database.transaction() as transaction:
                    job = await transaction.jobs.of_upload(JobKind.ANALYSE_FACE, upload.id)
                if job is not None:
                    return job
                await asyncio.sleep(0.02)

    async def ended(self, *jobs: Job) -> list[Job]:
        """Wait until all jobs have ended; give them as they are then."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                async with self.database.transaction() as transaction:
                    found = [await transaction.jobs.get(job.id) for job in jobs]
                now = [job for job in found if job is not None]
                if all(job.status.ended for job in now):
                    return now
                await asyncio.sleep(0.02)

    async def dead_letters(self, count: int) -> None:
        """Wait until there are this many."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                async with self.database.transaction() as transaction:
                    if await transaction.dead_letters.count() >= count:
                        return
                await asyncio.sleep(0.02)

    async def committed(self) -> None:
        """Wait until all is committed that came: what isn't would come to the next test's process, poison included."""
        for handler in (analyse_face, s3_notifications):
            group = f"mien-{handler.NAME}"
            async with KafkaLag(self.kafka, group, handler.TOPIC) as lag, asyncio.timeout(DEADLINE_SECONDS):
                while True:
                    # a broker's first group waits until the topic of offsets is there
                    with contextlib.suppress(Unavailable):
                        if not await lag.first_uncommitted():
                            break
                    await asyncio.sleep(0.1)

    async def put_on_topic(self, topic: str, value: bytes) -> None:
        """Write onto a topic past the outbox, as strangers do."""
        async with KafkaEventPublisher(self.kafka) as publisher:
            await publisher.publish([Record(topic, b"key", value, ())])


@pytest.fixture
async def platform(fresh_database: str, kafka_server: str, serving: Serving, tmp_path: Path) -> AsyncIterator[Platform]:
    """Real parts; the process is started by the test."""
    platform = Platform(fresh_database, kafka_server, serving.url, tmp_path)
    async with platform.database:
        yield platform


async def test_a_job_goes_all_the_way(platform: Platform) -> None:
    """Outbox, Kafka, serving, database and back: completed, with an analysis, its timings and its event."""
    async with platform.running():
        job = await platform.begin()
        [ended] = await platform.ended(job)
        assert ended.status is JobStatus.COMPLETED
        hops = {"outbox", "kafka", "queue", "begin", "serving", "serving.decode", "serving.recommend", "commit"}
        assert set(ended.timings) == hops
        async with platform.database.transaction() as transaction:
            analysis = await transaction.analyses.get(job.photo_id)
        assert analysis is not None
        assert analysis.report == face_report()
        assert job.upload_id in await _uploads_on(platform, events.FaceAnalysed, 1)


async def _uploads_on(platform: Platform, fact: type[events.Fact], count: int) -> list[str]:
    """Read a topic from its beginning until the events of this many of the database's jobs have come."""
    with psycopg.connect(platform.postgres_url) as connection:
        ours = {str(row[0]) for row in connection.execute("SELECT upload_id FROM jobs").fetchall()}
    consumer = AIOKafkaConsumer(
        fact.topic, bootstrap_servers=platform.kafka.brokers, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        found: list[str] = []
        async with asyncio.timeout(DEADLINE_SECONDS):
            async for message in consumer:
                event = events.from_record(message.headers, message.value)
                if str(event.upload_id) in ours:
                    found.append(str(event.upload_id))
                if len(set(found)) == count:
                    return found
        return found
    finally:
        await consumer.stop()


async def test_twenty_jobs_survive_kill_9(platform: Platform, serving: Serving) -> None:
    """Killed while they run and started again, all of them are completed, with one result each."""
    serving.holds = True
    async with platform.running():
        jobs = [await platform.begin() for _ in range(20)]
        async with asyncio.timeout(DEADLINE_SECONDS):
            while serving.in_flight < 10:  # noqa: ASYNC110 - the process is another one
                await asyncio.sleep(0.01)
    serving.holds = False
    async with platform.running():
        ended = await platform.ended(*jobs)
    assert [job.status for job in ended] == [JobStatus.COMPLETED] * 20
    with psycopg.connect(platform.postgres_url) as connection:
        results = "SELECT (SELECT count(*) FROM analyses), (SELECT count(*) FROM inbox WHERE handler = %s)"
        assert connection.execute(results, (analyse_face.NAME,)).fetchone() == (20, 20)
    async with platform.database.transaction() as transaction:
        for job in jobs:
            steps = [event.status for event in await transaction.jobs.events(job.id)]
            assert steps == [JobStatus.CREATED, JobStatus.PROCESSING, JobStatus.COMPLETED]


async def test_a_photo_without_a_face_fails_its_job(platform: Platform, serving: Serving) -> None:
    """The code is serving's, JobFailed goes out, and what comes after it is not held up."""
    async with platform.running():
        upload = await platform.upload()
        serving.problems[upload.id] = (422, "no_face")
        async with platform.database.transaction() as transaction:
            job = await start_analysis(transaction, upload)
        other = await platform.begin()
        failed, completed = await platform.ended(job, other)
        assert failed.status is JobStatus.FAILED
        assert failed.error is not None
        assert (failed.error.code, failed.error.detail) == ("no_face", "no_face!")
        assert completed.status is JobStatus.COMPLETED
        assert upload.id in await _uploads_on(platform, events.JobFailed, 1)


async def test_serving_away_holds_jobs_up_and_loses_none(platform: Platform, serving: Serving) -> None:
    """Jobs wait in place and are done once serving is back."""
    serving.away = True
    async with platform.running():
        jobs = [await platform.begin() for _ in range(3)]
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(serving.asked) < 6:  # noqa: ASYNC110 - the process is another one
                await asyncio.sleep(0.01)
        serving.away = False
        assert {job.status for job in await platform.ended(*jobs)} == {JobStatus.COMPLETED}


async def test_a_malformed_message_becomes_a_dead_letter_and_holds_up_nobody(platform: Platform) -> None:
    """Raw bytes, an empty value and garbage in the notifications are kept with their place; the next job is done."""
    async with platform.running():
        await platform.put_on_topic(events.UploadReceived.topic, b"\xff\x00 not an event")
        await platform.put_on_topic(events.UploadReceived.topic, b"")
        await platform.put_on_topic(s3_notifications.TOPIC, b"not json")
        job = await platform.begin()
        [ended] = await platform.ended(job)
        assert ended.status is JobStatus.COMPLETED
        await platform.dead_letters(3)
        await platform.committed()
    with psycopg.connect(platform.postgres_url) as connection:
        rows = connection.execute("SELECT handler, value, code FROM dead_letters ORDER BY handler, value").fetchall()
    assert [(handler, bytes(value)) for handler, value, _ in rows] == [
        (analyse_face.NAME, b""),
        (analyse_face.NAME, b"\xff\x00 not an event"),
        (s3_notifications.NAME, b"not json"),
    ]
    assert [code for _, _, code in rows] == ["malformed_event", "malformed_event", "malformed_notification"]


async def test_an_object_in_the_store_starts_its_analysis(platform: Platform, s3_server: S3Settings) -> None:
    """The real store's notification is enough: nobody calls."""
    async with platform.running():
        upload = await platform.upload()
        store = S3ObjectStore(s3_server)
        await store.put(original_key(upload.id), b"a photo", "image/jpeg")
        await store.close()
        [ended] = await platform.ended(await platform.job_of(upload))
        assert ended.status is JobStatus.COMPLETED


async def test_a_notification_in_amazons_words_starts_its_analysis_once(platform: Platform) -> None:
    """Twice, with the key encoded: one job."""
    async with platform.running():
        upload = await platform.upload()
        key = original_key(upload.id).replace("/", "%2F")
        notification = {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": {"key": key, "size": 7}}}]}
        for _ in range(2):
            await platform.put_on_topic(s3_notifications.TOPIC, json.dumps(notification).encode())
        [ended] = await platform.ended(await platform.job_of(upload))
        assert ended.status is JobStatus.COMPLETED


async def test_a_database_that_drops_every_connection_costs_no_job(platform: Platform, serving: Serving) -> None:
    """Pool, LISTEN and leadership are mended, and all jobs are completed."""
    serving.delay_seconds = 0.3
    async with platform.running():
        jobs = [await platform.begin() for _ in range(10)]
        with psycopg.connect(platform.postgres_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> %s",
                (OWN_NAME,),
            )
        jobs += [await platform.begin()]
        assert {job.status for job in await platform.ended(*jobs)} == {JobStatus.COMPLETED}


async def test_it_stops_politely(platform: Platform, serving: Serving) -> None:
    """SIGTERM: what runs is finished, the ready file goes, the exit status is 0."""
    serving.holds = True
    async with platform.running() as process:
        job = await platform.begin()
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not serving.in_flight:  # noqa: ASYNC110 - the process is another one
                await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        serving.holds = False
        assert await asyncio.to_thread(process.wait, DEADLINE_SECONDS) == 0
    [ended] = await platform.ended(job)
    assert ended.status is JobStatus.COMPLETED
    assert not platform.ready_file.exists()


async def test_it_waits_for_a_broker_that_is_away(platform: Platform) -> None:
    """It doesn't crash, isn't ready, says what it waits for, and can still be told to stop."""
    with platform.process("--role", "relay", MIEN_KAFKA__BROKERS="127.0.0.1:1") as process:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while "Waiting for Kafka" not in platform.log.read_text():  # noqa: ASYNC110 - the process is another one
                await asyncio.sleep(0.02)
        assert process.poll() is None
        assert not platform.ready_file.exists()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, DEADLINE_SECONDS) == 0


async def test_roles_run_alone_too(platform: Platform, tmp_path: Path) -> None:
    """A process each does what one process with all of them does; the relay needs no address of serving."""
    (tmp_path / "relay").mkdir()
    relay = Platform(platform.postgres_url, platform.kafka.brokers, "", tmp_path / "relay")
    del relay.environment["MIEN_SERVING__URL"]
    async with relay.running("--role", "relay"), platform.running("--role", "analyse-face"):
        [ended] = await platform.ended(await platform.begin())
        assert ended.status is JobStatus.COMPLETED


async def test_what_is_not_set_is_named(platform: Platform) -> None:
    """Who forgets a setting is told its variable's name, and the exit status isn't 0."""
    del platform.environment["MIEN_SERVING__URL"]
    with platform.process() as process:
        assert await asyncio.to_thread(process.wait, DEADLINE_SECONDS) != 0
    assert "MIEN_SERVING__URL" in platform.log.read_text()


async def test_topics_are_created_by_command_and_stay(platform: Platform) -> None:
    """The command says what it created; a second time there is nothing to do."""
    for _ in range(2):
        with platform.process("topics") as process:
            assert await asyncio.to_thread(process.wait, DEADLINE_SECONDS) == 0
    assert platform.log.read_text().endswith("All topics exist.\n")
