"""`python -m mien_serving assets`: puts the overlays for AR into the bucket."""

from mien_core.errors import Missing
from mien_core.model.keys import asset_key
from mien_core.model.overlays import OVERLAYS
from mien_core.ports.objects import ObjectStore
from mien_serving.makeup.overlays import png

CONTENT_TYPE = "image/png"


async def publish(store: ObjectStore) -> list[str]:
    """Have every overlay's picture in the bucket; the ids of those that were not there, or were others.

    Raises:
        Unavailable: object_store_unavailable.
    """
    written = []
    for overlay in OVERLAYS:
        key, picture = asset_key(overlay.asset_id), png(overlay)
        if await _stored(store, key) != picture:
            await store.put(key, picture, CONTENT_TYPE)
            written.append(overlay.asset_id)
    return written


async def _stored(store: ObjectStore, key: str) -> bytes | None:
    try:
        return await store.get(key)
    except Missing:
        return None
