"""What the handlers' tests share: a platform with one upload, and a serving that says what it is told to."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from mien_core.events import Event, from_record
from mien_core.intake import start_analysis
from mien_core.model.keys import annotated_key, mask_key
from mien_core.model.platform import Analysis, Job, Upload
from mien_core.model.serving import FaceAnswer, FaceRequest, PhotoFacts
from mien_core.model.skin import SkinReport
from mien_core.ports.database import Database
from mien_core.ports.messages import OutboxRow, Record
from mien_streams.delivery import Delivery
from tests.makers import face_report, new_upload, skin_report

DEADLINE_SECONDS = 30.0
REVISION = "face@sha256:0123456789ab"
ETAG = f"{REVISION}/1"


def answer(request: FaceRequest, skin: SkinReport | None = None) -> FaceAnswer:
    return FaceAnswer(
        model_revision=REVISION,
        etag=ETAG,
        report=face_report(),
        skin=skin or skin_report(),
        annotated_key=annotated_key(request.upload_id),
        mask_keys={"radiance": mask_key(request.upload_id, "radiance")},
        photo=PhotoFacts(width=640, height=480, pixel_digest="ab" * 32),
        timings={"decode": 12.5, "detect": 3.0},
    )


@dataclass
class ScriptedServing:
    """Meets FaceAnalysis: raises the scripted errors one after the other, then answers."""

    script: list[BaseException] = field(default_factory=list)
    requests: list[FaceRequest] = field(default_factory=list)
    etags: list[str] = field(default_factory=list)
    skin: SkinReport | None = None

    async def analyse(self, request: FaceRequest) -> FaceAnswer:
        """See FaceAnalysis."""
        self.requests.append(request)
        if self.script:
            raise self.script.pop(0)
        return answer(request, self.skin)

    async def analyse_unless(self, request: FaceRequest, etag: str) -> FaceAnswer | None:
        """See FaceAnalysis: the answer's etag is ETAG."""
        self.etags.append(etag)
        answered = await self.analyse(request)
        return None if etag == ETAG else answered


async def uploaded(database: Database, **fields: object) -> Upload:
    async with database.transaction() as transaction:
        return await transaction.uploads.add(new_upload(**fields))


async def started(database: Database, **fields: object) -> tuple[Job, Delivery]:
    """Begin the work on a new upload; the job, and its event as it comes from the topic."""
    upload = await uploaded(database, **fields)
    async with database.transaction() as transaction:
        job = await start_analysis(transaction, upload)
        newest = (await transaction.outbox.due(1000))[-1]
        await transaction.outbox.remove([newest.id])
    return job, delivered(newest.record)


def delivered(record: Record, offset: int = 7) -> Delivery:
    now = datetime.now(UTC)
    return Delivery(
        topic=record.topic,
        partition=0,
        offset=offset,
        key=record.key,
        headers=record.headers,
        value=record.value,
        published_at=now - timedelta(milliseconds=3),
        consumed_at=now,
    )


async def job(database: Database, job_id: str) -> Job:
    async with database.transaction() as transaction:
        found = await transaction.jobs.get(job_id)
    assert found is not None
    return found


async def analysis(database: Database, upload_id: str) -> Analysis | None:
    async with database.transaction() as transaction:
        return await transaction.analyses.get(upload_id)


async def emitted(database: Database) -> list[Event]:
    return events(await outbox(database))


async def outbox(database: Database) -> list[OutboxRow]:
    async with database.transaction() as transaction:
        return await transaction.outbox.due(1000)


def events(rows: Sequence[OutboxRow]) -> list[Event]:
    return [from_record(row.record.headers, row.record.value) for row in rows]


def some_id() -> str:
    return str(uuid4())


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: after DEADLINE_SECONDS.
    """
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - the state of a part has no event to wait for
            await asyncio.sleep(0.005)
