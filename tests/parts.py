"""Real parts for tests: each fixture starts one server for the whole test run, in a temporary folder, and stops it."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest

from mien_core.errors import Unavailable
from mien_core.settings import S3Settings
from mien_local.home import Home
from mien_local.parts.kafka import Kafka
from mien_local.parts.part import Part, Stage
from mien_local.parts.postgres import Postgres
from mien_local.parts.s3 import NOTIFICATIONS_PARTITIONS, NOTIFICATIONS_TOPIC, S3
from tests.redis_server import Redis


def stage(folder: Path) -> Stage:
    """A platform's folders below `folder`."""
    home = Home(folder)
    home.prepare()
    return Stage(home)


def prepare(part: Part) -> None:
    """Fetch and build what a part needs; a laptop that can't do that skips the test, CI fails."""
    try:
        part.prepare()
    except Unavailable as error:
        skip_or_fail(part.name, error)


def skip_or_fail(name: str, error: Unavailable) -> NoReturn:
    """What can't be had on a laptop skips the test; in CI, everything can be had."""
    if os.environ.get("CI") == "true":
        raise error
    pytest.skip(f"{name} can't be had here: {error}")


def run(part: Part) -> Iterator[None]:
    """Prepare and start a part; stop it when the generator is closed, also after a failed start."""
    prepare(part)
    # parts run event loops of their own for a moment, which a thread that runs a test's loop forbids
    with ThreadPoolExecutor(1) as thread:
        try:
            thread.submit(part.start).result()
            yield
        finally:
            thread.submit(part.stop).result()


@pytest.fixture(scope="session")
def parts_stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The folders of the parts that this test run shares."""
    return stage(tmp_path_factory.mktemp("parts"))


@pytest.fixture(scope="session")
def postgres_server(parts_stage: Stage) -> Iterator[str]:
    """A PostgreSQL server; its value is the URL of an empty database named mien, whose user may make others."""
    part = Postgres(parts_stage, durable=False)
    for _ in run(part):
        yield part.url


@pytest.fixture(scope="session")
def kafka_server(parts_stage: Stage) -> Iterator[str]:
    """An Apache Kafka broker with the topic of S3's notifications; its value is host:port. No client makes a topic."""
    part = Kafka(parts_stage, {NOTIFICATIONS_TOPIC: NOTIFICATIONS_PARTITIONS})
    for _ in run(part):
        yield part.brokers


@pytest.fixture(scope="session")
def s3_server(parts_stage: Stage, kafka_server: str) -> Iterator[S3Settings]:
    """An S3 server with its bucket, telling Kafka of each new object; its value is how to reach it."""
    part = S3(parts_stage, kafka_server)
    for _ in run(part):
        yield part.settings


@pytest.fixture(scope="session")
def redis_server(parts_stage: Stage) -> Iterator[str]:
    """A Redis server; its value is its URL. What tests write there has names that no other test has."""
    part = Redis(parts_stage)
    for _ in run(part):
        yield part.url
