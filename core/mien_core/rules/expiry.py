"""When photos go by themselves, and what goes with them."""

from datetime import datetime, timedelta
from typing import Final

from mien_core.model.expiry import ExpiredPhoto
from mien_core.model.keys import original_key, photo_key, tryon_key
from mien_core.model.platform import Upload, UploadState

# Nobody sees what has expired, and no work on it begins. Who began just before may still be writing a picture: what
# were deleted before that would be written again and belong to nobody.
SETTLED: Final = timedelta(minutes=5)
# An announced photo may be sent until its announcement ends, and be asked for a while after that.
UNFINISHED: Final = timedelta(hours=24)


def is_due(upload: Upload, now: datetime) -> bool:
    """Tell whether a photo goes: a try-on's when it expired, and any other that nobody began to work on in a day.

    Args:
        upload: whose time is looked at.
        now: by the clock that wrote the row.
    """
    if upload.purpose == "tryon":
        return now >= upload.expires_at + SETTLED
    return upload.state is UploadState.EXPECTED and now >= upload.expires_at + UNFINISHED


def objects_of(photo: ExpiredPhoto) -> list[str]:
    """Give the keys of all objects that a photo may have, whether they were written or not."""
    return [
        original_key(photo.upload_id),
        photo_key(photo.upload_id),
        *(tryon_key(job_id) for job_id in photo.job_ids if photo.purpose == "tryon"),
    ]
