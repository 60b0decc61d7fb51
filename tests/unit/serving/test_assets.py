"""The overlays' way into the bucket."""

import io

import pytest
from PIL import Image

from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.errors import Unavailable
from mien_core.model.keys import asset_key
from mien_core.model.overlays import OVERLAYS
from mien_serving.assets import publish

IDS = [overlay.asset_id for overlay in OVERLAYS]


class Counting(MemoryObjectStore):
    """Knows what was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """See MemoryObjectStore."""
        self.written.append(key)
        await super().put(key, data, content_type)


async def test_what_is_there_stays_and_what_is_not_is_written() -> None:
    """All the first time, none the second, then what was lost and what was another picture."""
    store = Counting()
    assert await publish(store) == IDS
    assert store.keys() == {asset_key(asset_id) for asset_id in IDS}
    store.written.clear()
    assert await publish(store) == []
    await store.delete(asset_key(IDS[2]))
    await store.put(asset_key(IDS[5]), b"another", "image/png")
    store.written.clear()
    assert await publish(store) == [IDS[2], IDS[5]]
    assert store.written == [asset_key(IDS[2]), asset_key(IDS[5])]
    for asset_id in IDS:
        facts = await store.head(asset_key(asset_id))
        assert facts is not None
        assert facts.content_type == "image/png"
        with Image.open(io.BytesIO(await store.get(asset_key(asset_id)))) as picture:
            assert picture.mode == "RGBA"


async def test_a_store_that_is_away_is_said_to_be() -> None:
    """Whoever starts it is told, and may try again."""
    store = MemoryObjectStore()
    store.go_away()
    with pytest.raises(Unavailable):
        await publish(store)
