"""Kafka, PostgreSQL and S3 for the fault tests alone: others' tests must not see them die."""

import asyncio
import os
import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from mien_core import migrations
from mien_core.settings import S3Settings
from mien_local.parts.kafka import Kafka
from mien_local.parts.part import Part, Stage
from mien_local.parts.postgres import Postgres
from mien_local.parts.s3 import S3, create_bucket
from mien_local.processes import Identity
from tests.parts import prepare


@dataclass
class Servers:
    """The three, each to be killed, stopped and started again; data survives."""

    stage: Stage
    postgres: Postgres = field(init=False)
    kafka: Kafka = field(init=False)
    s3: S3 = field(init=False)

    def __post_init__(self) -> None:
        # durable: what kill -9 leaves of the database is what this is about
        self.postgres = Postgres(self.stage, durable=True)
        self.kafka = Kafka(self.stage)
        self.s3 = S3(self.stage, self.kafka.brokers)

    @property
    def parts(self) -> Mapping[str, Part]:
        """By name."""
        return {part.name: part for part in (self.postgres, self.kafka, self.s3)}

    def start(self) -> None:
        """Start all; S3 needs Kafka."""
        for part in self.parts.values():
            prepare(part)
            part.start()

    def stop(self) -> None:
        """Stop all."""
        with ThreadPoolExecutor(len(self.parts)) as threads:
            list(threads.map(lambda part: part.stop(), self.parts.values()))

    async def kill(self, name: str) -> None:
        """SIGKILL a server, and start it again as the supervisor does: what is left of it is ended first."""
        identity = Identity.read(self.stage.home.run / f"{name}.json")
        assert identity is not None
        os.kill(identity.pid, signal.SIGKILL)
        await self.restart(name)

    async def restart(self, name: str) -> None:
        """Stop a server in good order, if it runs, and start it again."""
        part = self.parts[name]
        await asyncio.to_thread(part.stop)
        await asyncio.to_thread(part.start)

    def new_database(self, name: str) -> str:
        """Make a database at the newest schema; its URL."""
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = psycopg.conninfo.make_conninfo(self.postgres.url, dbname=name)
        migrations.upgrade(url)
        return url

    def new_bucket(self, name: str) -> S3Settings:
        """Make a bucket; how to reach it."""
        settings = self.s3.settings.model_copy(update={"bucket": name})
        create_bucket(settings)
        return settings
