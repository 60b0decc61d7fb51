"""A photo on its way in: the original as it was sent, or the photo that was made of it."""

from dataclasses import dataclass

from mien_core.errors import Missing
from mien_core.model.keys import original_key, photo_key
from mien_core.photo import KEPT_CONTENT_TYPE, Photo, open_kept_photo, open_photo
from mien_core.ports.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Fetched:
    """The bytes of a photo: one of the two is None."""

    upload_id: str
    kept: bytes | None
    original: bytes | None

    def open(self) -> Photo:
        """Decode it, as the door for pixels does. It takes time: not for an event loop.

        Raises:
            Rejected: all codes of mien_core.photo.open_photo.
        """
        if self.kept is not None:
            return open_kept_photo(self.kept)
        return open_photo(self.original or b"")


async def fetch(store: ObjectStore, upload_id: str) -> Fetched:
    """Read the original, or else the photo that was made of it.

    The photo is written before the original is deleted, so whoever looks in this order finds one of them, whatever
    others do meanwhile.

    Raises:
        Missing: photo_not_found.
        Unavailable: object_store_unavailable.
    """
    original = await _get(store, original_key(upload_id))
    if original is not None:
        return Fetched(upload_id, None, original)
    kept = await _get(store, photo_key(upload_id))
    if kept is None:
        raise Missing("photo_not_found", "There is no photo for this upload; it was never sent, or has expired.")
    return Fetched(upload_id, kept, None)


async def keep(store: ObjectStore, fetched: Fetched, photo: Photo) -> None:
    """Write the photo, then delete the original; a second time changes nothing.

    Raises:
        Unavailable: object_store_unavailable.
    """
    if fetched.kept is None:
        await store.put(photo_key(fetched.upload_id), photo.encoded, KEPT_CONTENT_TYPE)
    if fetched.original is not None:
        await store.delete(original_key(fetched.upload_id))


async def _get(store: ObjectStore, key: str) -> bytes | None:
    try:
        return await store.get(key)
    except Missing:
        return None
