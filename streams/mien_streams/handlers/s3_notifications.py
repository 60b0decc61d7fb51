"""On S3's ObjectCreated: begin the work on an upload without waiting for a call."""

import logging
import uuid
from typing import Annotated
from urllib.parse import unquote_plus

from opentelemetry.trace import SpanKind
from pydantic import BaseModel, Field, ValidationError

from mien_core import telemetry
from mien_core.errors import Missing, Rejected, Unavailable
from mien_core.faults import Point, reached
from mien_core.intake import start_analysis
from mien_core.model.keys import upload_id_of_original
from mien_core.ports.database import Database
from mien_streams.addressing import attempt
from mien_streams.delivery import Delivery, Handler

logger = logging.getLogger(__name__)

NAME = "s3-notifications"
TOPIC = "mien.s3-notifications"

# A notification may overtake the row of its upload, since the one comes through Kafka and the other through a
# transaction. After the attempts of the first minute there is no row to come: the object is an orphan, and no dead
# letter, since nobody could do anything about it.
ROW_ATTEMPTS = 2


class _Object(BaseModel):
    key: str


class _S3(BaseModel):
    object: _Object


class _Record(BaseModel):
    event_name: Annotated[str, Field(alias="eventName")]
    s3: _S3


class _Notification(BaseModel):
    """S3's notification, as far as it matters here; its test message has no records."""

    records: Annotated[list[_Record], Field(alias="Records")] = []


class S3Notifications(Handler):
    """Notifications may come twice, late or never: a job exists once for an upload, whoever began."""

    name = NAME
    topic = TOPIC

    def __init__(self, database: Database) -> None:
        self._database = database

    async def handle(self, delivery: Delivery) -> None:
        """See Handler."""
        unknown = [upload_id for upload_id in _created_uploads(delivery.value) if not await self._noticed(upload_id)]
        if not unknown:
            return
        if attempt(delivery.headers) > ROW_ATTEMPTS:
            logger.warning("Objects came for uploads that nobody announced; they are left: %s", ", ".join(unknown))
            return
        raise Unavailable(
            "upload_not_announced", f"There is no row (yet) for the uploads {', '.join(unknown)}.", retry_after=0.0
        )

    async def _noticed(self, upload_id: str) -> bool:
        with (
            telemetry.log_context(upload_id=upload_id),
            telemetry.start_span(f"process {TOPIC}", kind=SpanKind.CONSUMER),
        ):
            return await self._begin(upload_id)

    async def _begin(self, upload_id: str) -> bool:
        """Begin the work of the upload's purpose; False if there is no such upload (yet), or no more."""
        try:
            async with self._database.transaction() as transaction:
                upload = await transaction.uploads.get(upload_id)
                if upload is None:
                    return False
                if upload.purpose == "glam":
                    await start_analysis(transaction, upload, telemetry.current_traceparent())
        except Missing:
            # erased since it was read
            return False
        reached(Point.UPLOAD_NOTICED)
        return True


def _created_uploads(value: bytes) -> list[str]:
    """Name the uploads whose originals a notification says were created.

    Raises:
        Rejected: malformed_notification.
    """
    try:
        notification = _Notification.model_validate_json(value)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        raise Rejected(
            "malformed_notification", f"The message is no S3 notification: {problem['loc']}: {problem['msg']}."
        ) from None
    found = []
    for record in notification.records:
        # AWS says ObjectCreated:Put, other stores s3:ObjectCreated:Put
        if not record.event_name.removeprefix("s3:").startswith("ObjectCreated:"):
            continue
        upload_id = upload_id_of_original(unquote_plus(record.s3.object.key))
        if upload_id is not None and _is_uuid(upload_id):
            found.append(upload_id)
    return found


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
