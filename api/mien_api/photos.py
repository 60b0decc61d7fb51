"""A photo that comes with its request: through the door, into its row, into the store."""

from mien_api.door import PhotoDoor
from mien_api.handlers import Handlers
from mien_api.ids import new_id
from mien_core.model.keys import photo_key
from mien_core.model.platform import Caller, NewUpload, Purpose, Upload
from mien_core.photo import KEPT_CONTENT_TYPE


async def take_in(
    platform: Handlers,
    door: PhotoDoor,
    caller: Caller,
    image: bytes,
    *,
    purpose: Purpose,
    user_id: str | None,
    consent: bool | None,
) -> Upload:
    """Take a photo in; the work on it is still to be begun.

    The row is written before the object, as for announced uploads: wherever this stops, whatever lies in the store
    belongs to a row, and what belongs to a row that nothing came of goes when the row expires.

    Args:
        platform: where rows and objects go.
        door: what opens photos.
        caller: who sends it.
        image: what was sent.
        purpose: what for.
        user_id: whose it is; that the caller may act for them was checked.
        consent: what was said of it.

    Raises:
        Rejected: consent_required, and all codes of mien_core.photo.open_photo.
    """
    recorded = platform.consent(purpose, given=consent)
    photo = await door.open(image)
    announced = NewUpload(
        id=new_id(),
        tenant=caller.tenant,
        user_id=user_id,
        purpose=purpose,
        content_type=KEPT_CONTENT_TYPE,
        content_length=len(photo.encoded),
        consent=recorded,
        expires_in_seconds=platform.upload_expires,
        pixel_digest=photo.digest,
    )
    async with platform.database.transaction() as transaction:
        upload = await transaction.uploads.add(announced)
    await platform.object_store.put(photo_key(upload.id), photo.encoded, KEPT_CONTENT_TYPE)
    return upload
