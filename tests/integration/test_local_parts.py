"""The real servers of a platform on one machine: they start, keep what they were given, and leave nothing."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import httpx
import psutil
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from botocore.config import Config
from mypy_boto3_s3 import S3Client

from mien_core.settings import S3Settings
from mien_local.home import Home
from mien_local.parts.kafka import Kafka, create_topics
from mien_local.parts.part import Part, Stage
from mien_local.parts.postgres import Postgres
from mien_local.parts.ray import Ray
from mien_local.parts.s3 import NOTIFICATIONS_TOPIC
from mien_local.ports import HOST, unused_port
from tests.parts import prepare

KEY = "uploads/0b5f6c4e-0000-4000-8000-000000000001/original"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    home = Home(tmp_path / "home")
    home.prepare()
    return Stage(home)


@pytest.fixture
def started() -> Iterator[Callable[[Part], None]]:
    """Starts parts, and stops them after the test whatever happens."""
    parts: list[Part] = []

    def start(part: Part) -> None:
        parts.append(part)
        prepare(part)
        part.start()

    yield start
    for part in reversed(parts):
        part.stop()


def processes_of(home: Home) -> list[str]:
    """The command lines that name this home, as all parts' do."""
    lines = []
    for process in psutil.process_iter():
        try:
            lines.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return [line for line in lines if str(home.root) in line]


def s3_client(settings: S3Settings) -> S3Client:
    assert settings.access_key_id is not None
    assert settings.secret_access_key is not None
    return boto3.client(
        "s3",
        endpoint_url=settings.endpoint,
        region_name=settings.region,
        aws_access_key_id=settings.access_key_id.get_secret_value(),
        aws_secret_access_key=settings.secret_access_key.get_secret_value(),
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


def test_postgres_keeps_its_data_over_a_restart(stage: Stage, started: Callable[[Part], None]) -> None:
    """A row that was committed is there after stop and start, at the same address; stopped, no process is left."""
    first = Postgres(stage)
    started(first)
    with closing(psycopg.connect(first.url, autocommit=True)) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('still here')")
    assert first.is_alive()
    first.stop()
    assert not first.is_alive()
    assert not processes_of(stage.home)
    second = Postgres(stage)
    started(second)
    assert second.url == first.url
    with closing(psycopg.connect(second.url)) as connection:
        assert connection.execute("SELECT word FROM kept").fetchone() == ("still here",)


def test_postgres_lets_nobody_in_without_the_password(postgres_server: str) -> None:
    """The port is open to every user of the machine, the database is not."""
    wrong = psycopg.conninfo.make_conninfo(postgres_server, password="wrong")  # noqa: S106 - the wrong one
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(wrong)


def test_postgres_takes_a_hundred_connections(postgres_server: str) -> None:
    """Several processes with a pool each must fit."""
    with closing(psycopg.connect(postgres_server)) as connection:
        row = connection.execute("SHOW max_connections").fetchone()
    assert row is not None
    assert int(row[0]) >= 100


async def test_kafka_keeps_its_messages_over_a_restart(stage: Stage, started: Callable[[Part], None]) -> None:
    """A message that was acknowledged is there after stop and start; stopped, no process is left."""
    first = Kafka(stage, {"kept": 1})
    await asyncio.to_thread(started, first)
    async with AIOKafkaProducer(bootstrap_servers=first.brokers, acks="all") as producer:
        await producer.send_and_wait("kept", b"still here")
    await asyncio.to_thread(first.stop)
    assert not processes_of(stage.home)
    second = Kafka(stage, {"kept": 1})
    await asyncio.to_thread(started, second)
    async with AIOKafkaConsumer("kept", bootstrap_servers=second.brokers, auto_offset_reset="earliest") as consumer:
        message = await asyncio.wait_for(consumer.getone(), 90)
    assert message.value == b"still here"


async def test_a_topic_is_made_once_and_only_on_purpose(kafka_server: str) -> None:
    """Making it again is no error; sending to a misspelt one is."""
    for _ in range(2):
        await asyncio.to_thread(create_topics, kafka_server, {"on-purpose": 2})
    async with AIOKafkaProducer(bootstrap_servers=kafka_server) as producer:
        await producer.send_and_wait("on-purpose", b"1")
        assert len(await producer.partitions_for("on-purpose")) == 2
        with pytest.raises((KafkaError, TimeoutError)):
            await asyncio.wait_for(producer.send_and_wait("on-porpoise", b"1"), 4)
        topics = (await producer.client.fetch_all_metadata()).topics()
    assert "on-purpose" in topics
    assert "on-porpoise" not in topics


async def test_a_new_object_is_told_to_kafka(s3_server: S3Settings, kafka_server: str) -> None:
    """One AWS-shaped record in mien.s3-notifications for a PUT, none for a GET or a DELETE."""
    store = s3_client(s3_server)
    async with AIOKafkaConsumer(
        NOTIFICATIONS_TOPIC, bootstrap_servers=kafka_server, auto_offset_reset="earliest"
    ) as consumer:
        first, last = (f"uploads/{uuid4()}/original" for _ in range(2))
        store.put_object(Bucket=s3_server.bucket, Key=first, Body=b"photo")
        store.get_object(Bucket=s3_server.bucket, Key=first)
        store.delete_object(Bucket=s3_server.bucket, Key=first)
        store.put_object(Bucket=s3_server.bucket, Key=last, Body=b"x")
        records: list[dict[str, Any]] = []
        # partitions, and so the order, are the sender's choice
        while {first, last} - {record["s3"]["object"]["key"] for record in records}:
            message = await asyncio.wait_for(consumer.getone(), 90)
            # other tests put what is no notification at all onto the same topic
            if any(key.encode() in message.value for key in (first, last)):
                records += json.loads(message.value)["Records"]
    ours = [record for record in records if record["s3"]["object"]["key"] in {first, last}]
    assert len(ours) == 2
    assert {record["eventName"] for record in ours} == {"s3:ObjectCreated:Put"}
    assert {record["s3"]["bucket"]["name"] for record in ours} == {s3_server.bucket}
    assert {record["s3"]["object"]["size"] for record in ours} == {5, 1}


def test_a_presigned_put_takes_what_was_signed_and_nothing_else(s3_server: S3Settings) -> None:
    """The signed length and type are checked, and so is the time."""
    store = s3_client(s3_server)
    signed = {"Bucket": s3_server.bucket, "Key": KEY, "ContentType": "image/png", "ContentLength": 5}
    url = store.generate_presigned_url("put_object", Params=signed, ExpiresIn=60)
    headers = {"Content-Type": "image/png"}
    assert httpx.put(url, content=b"123456", headers=headers, timeout=60).status_code == 403
    assert httpx.put(url, content=b"12345", headers={"Content-Type": "image/gif"}, timeout=60).status_code == 403
    assert httpx.put(url, content=b"12345", headers=headers, timeout=60).status_code == 200
    expired = store.generate_presigned_url("put_object", Params=signed, ExpiresIn=1)
    deadline = time.monotonic() + 60
    while (answer := httpx.put(expired, content=b"12345", headers=headers, timeout=60)).status_code == 200:
        assert time.monotonic() < deadline, "an expired URL is still taken"
        time.sleep(0.2)
    assert answer.status_code == 403


def test_browsers_of_the_frontend_may_put(s3_server: S3Settings) -> None:
    """The preflight of a page on http://localhost:3000 is answered."""
    answer = httpx.options(
        f"{s3_server.endpoint}/{s3_server.bucket}/{KEY}",
        headers={
            "Origin": "http://localhost:3000",
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert "content-type" in answer.headers["access-control-allow-headers"].lower()


def test_ray_obeys_its_token_alone_and_leaves_nothing(stage: Stage, started: Callable[[Part], None]) -> None:
    """Serve's REST API runs any code that it is given: no token, no answer. It listens on the loopback address only."""
    ray = Ray(stage, {})
    started(ray)
    options = {"host": HOST, "port": unused_port()}
    configuration: dict[str, Any] = {"http_options": options, "applications": []}
    assert httpx.put(ray.rest_url, json=configuration, timeout=60).status_code == 401
    wrong = {"Authorization": "Bearer wrong"}
    assert httpx.put(ray.rest_url, json=configuration, headers=wrong, timeout=60).status_code in {401, 403}
    answer = httpx.put(ray.rest_url, json=configuration, headers=dict(ray.rest_headers), timeout=60)
    assert answer.status_code == 200, answer.text
    folder = (stage.home.logs / "ray-session").readlink().parent.parent
    family = [process for process in psutil.process_iter() if _mentions(process, str(folder))]
    listening = {address for process in family for address in _listens_on(process)}
    assert listening
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert len(family) > 3
    ray.stop()
    assert not [process for process in psutil.process_iter() if _mentions(process, str(folder))]
    assert not folder.exists()
    assert (stage.home.logs / "ray-session" / "dashboard.log").exists()


def _listens_on(process: psutil.Process) -> list[str]:
    """Its addresses; none if it has ended, as helpers do."""
    try:
        connections = process.net_connections("tcp")
    except psutil.Error:
        return []
    return [connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN]


def _mentions(process: psutil.Process, word: str) -> bool:
    try:
        return any(word in argument for argument in process.cmdline())
    except psutil.Error:
        return False
