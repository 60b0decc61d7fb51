"""mien's worker in this benchmark: two agents as docs/agents.md has one written, in the process that streams runs.

Usage: python -m bench.pipeline.mien_worker handler|job

`handler` does what the peers do: inbox, row, outbox. `job` is a job agent: its shell also looks at the job, its
deadline and its photo, locks the job, moves it through its states with a line of history each, and signals its end.
"""

import asyncio
import signal
import sys

from bench.pipeline.jobs import HANDLER, TOPIC
from mien_core import telemetry
from mien_core.events import UploadReceived, face_analysed, from_record, to_record
from mien_core.ports.database import Database, Transaction
from mien_core.settings import load
from mien_streams import app, wiring
from mien_streams.delivery import Delivery, Handler
from mien_streams.job_agent import Assignment, JobAgent
from mien_streams.job_handler import JobHandler
from mien_streams.quiet import calm_libraries
from mien_streams.wiring import Parts, StreamsSettings

ACTION = "bench.done"
REVISION = "bench"


class Note(Handler):
    """Note that an event came: what the peers do, by mien's ports."""

    name = HANDLER
    topic = TOPIC

    def __init__(self, database: Database) -> None:
        self._database = database

    async def handle(self, delivery: Delivery) -> None:
        """See Handler."""
        event = from_record(delivery.headers, delivery.value)
        async with self._database.transaction() as transaction:
            if await transaction.inbox.add(self.name, str(event.id)):
                await transaction.audit_log.add(self.name, ACTION, str(event.id))
                await transaction.outbox.add(to_record(face_analysed(event, REVISION)))


class NoteJob(JobAgent[None]):
    """The same as a job's work."""

    name = HANDLER
    takes = UploadReceived

    async def work(self, assignment: Assignment) -> None:
        """See JobAgent: there is nothing that would take time."""

    async def save(self, transaction: Transaction, assignment: Assignment, result: None) -> None:  # noqa: ARG002 - the port's
        """See JobAgent."""
        await transaction.audit_log.add(self.name, ACTION, str(assignment.event.id))
        await transaction.outbox.add(to_record(face_analysed(assignment.event, REVISION)))


async def _handler(parts: Parts) -> Handler:
    return Note(parts.database)


async def _job(parts: Parts) -> Handler:
    return JobHandler(parts.database, NoteJob())


MAKES = {"handler": _handler, "job": _job}


async def _run(which: str, settings: StreamsSettings) -> None:
    wiring.AGENTS = {HANDLER: MAKES[which]}
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with wiring.built([HANDLER], settings) as roles:
        await app.run(roles, stopping, lambda: None)


if __name__ == "__main__":
    _settings = load(StreamsSettings)
    telemetry.configure(_settings.telemetry, service="streams")
    calm_libraries()
    asyncio.run(_run(sys.argv[1], _settings))
