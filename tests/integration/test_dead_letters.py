"""The life of a dead letter on a real broker and a real database: poison, letter, command, completed."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from mien_core import events
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.intake import start_analysis
from mien_core.model.dead_letters import DeadLetter, Selection
from mien_core.model.keys import original_key
from mien_core.model.platform import Job, JobStatus
from mien_core.settings import PostgresSettings
from mien_streams.addressing import redrives
from mien_streams.handlers import s3_notifications
from tests.integration.test_streams_process import (
    DEADLINE_SECONDS,
    Platform,
    Serving,
    platform,  # noqa: F401 - a fixture
    serving,  # noqa: F401 - likewise
)
from tests.makers import new_dead_letter, new_upload

pytestmark = pytest.mark.timeout(600)

# what the issue allows
POISON_SECONDS = 5.0


@contextmanager
def command(url: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `python -m mien_streams dlq` with nothing but the database's address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MIEN_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "mien_streams", "dlq", *arguments],
        env={**environment, "MIEN_POSTGRES__URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


async def told(url: str, *arguments: str, status: int = 0) -> str:
    """What the command prints."""
    with command(url, *arguments) as process:
        out, err = await asyncio.to_thread(process.communicate, timeout=DEADLINE_SECONDS)
    assert process.returncode == status, (out, err)
    return out


async def kept(platform: Platform, **criteria: Any) -> list[DeadLetter]:  # noqa: F811 - the fixture's value
    """The letters that are there."""
    async with platform.database.reading() as reading:
        return await reading.dead_letters.select(Selection(**criteria))


async def poison(platform: Platform, serving: Serving) -> Job:  # noqa: F811 - the fixtures' values
    """Begin a job on which serving breaks."""
    async with platform.database.transaction() as transaction:
        upload = await transaction.uploads.add(new_upload())
        serving.problems[upload.id] = (500, "internal_error")
        return await start_analysis(transaction, upload)


async def test_poison_becomes_a_letter_and_the_letter_a_result(
    platform: Platform,  # noqa: F811 - the fixture
    serving: Serving,  # noqa: F811 - likewise
) -> None:
    """Within five seconds and beside other jobs; redriven, it is completed as if nothing had been, with one result."""
    url = platform.postgres_url
    async with platform.running():
        poisoned = await poison(platform, serving)
        others = [await platform.begin() for _ in range(20)]
        await platform.dead_letters(1)
        [buried] = await kept(platform)
        # by the database's clock: how late this process looks is another matter
        assert (buried.created_at - poisoned.created_at).total_seconds() < POISON_SECONDS
        assert {job.status for job in await platform.ended(*others)} == {JobStatus.COMPLETED}

        criteria = ("--code", "internal_error", "--handler", "analyse-face")
        [letter] = json.loads(await told(url, "list", "--json", *criteria))
        assert (letter["job_id"], letter["attempts"], letter["redrives"]) == (poisoned.id, 1, 0)
        assert letter["detail"].startswith("ServingFault")
        page = await told(url, "show", str(letter["id"]))
        assert f"{poisoned.id}, failed, internal_error" in page

        # redriven too early it dies again, as another letter that knows of the first redrive
        await told(url, "redrive", "--job", poisoned.id, "--actor", "anna")
        await platform.ended(poisoned)
        [second] = await kept(platform)
        assert (redrives(second.headers), second.id != letter["id"]) == (1, True)

        serving.problems.clear()
        await told(url, "redrive", str(second.id), "--dry-run")
        await told(url, "redrive", str(second.id), "--actor", "anna")
        [ended] = await platform.ended(poisoned)
        assert ended.status is JobStatus.COMPLETED
        assert (await told(url, "redrive", str(second.id), status=1)).startswith(f"refused {second.id}")
        assert await kept(platform) == []
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM analyses").fetchone() == (21,)
        audited = connection.execute("SELECT actor, action FROM audit_log").fetchall()
    assert audited == [("anna", "dead_letter.redriven")] * 2


async def test_malformed_bytes_can_be_shown_redriven_and_dropped(platform: Platform) -> None:  # noqa: F811 - the fixture
    """On an event's topic and among the notifications, to the byte; redriven they die again, dropped they are gone."""
    url = platform.postgres_url
    async with platform.running():
        await platform.put_on_topic(events.UploadReceived.topic, b"\xff\x00 not an event")
        await platform.put_on_topic(s3_notifications.TOPIC, b'{"Records": 1}')
        await platform.dead_letters(2)
        letters = await kept(platform)
        assert {letter.code for letter in letters} == {"malformed_event", "malformed_notification"}
        [bytes_letter] = await kept(platform, topic=events.UploadReceived.topic)
        assert "ff 00 20 6e 6f 74" in await told(url, "show", str(bytes_letter.id))

        await told(url, "redrive", "--all")
        await platform.dead_letters(2)
        again = await kept(platform)
        assert [redrives(letter.headers) for letter in again] == [1, 1]
        assert not {letter.id for letter in again} & {letter.id for letter in letters}
        await told(url, "drop", "--all", "--actor", "anna")
        assert await kept(platform) == []
        [ended] = await platform.ended(await platform.begin())
        assert ended.status is JobStatus.COMPLETED
        await platform.committed()


async def test_a_notification_that_comes_before_its_row_leaves_no_letter(platform: Platform) -> None:  # noqa: F811 - the fixture
    """It comes again by the outbox, and its upload is analysed."""
    announced = new_upload()
    notification = {
        "Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": {"key": original_key(announced.id)}}}]
    }
    async with platform.running():
        await platform.put_on_topic(s3_notifications.TOPIC, json.dumps(notification).encode())
        with psycopg.connect(platform.postgres_url, autocommit=True) as connection:
            # of others' objects in the store there may be notifications as well
            waits = "SELECT 1 FROM outbox WHERE position(convert_to(%s, 'UTF8') IN value) > 0"
            async with asyncio.timeout(DEADLINE_SECONDS):
                while connection.execute(waits, (announced.id,)).fetchone() is None:  # noqa: ASYNC110 - a row
                    await asyncio.sleep(0.05)
        async with platform.database.transaction() as transaction:
            upload = await transaction.uploads.add(announced)
        [ended] = await platform.ended(await platform.job_of(upload))
    assert ended.status is JobStatus.COMPLETED
    assert await kept(platform) == []


LETTERS = 60


async def test_a_redrive_that_is_killed_and_repeated_sends_each_message_once(fresh_database: str) -> None:
    """Also while another one is at the same letters: a row in the outbox and an audit row for each."""
    async with PostgresDatabase(PostgresSettings.model_validate({"url": fresh_database})) as database:
        async with database.transaction() as transaction:
            for offset in range(LETTERS):
                letter = new_dead_letter(handler=s3_notifications.NAME, offset=offset, value=str(offset).encode())
                await transaction.dead_letters.add(letter)
        with command(fresh_database, "redrive", "--all", "--rate", "10/s") as killed:
            assert killed.stdout is not None
            for _ in range(5):
                await asyncio.to_thread(killed.stdout.readline)
            killed.kill()
        with command(fresh_database, "redrive", "--all") as one, command(fresh_database, "redrive", "--all") as two:
            for process in (one, two):
                await asyncio.to_thread(process.communicate, timeout=DEADLINE_SECONDS)
        async with database.reading() as reading:
            sent = [int(row.record.value) for row in await reading.outbox.due(1000)]
            assert await reading.dead_letters.count() == 0
    with psycopg.connect(fresh_database) as connection:
        audited = connection.execute("SELECT count(*), count(DISTINCT subject) FROM audit_log").fetchone()
    assert sorted(sent) == list(range(LETTERS))
    assert audited == (LETTERS, LETTERS)


async def test_an_interrupted_command_says_what_it_did(fresh_database: str) -> None:
    """Ctrl-C ends it after a whole deed, with the shell's exit status for it."""
    async with PostgresDatabase(PostgresSettings.model_validate({"url": fresh_database})) as database:
        async with database.transaction() as transaction:
            for offset in range(LETTERS):
                await transaction.dead_letters.add(new_dead_letter(offset=offset))
        with command(fresh_database, "drop", "--all", "--rate", "5/s") as process:
            assert process.stdout is not None
            await asyncio.to_thread(process.stdout.readline)
            process.send_signal(2)
            out, err = await asyncio.to_thread(process.communicate, timeout=DEADLINE_SECONDS)
        async with database.reading() as reading:
            left = await reading.dead_letters.count()
    assert process.returncode == 130, err
    assert out.splitlines()[-1] == f"{LETTERS - left} dropped, 0 refused, {left} not tried."


async def test_without_a_database_the_command_says_so() -> None:
    """One line with a code, and no traceback."""
    with command("postgresql://127.0.0.1:1/none", "list") as process:
        _, err = await asyncio.to_thread(process.communicate, timeout=DEADLINE_SECONDS)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("database_unavailable: ")
    assert "Traceback" not in err
