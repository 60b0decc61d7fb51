"""A poster's way through serving: its photo, the picture, and where that is put."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.errors import Missing, Rejected
from mien_core.model.keys import original_key, photo_key, poster_key
from mien_core.model.serving import PosterRequest
from mien_serving.composing import PosterComposing
from mien_serving.poster.compose import ENGINE


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def request(**fields: Any) -> PosterRequest:
    job_id = str(uuid4())
    defaults: dict[str, Any] = {
        "job_id": job_id,
        "poster_key": poster_key(job_id),
        "upload_id": None,
        "title": "The Sea",
        "prompt": "A door.",
        "genre": "drama",
        "style": "classic",
        "aspect": "1:1",
    }
    return PosterRequest(**{**defaults, **fields})


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((320, 240, 3), (200, 40, 40), np.uint8)).save(file, "JPEG")
    return file.getvalue()


async def test_a_poster_is_put_where_it_was_asked_for(threads: ThreadPoolExecutor) -> None:
    """A PNG of the announced size; asked again it is the same, byte for byte."""
    store, asked = MemoryObjectStore(), request()
    composing = PosterComposing(store, threads)
    answer = await composing.answer(asked)
    data = await store.get(asked.poster_key)
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.size) == ("PNG", (answer.width, answer.height))
    assert (answer.poster_key, answer.engine) == (asked.poster_key, ENGINE)
    assert set(answer.timings) == {"compose", "encode", "store_poster", "total"}
    facts = await store.head(asked.poster_key)
    assert facts is not None
    assert facts.content_type == "image/png"
    await composing.answer(asked)
    assert await store.get(asked.poster_key) == data


async def test_a_photo_comes_through_the_door(threads: ThreadPoolExecutor) -> None:
    """The original becomes the photo and goes; the second poster is made of the photo, and is the same."""
    store, upload_id = MemoryObjectStore(), str(uuid4())
    composing = PosterComposing(store, threads)
    await store.put(original_key(upload_id), jpeg(), "image/jpeg")
    plain, first, second = request(), request(upload_id=upload_id), request(upload_id=upload_id)
    for asked in (first, second):
        await composing.answer(asked)
        assert await store.head(original_key(upload_id)) is None
        assert await store.head(photo_key(upload_id)) is not None
    await composing.answer(plain)
    made = [await store.get(asked.poster_key) for asked in (first, second, plain)]
    assert made[0] == made[1] != made[2]


async def test_what_can_not_be_made_says_why(threads: ThreadPoolExecutor) -> None:
    """A key of another job, a photo that isn't there, a photo that is none: nothing is put."""
    store, upload_id = MemoryObjectStore(), str(uuid4())
    composing = PosterComposing(store, threads)
    await store.put(original_key(upload_id), b"no image", "image/jpeg")
    with pytest.raises(Rejected, match="mismatched_poster_key"):
        await composing.answer(request(poster_key=poster_key(str(uuid4()))))
    with pytest.raises(Missing, match="photo_not_found"):
        await composing.answer(request(upload_id=str(uuid4())))
    with pytest.raises(Rejected, match="not_an_image"):
        await composing.answer(request(upload_id=upload_id))
    assert store.keys() == {original_key(upload_id)}
