"""The whole platform, started as a user does: `mien up`, then HTTP."""

import asyncio
import contextlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import psutil
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from mien_core.events import to_record, upload_received

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UP_SECONDS = 240


@dataclass
class Platform:
    """A running platform: its folder, what dev.env says, and a client with the development credential."""

    home: Path
    environment: dict[str, str]
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.environment['MIEN_API_KEY']}"}
        self.client = httpx.Client(base_url=self.environment["MIEN_URL"], headers=headers, timeout=60)

    def upload(self, photo: bytes, content_type: str = "image/jpeg") -> str:
        """Announce a photo and PUT it; the upload's id."""
        body = {"contentType": content_type, "contentLength": len(photo)}
        announced = self.client.post("/upload-url", json=body).raise_for_status().json()
        httpx.request(
            announced["method"], announced["uploadUrl"], headers=announced["headers"], content=photo, timeout=60
        ).raise_for_status()
        upload_id: str = announced["uploadId"]
        return upload_id

    def analyse(self, photo: bytes, content_type: str = "image/jpeg") -> httpx.Response:
        """Do all that a frontend does for one photo."""
        return self.ask(self.upload(photo, content_type))

    def ask(self, upload_id: str) -> httpx.Response:
        """Ask for an upload's analysis, and wait for it."""
        return self.client.post("/analyze", json={"uploadId": upload_id}, headers={"Prefer": "wait=60"}, timeout=90)

    def s3(self) -> "S3Client":
        """A client of the platform's object store."""
        return boto3.client(
            "s3",
            endpoint_url=self.environment["MIEN_S3__ENDPOINT"],
            region_name=self.environment["MIEN_S3__REGION"],
            aws_access_key_id=self.environment["MIEN_S3__ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["MIEN_S3__SECRET_ACCESS_KEY"],
        )

    def new_key(self, tenant: str) -> str:
        """Make an API key of another tenant, with the operator's command."""
        made = subprocess.run(
            [sys.executable, "-m", "mien_api", "keys", "create", "--tenant", tenant],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return made.stdout.strip().splitlines()[-1]

    def publish_again(self, upload_id: str, job_id: str) -> None:
        """Put the upload's UploadReceived onto its topic once more, as a relay would that crashed before it forgot."""

        async def publish() -> None:
            record = to_record(upload_received(upload_id, job_id))
            async with AIOKafkaProducer(bootstrap_servers=self.environment["MIEN_KAFKA__BROKERS"]) as producer:
                await producer.send_and_wait(record.topic, record.value, record.key, headers=list(record.headers))

        asyncio.run(publish())

    def offsets(self, group: str, topic: str) -> tuple[int, int]:
        """How much of a topic its consumer group has committed, and how much there is."""

        async def read() -> tuple[int, int]:
            brokers = self.environment["MIEN_KAFKA__BROKERS"]
            async with AIOKafkaConsumer(topic, bootstrap_servers=brokers, group_id=None) as consumer:
                partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
                ends = await consumer.end_offsets(partitions)
            client = AIOKafkaAdminClient(bootstrap_servers=brokers)
            await client.start()
            try:
                committed = await client.list_consumer_group_offsets(group, partitions=partitions)
            finally:
                await client.close()
            return sum(max(entry.offset, 0) for entry in committed.values()), sum(ends.values())

        return asyncio.run(read())

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the platform's database."""
        with psycopg.connect(self.environment["MIEN_POSTGRES__URL"]) as connection:
            return connection.execute(statement, parameters).fetchall()


def mien(*arguments: str, home: Path, timeout: float = UP_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run the command for people, in a data folder of its own."""
    return subprocess.run(
        [sys.executable, "-m", "mien_local", *arguments],
        # nobody waits an hour for the sweep
        env={**os.environ, "MIEN_HOME": str(home), "MIEN_RETENTION__INTERVAL_SECONDS": "5"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def left_behind(home: Path) -> list[str]:
    """Processes that know this home, or run a program or keep a log within it."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "environ"]):
        words = [*(process.info["cmdline"] or []), *(process.info["environ"] or {}).values()]
        if any(str(home) in word for word in words):
            found.append(" ".join(process.info["cmdline"] or []))
    return found


def sourced(path: Path) -> dict[str, str]:
    """What a shell would know after sourcing dev.env."""
    lines = [shlex.split(line) for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assignments = [part for words in lines for part in words if "=" in part]
    return dict(assignment.split("=", 1) for assignment in assignments)


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Return as soon as the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"After {seconds} s still not: {what}")
        time.sleep(0.05)


@contextlib.contextmanager
def running_platform(home: Path) -> Iterator[Platform]:
    """A whole platform, up as long as the block lasts; afterwards nothing of it runs any more."""
    up = mien("up", home=home)
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        started = Platform(home, sourced(home / "dev.env"))
        with started.client:
            yield started
    finally:
        down = mien("down", home=home)
    assert down.returncode == 0, down.stdout + down.stderr
    assert not list((home / "run").glob("*.json"))


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("e2e") / "home") as platform:
        yield platform
