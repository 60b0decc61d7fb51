"""The benchmark's jobs, as all who take part know them."""

from uuid import uuid4

from mien_core.events import UploadReceived, upload_received
from mien_core.intake import DEADLINE_SECONDS, PHOTO_SECONDS
from mien_core.model.platform import JobKind, NewJob, NewUpload
from mien_core.ports.database import Transaction
from mien_core.ports.messages import Record

# the agent's name, and the first column of its inbox's rows; the peers' is the same
HANDLER = "bench"
TOPIC = UploadReceived.topic
TENANT = "bench"


def announced() -> NewUpload:
    """A new upload of which there is no photo: nothing looks at it."""
    return NewUpload(
        id=str(uuid4()),
        tenant=TENANT,
        user_id=None,
        purpose="glam",
        content_type="image/jpeg",
        content_length=1,
        consent="given",
        expires_in_seconds=PHOTO_SECONDS,
    )


async def begun(transaction: Transaction) -> tuple[str, str]:
    """Make an upload and its job, but no event; the ids of both."""
    upload = await transaction.uploads.add(announced())
    job = NewJob(str(uuid4()), TENANT, None, JobKind.ANALYSE_FACE, upload.id, DEADLINE_SECONDS)
    await transaction.jobs.create(job)
    return upload.id, job.id


def event_id(upload_id: str, job_id: str) -> str:
    """The id of the event that asks for a job."""
    return str(upload_received(upload_id, job_id).id)


def on_topic(record: Record, topic: str) -> Record:
    """The same record for another topic."""
    return Record(topic, record.key, record.value, record.headers)


def ids() -> tuple[str, str]:
    """An upload's and a job's id that no table knows."""
    return str(uuid4()), str(uuid4())
