"""One sweep: photos whose time is over go, their objects first and then their rows.

So whatever stops it, what lies in the store belongs to a row, and the next sweep finds it by that row again; deleting
an object that is gone is no error. Two at once only do the same twice. What a legal hold keeps is passed by, and no
hold is written in the midst of a batch.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import prometheus_client

from mien_core.model.expiry import ExpiredPhoto
from mien_core.ports.database import Database, Transaction
from mien_core.ports.objects import ObjectStore
from mien_core.rules.expiry import objects_of
from mien_streams.guarded import deleted

logger = logging.getLogger(__name__)

DELETED = prometheus_client.Counter("mien_retention_deleted_total", "Photos whose time was over.", ["purpose"])

# Photos of which the rows go in one transaction: few enough that nobody waits for its locks.
BATCH: Final = 50


async def sweep(database: Database, object_store: ObjectStore, may_go_on: Callable[[], Awaitable[bool]]) -> int:
    """Delete all photos whose time is over, batch by batch; give how many went.

    Args:
        database: where their rows are.
        object_store: where they lie.
        may_go_on: asked before each batch; False ends the sweep early.

    Raises:
        Unavailable: a part is away; what went until then is gone.
    """
    gone = 0
    while await may_go_on():
        async with database.transaction() as transaction:
            await transaction.holds.guard()
            due = await transaction.expiry.due(BATCH)
            if not due:
                break
            await _delete_objects(transaction, object_store, due)
            removed = set(await transaction.expiry.remove([photo.upload_id for photo in due]))
        _note([photo for photo in due if photo.upload_id in removed])
        gone += len(removed)
    return gone


async def _delete_objects(transaction: Transaction, object_store: ObjectStore, photos: Sequence[ExpiredPhoto]) -> None:
    keys = [key for photo in photos for key in objects_of(photo)]
    await deleted(transaction, object_store.delete, keys)
    logger.info("Objects of %d photos whose time is over were deleted", len(photos), extra={"keys": keys})


def _note(photos: Sequence[ExpiredPhoto]) -> None:
    if not photos:
        return
    for photo in photos:
        DELETED.labels(photo.purpose).inc()
    fields = {
        "uploads": [photo.upload_id for photo in photos],
        "sessions": [job_id for photo in photos for job_id in photo.job_ids],
    }
    logger.info("%d photos whose time is over went, with all their rows", len(photos), extra=fields)
