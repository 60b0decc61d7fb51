"""An agent that was written by reading docs/agents.md: its code is that page's."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.errors import Unavailable
from mien_core.events import JobFailed, from_record
from mien_core.model.keys import photo_key
from mien_core.model.platform import JobStatus
from mien_core.ports.database import Transaction
from mien_core.ports.objects import ObjectFacts
from mien_streams.edge import Edge
from mien_streams.job_agent import Assignment
from mien_streams.job_handler import JobHandler
from tests.unit.streams.stand_ins import emitted, job, started

PAGE = Path(__file__).parents[3] / "docs" / "agents.md"


@pytest.fixture(scope="module")
def toy_class() -> Any:
    """The class that the page shows."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1, "the page shows one agent"
    names: dict[str, Any] = {"__name__": "toy_agent"}
    exec(compile(blocks[0], str(PAGE), "exec"), names)  # noqa: S102 - the repository's own page
    return names["WeighPhoto"]


async def test_the_pages_agent_does_its_job(toy_class: Any) -> None:
    """Its work's result is saved, the job is completed, and its work's time is among the job's."""
    database, store = MemoryDatabase(), MemoryObjectStore()
    begun, delivery = await started(database)
    await store.put(photo_key(begun.photo_id), b"12345", "image/jpeg")
    await Edge(database, JobHandler(database, toy_class(store))).process(delivery)
    ended = await job(database, begun.id)
    assert ended.status is JobStatus.COMPLETED
    assert list(ended.timings) == ["outbox", "kafka", "queue", "begin", "work", "commit"]
    assert database.state.audit_log == [("weigh-photo", "photo.weighed", f"{begun.upload_id}: 5 bytes")]
    event = from_record(delivery.headers, delivery.value)
    assert database.state.inbox == {("weigh-photo", str(event.id))}


async def test_a_job_without_a_photo_is_done_too(toy_class: Any) -> None:
    """An agent is given no upload where the job has none; one that needs a photo is told whose bug it is."""

    class Photoless(toy_class):  # type: ignore[misc]  # the class is known once the page is read
        async def work(self, assignment: Assignment) -> Any:
            assert assignment.upload is None
            with pytest.raises(TypeError, match="needs an upload"):
                _ = assignment.photo
            return SimpleNamespace(size=0)

        async def save(self, transaction: Transaction, assignment: Assignment, result: Any) -> None:
            await transaction.audit_log.add(self.name, "nothing.weighed", f"{assignment.job.id}: {result.size} bytes")

    database = MemoryDatabase()
    begun, delivery = await started(database)
    database.state.jobs[begun.id] = replace(begun, upload_id=None)
    await Edge(database, JobHandler(database, Photoless(MemoryObjectStore()))).process(delivery)
    assert (await job(database, begun.id)).status is JobStatus.COMPLETED
    assert database.state.audit_log == [("weigh-photo", "nothing.weighed", f"{begun.id}: 0 bytes")]


async def test_a_repeat_saves_nothing(toy_class: Any) -> None:
    """The page promises that repeats are recognised without the agent."""
    database, store = MemoryDatabase(), MemoryObjectStore()
    begun, delivery = await started(database)
    await store.put(photo_key(begun.photo_id), b"12345", "image/jpeg")
    for _ in range(2):
        await Edge(database, JobHandler(database, toy_class(store))).process(delivery)
    assert len(database.state.audit_log) == 1


async def test_what_it_raises_is_what_the_page_says(toy_class: Any) -> None:
    """Missing ends the job with the agent's code, an outage is tried again, and a bug is told as internal_error."""

    class Moody(MemoryObjectStore):
        script: list[BaseException] = []  # noqa: RUF012 - each test's own

        async def head(self, key: str) -> ObjectFacts | None:
            if self.script:
                raise self.script.pop(0)
            return await super().head(key)

    database, store = MemoryDatabase(), Moody()
    edge = Edge(database, JobHandler(database, toy_class(store)))

    missing, delivery = await started(database)
    await edge.process(delivery)
    bug, delivery = await started(database)
    store.script = [ZeroDivisionError()]
    await edge.process(delivery)
    away, delivery = await started(database)
    await store.put(photo_key(away.photo_id), b"12345", "image/jpeg")
    store.script = [Unavailable("object_store_unavailable", "It is away.", retry_after=0.0)]
    await edge.process(delivery)

    assert [event.data.code for event in await emitted(database) if isinstance(event.data, JobFailed)] == [
        "photo_not_found",
        "internal_error",
    ]
    assert (await job(database, missing.id)).status is JobStatus.FAILED
    assert (await job(database, bug.id)).status is JobStatus.FAILED
    assert (await job(database, away.id)).status is JobStatus.COMPLETED
    assert len(database.state.dead_letters) == 1
