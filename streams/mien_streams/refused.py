"""What becomes of a record that Kafka refuses for good: a dead letter, and the end of the job that asked for it."""

from mien_core.errors import Rejected
from mien_core.events import from_record
from mien_core.model.platform import JobError
from mien_core.ports.database import Transaction
from mien_core.ports.messages import OutboxRow, Record
from mien_streams.addressing import redrives
from mien_streams.edge import INTERNAL_ERROR
from mien_streams.job_handler import end_failed
from mien_streams.letters import dead_letter

# such a record lies nowhere but in the outbox, whose ids take the offset's place
NO_PARTITION = -1


async def bury(transaction: Transaction, handler: str, row: OutboxRow, error: Rejected) -> None:
    """Make a row of the outbox a dead letter of the handler; a job that waits for the record fails."""
    job_id = await _failed_job(transaction, row.record)
    why = JobError(error.code, error.detail)
    await transaction.dead_letters.add(dead_letter(handler, row.record, NO_PARTITION, row.id, why, job_id))
    await transaction.outbox.remove([row.id])


async def _failed_job(transaction: Transaction, record: Record) -> str | None:
    """Fail the job whose work the record asks for; its id, or None where the record only tells of a job's end."""
    try:
        event = from_record(record.headers, record.value)
    except Rejected:
        return None
    job = await transaction.jobs.lock(str(event.data.job_id))
    if job is None or job.status.ended or redrives(record.headers) < job.redrives:
        return None
    await end_failed(transaction, job, event, INTERNAL_ERROR, {})
    return job.id
