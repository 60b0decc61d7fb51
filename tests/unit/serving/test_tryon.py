"""One try-on's way through serving, on the real face engine and an object store in memory."""

import asyncio
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.errors import Missing, Rejected, Unavailable
from mien_core.model.keys import photo_key, tryon_key
from mien_core.model.looks import Preset
from mien_core.model.tryon import TryOnRequest
from mien_core.photo import KEPT_CONTENT_TYPE, open_photo
from mien_core.rules.tryon import LOOKS
from mien_serving.analysis import Pixels
from mien_serving.face.engine import FaceEngine, FaceResult
from mien_serving.face.model_files import installed_model_files
from mien_serving.makeup.engine import make_up
from mien_serving.tryon import LONGEST_SIDE, TryOn, fitted, webp_of
from tests import faces

FOUNDATION = Preset(category="foundation", color="#C09080", finish="matte", intensity=1.0)


@pytest.fixture(scope="module")
def engine() -> FaceEngine:
    return FaceEngine(installed_model_files())


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def store() -> MemoryObjectStore:
    return MemoryObjectStore()


@pytest.fixture
def try_on(engine: FaceEngine, threads: ThreadPoolExecutor, store: MemoryObjectStore) -> TryOn:
    async def infer(pixels: Pixels) -> FaceResult:
        return (await asyncio.get_running_loop().run_in_executor(threads, engine.analyse, [pixels]))[0]

    return TryOn("face@sha256:000000000000", store, infer=infer, make_up=make_up, threads=threads)


def request(upload_id: str | None = None, presets: tuple[Preset, ...] | None = None) -> TryOnRequest:
    upload_id = upload_id or str(uuid4())
    return TryOnRequest(
        upload_id=upload_id,
        photo_key=photo_key(upload_id),
        subject="public/visitor",
        job_id=str(uuid4()),
        presets=presets or LOOKS["classic-red"],
    )


async def kept(store: MemoryObjectStore, picture: Pixels) -> tuple[str, Pixels]:
    """A photo as the door keeps it; its upload's id and its pixels."""
    upload_id, photo = str(uuid4()), open_photo(faces.jpeg_bytes(picture))
    await store.put(photo_key(upload_id), photo.encoded, KEPT_CONTENT_TYPE)
    return upload_id, photo.pixels


async def test_the_look_is_on_the_picture(store: MemoryObjectStore, try_on: TryOn) -> None:
    """A WebP of the photo's size lies where the job's picture belongs: the photo, with other lips."""
    upload_id, pixels = await kept(store, faces.astronaut())
    asked = request(upload_id)
    answer = await try_on.answer(asked)
    assert (answer.output_key, answer.model_revision) == (tryon_key(asked.job_id), "face@sha256:000000000000")
    assert set(answer.timings) == {"fetch", "decode", "face", "paint", "store", "total"}
    assert store.keys() == {photo_key(upload_id), tryon_key(asked.job_id)}
    facts = await store.head(answer.output_key)
    assert facts is not None
    assert facts.content_type == "image/webp"
    with Image.open(io.BytesIO(await store.get(answer.output_key))) as image:
        assert image.format == "WEBP"
        assert not image.getexif()
        shown = np.asarray(image.convert("RGB"), dtype=np.int16)
    assert shown.shape == pixels.shape
    difference = np.abs(shown - pixels).mean(axis=-1)
    # the format loses a little everywhere, the look changes one place much
    assert np.median(difference) < 4
    assert difference.max() > 40


async def test_a_repeat_leaves_the_same_picture(store: MemoryObjectStore, try_on: TryOn) -> None:
    """Byte for byte, so that an attempt that was cut off and its successor don't differ."""
    upload_id, _ = await kept(store, faces.astronaut())
    asked = request(upload_id)
    await try_on.answer(asked)
    first = await store.get(tryon_key(asked.job_id))
    await try_on.answer(asked)
    assert await store.get(tryon_key(asked.job_id)) == first


@pytest.mark.parametrize(
    ("picture", "presets", "code"),
    [(faces.no_face(), None, "no_face"), (faces.astronaut(), (FOUNDATION,), "look_not_supported")],
    ids=["no-face", "look"],
)
async def test_what_can_not_be_made_up_leaves_no_picture(
    store: MemoryObjectStore, try_on: TryOn, picture: Pixels, presets: tuple[Preset, ...] | None, code: str
) -> None:
    """It is refused with its code, and nothing was written."""
    upload_id, _ = await kept(store, picture)
    with pytest.raises(Rejected, match=code):
        await try_on.answer(request(upload_id, presets))
    assert store.keys() == {photo_key(upload_id)}


async def test_a_photo_that_is_gone_is_missing(try_on: TryOn) -> None:
    """A swept photo is no fault of anybody's."""
    with pytest.raises(Missing, match="photo_not_found"):
        await try_on.answer(request())


async def test_a_store_that_is_away_is_unavailable(store: MemoryObjectStore, try_on: TryOn) -> None:
    """The caller hears that it may try again."""
    upload_id, _ = await kept(store, faces.astronaut())
    store.go_away()
    with pytest.raises(Unavailable, match="object_store_unavailable"):
        await try_on.answer(request(upload_id))


async def test_another_uploads_photo_is_refused(try_on: TryOn) -> None:
    """The key must be the one of the upload that is named."""
    mixed = request().model_copy(update={"photo_key": photo_key(str(uuid4()))})
    with pytest.raises(Rejected, match="mismatched_photo_key"):
        await try_on.answer(mixed)


def test_a_large_photo_becomes_a_picture_for_a_screen() -> None:
    """Its longer side has 2048 pixels then; a smaller photo stays as it is. So the format can hold every photo."""
    assert fitted(faces.blank(4096, 1024)).shape == (LONGEST_SIDE // 4, LONGEST_SIDE, 3)
    thin = fitted(np.zeros((32, 16_384, 3), dtype=np.uint8))
    assert thin.shape == (4, LONGEST_SIDE, 3)
    assert webp_of(thin)[8:12] == b"WEBP"
    small = faces.blank(64, 48)
    assert fitted(small) is small
