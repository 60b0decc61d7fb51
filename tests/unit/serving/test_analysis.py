"""One photo's way through serving, on the real face engine and an object store in memory."""

import asyncio
import io
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from PIL import Image

from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.errors import Missing, Rejected, Unavailable
from mien_core.model.face import FaceReport
from mien_core.model.keys import annotated_key, mask_key, original_key, photo_key
from mien_core.model.serving import FaceAnswer, FaceRequest
from mien_core.model.skin import SkinMeasure, SkinReport
from mien_core.photo import open_kept_photo
from mien_serving.analysis import FaceAnalysis, Pixels
from mien_serving.face.annotate import annotate
from mien_serving.face.engine import FaceEngine, FaceResult
from mien_serving.face.model_files import installed_model_files
from mien_serving.skin.engine import SkinEngine
from tests.faces import astronaut, astronaut_1080p, jpeg_bytes, no_face, png_bytes

# what is waited for comes within a second; longer than this and it won't
SECONDS = 60.0


@pytest.fixture(scope="module")
def engine() -> FaceEngine:
    return FaceEngine(installed_model_files())


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


class Make:
    """Makes the analysis on a store."""

    def __init__(self, engine: FaceEngine, threads: ThreadPoolExecutor) -> None:
        self._engine = engine
        self._threads = threads

    def __call__(
        self,
        store: MemoryObjectStore,
        measure_skin: Callable[[Pixels, FaceReport, Callable[[SkinMeasure], None]], SkinReport] | None = None,
    ) -> FaceAnalysis:
        """The analysis, with another skin engine if one is given."""
        return FaceAnalysis(
            "face@sha256:000000000000",
            store,
            infer=self._infer,
            measure_skin=measure_skin or SkinEngine().analyse,
            annotate=annotate,
            threads=self._threads,
        )

    async def _infer(self, pixels: Pixels) -> FaceResult:
        return (await asyncio.get_running_loop().run_in_executor(self._threads, self._engine.analyse, [pixels]))[0]


@pytest.fixture
def analysis_on(engine: FaceEngine, threads: ThreadPoolExecutor) -> Make:
    return Make(engine, threads)


def until(holds: Callable[[], bool]) -> bool:
    """Wait in a thread for a condition; False if it didn't come."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def kept(answer: FaceAnswer) -> set[str]:
    """What lies in the store after an analysis."""
    upload_id = answer.annotated_key.split("/")[1]
    return {photo_key(upload_id), annotated_key(upload_id), *answer.mask_keys.values()}


def request_for(upload_id: str) -> FaceRequest:
    return FaceRequest(upload_id=upload_id, photo_key=photo_key(upload_id), subject=upload_id)


async def uploaded(store: MemoryObjectStore, data: bytes) -> FaceRequest:
    upload_id = str(uuid4())
    await store.put(original_key(upload_id), data, "image/jpeg")
    return request_for(upload_id)


async def test_a_face_is_reported_and_drawn(analysis_on: Make) -> None:
    """The answer has the report, the revision, the photo's facts and the time of each step; the picture is a PNG."""
    store = MemoryObjectStore()
    request = await uploaded(store, jpeg_bytes(astronaut()))
    answer = await analysis_on(store).answer(request)
    assert answer.report.face.face_count == 1
    assert len(answer.report.face.landmarks) == 468
    assert answer.model_revision == "face@sha256:000000000000"
    assert (answer.photo.width, answer.photo.height) == (512, 512)
    assert answer.etag.startswith(answer.model_revision)
    steps = {"fetch", "decode", "store_photo", "batch", "detect", "mesh", "measures", "depict", "store_pictures"}
    beside = {"annotate", "skin"}  # and masks, where there is anything to point at
    assert set(answer.timings) == steps | beside | {"total"}
    assert all(value >= 0 for value in answer.timings.values())
    picture = Image.open(io.BytesIO(await store.get(answer.annotated_key)))
    assert picture.format == "PNG"


async def test_the_skin_is_measured_and_shown(analysis_on: Make) -> None:
    """The answer has what the skin engine says of this photo and face, and a mask of all that it points at."""
    store = MemoryObjectStore()
    answer = await analysis_on(store).answer(await uploaded(store, jpeg_bytes(astronaut_1080p())))
    assert answer.skin.probabilities
    assert answer.mask_keys
    assert set(answer.mask_keys) == {measure.name for measure in answer.skin.measures if measure.evidence}
    for key in answer.mask_keys.values():
        mask = Image.open(io.BytesIO(await store.get(key)))
        assert (mask.format, mask.mode, mask.size) == ("PNG", "1", (1920, 1080))


async def test_drawing_and_measuring_skin_overlap(analysis_on: Make) -> None:
    """Steps that run beside each other have a step of their own for the wall time, so that sums stay honest."""
    store = MemoryObjectStore()
    answer = await analysis_on(store).answer(await uploaded(store, jpeg_bytes(astronaut_1080p())))
    timings = answer.timings
    longest = max(timings["annotate"], timings["skin"])
    assert timings["depict"] >= longest - 0.1
    in_turn = ("fetch", "decode", "batch", "detect", "mesh", "measures", "depict", "store_pictures")
    assert sum(timings[step] for step in in_turn) <= timings["total"] + 0.1


async def test_a_bug_in_the_skin_engine_is_not_swallowed(analysis_on: Make) -> None:
    """No answer without its skin part: the bug comes out as what it is, and nothing goes on after it."""

    def broken(*_: object) -> SkinReport:
        raise ZeroDivisionError

    store = MemoryObjectStore()
    request = await uploaded(store, jpeg_bytes(astronaut()))
    with pytest.raises(ZeroDivisionError):
        await analysis_on(store, broken).answer(request)
    assert store.keys() == {photo_key(request.upload_id), annotated_key(request.upload_id)}


async def test_a_mask_is_stored_while_other_measures_are_taken(analysis_on: Make) -> None:
    """A mask lies in the store before the skin engine is done: with all at the end, a caller would wait for each."""
    store = MemoryObjectStore()
    request = await uploaded(store, jpeg_bytes(astronaut_1080p()))
    seen: list[str] = []

    def waiting(pixels: Pixels, report: FaceReport, taken: Callable[[SkinMeasure], None]) -> SkinReport:
        def watched(measure: SkinMeasure) -> None:
            taken(measure)
            key = mask_key(request.upload_id, measure.name)
            if measure.evidence and not seen and until(lambda: {key} <= store.keys()):
                seen.append(key)

        return SkinEngine().analyse(pixels, report, watched)

    answer = await analysis_on(store, waiting).answer(request)
    assert len(seen) == 1
    assert store.keys() == kept(answer)


async def test_nothing_is_written_after_a_request_was_cancelled(analysis_on: Make) -> None:
    """Who cancels a request may delete what belongs to the upload as soon as the request has ended."""
    store = MemoryObjectStore()
    request = await uploaded(store, jpeg_bytes(astronaut_1080p()))
    measuring, go_on = threading.Event(), threading.Event()

    def held(pixels: Pixels, report: FaceReport, taken: Callable[[SkinMeasure], None]) -> SkinReport:
        measuring.set()
        assert go_on.wait(SECONDS)
        return SkinEngine().analyse(pixels, report, taken)

    answering = asyncio.create_task(analysis_on(store, held).answer(request))
    assert await asyncio.to_thread(measuring.wait, SECONDS)
    answering.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await answering
    written = store.keys()
    assert len(written) > 2, "the masks were on their way, so they were waited for"
    await asyncio.sleep(0)
    assert store.keys() == written
    at_work = [str(task.get_coro()) for task in asyncio.all_tasks()]
    assert not [one for one in at_work if "FaceAnalysis" in one or "ObjectStore" in one]


class CountedStore(MemoryObjectStore):
    """Counts what is written and deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[str] = []

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        self.changes.append(key)
        await super().put(key, data, content_type)

    async def delete(self, key: str) -> None:
        self.changes.append(key)
        await super().delete(key)


@pytest.mark.parametrize("has_original", [True, False])
async def test_a_mirrored_request_changes_nothing(analysis_on: Make, *, has_original: bool) -> None:
    """A copy of a request has the same report as its counterpart, and leaves the user's photo and pictures alone."""
    store = CountedStore()
    request = await uploaded(store, jpeg_bytes(astronaut_1080p()))
    mirrored = request.model_copy(update={"mirrored": True})
    analysis = analysis_on(store)
    if has_original:
        copy = await analysis.answer(mirrored)
        assert store.changes == [original_key(request.upload_id)]
        answer = await analysis.answer(request)
    else:
        answer = await analysis.answer(request)
        before = list(store.changes)
        copy = await analysis.answer(mirrored)
        assert store.changes == before
    assert (copy.report, copy.skin, copy.mask_keys) == (answer.report, answer.skin, answer.mask_keys)
    assert "depict" in copy.timings


async def test_the_original_gives_way_to_the_photo(analysis_on: Make) -> None:
    """Afterwards the normalised photo is there and the original, with all that a camera wrote into it, is gone."""
    store = MemoryObjectStore()
    request = await uploaded(store, jpeg_bytes(astronaut()))
    answer = await analysis_on(store).answer(request)
    assert store.keys() == kept(answer)
    photo = open_kept_photo(await store.get(photo_key(request.upload_id)))
    assert photo.digest == answer.photo.pixel_digest


async def test_a_repeat_gives_the_same_report(analysis_on: Make) -> None:
    """The second call reads the kept photo, and says exactly what the first one said."""
    store = MemoryObjectStore()
    request = await uploaded(store, png_bytes(astronaut()))
    first = await analysis_on(store).answer(request)
    second = await analysis_on(store).answer(request)
    assert (second.report, second.skin) == (first.report, first.skin)
    assert second.photo == first.photo


class Stopped(Exception):
    """The process ends here."""


class StoppingStore(MemoryObjectStore):
    """A store whose process is killed right before or right after its n-th change."""

    def __init__(self) -> None:
        super().__init__()
        self.until_stop: int | None = None

    def _moment(self) -> None:
        if self.until_stop is not None:
            if self.until_stop == 0:
                raise Stopped
            self.until_stop -= 1

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        self._moment()
        await super().put(key, data, content_type)
        self._moment()

    async def delete(self, key: str) -> None:
        self._moment()
        await super().delete(key)
        self._moment()


@pytest.mark.parametrize("moment", range(6))
async def test_being_stopped_anywhere_is_harmless(analysis_on: Make, moment: int) -> None:
    """Killed before or after any change, a repeat gives the report of a run that wasn't, and cleans up."""
    undisturbed = MemoryObjectStore()
    expected = await analysis_on(undisturbed).answer(await uploaded(undisturbed, jpeg_bytes(astronaut())))
    store = StoppingStore()
    request = await uploaded(store, jpeg_bytes(astronaut()))
    store.until_stop = moment
    with pytest.raises(Stopped):
        await analysis_on(store).answer(request)
    store.until_stop = None
    answer = await analysis_on(store).answer(request)
    assert answer.report == expected.report
    assert (answer.skin, answer.photo) == (expected.skin, expected.photo)
    assert store.keys() == kept(answer)


async def test_many_requests_for_one_upload_agree(analysis_on: Make) -> None:
    """Requests for the same upload at the same time all find the photo, and all say the same."""
    store = MemoryObjectStore()
    request = await uploaded(store, jpeg_bytes(astronaut()))
    analysis = analysis_on(store)
    answers = await asyncio.gather(*(analysis.answer(request) for _ in range(6)))
    assert len({answer.report.model_dump_json() for answer in answers}) == 1
    assert len({answer.skin.model_dump_json() for answer in answers}) == 1
    assert store.keys() == kept(answers[0])


class VanishingStore(MemoryObjectStore):
    """The original vanishes, and the photo appears, right between the first look at the one and at the other."""

    def __init__(self, photo: bytes) -> None:
        super().__init__()
        self._photo = photo

    async def get(self, key: str) -> bytes:
        try:
            return await super().get(key)
        finally:
            if key.endswith("/photo") and self._photo:
                await self.put(key, self._photo, "image/jpeg")
                await self.delete(key.replace("/photo", "/original"))
                self._photo = b""


async def test_a_photo_that_was_just_made_by_another_is_found(analysis_on: Make) -> None:
    """Seeing no photo, and then no original because another request was faster, is not a missing photo."""
    other = MemoryObjectStore()
    first = await uploaded(other, jpeg_bytes(astronaut()))
    expected = await analysis_on(other).answer(first)
    store = VanishingStore(await other.get(photo_key(first.upload_id)))
    answer = await analysis_on(store).answer(await uploaded(store, jpeg_bytes(astronaut())))
    assert answer.report == expected.report


async def test_no_face_is_rejected_and_the_photo_kept(analysis_on: Make) -> None:
    """A photo without a face is refused with its code; it is normalised all the same, so that no metadata stays."""
    store = MemoryObjectStore()
    request = await uploaded(store, jpeg_bytes(no_face()))
    with pytest.raises(Rejected, match="no_face"):
        await analysis_on(store).answer(request)
    assert store.keys() == {photo_key(request.upload_id)}


async def test_what_the_door_refuses_is_rejected(analysis_on: Make) -> None:
    """The door's code comes through, the same at each repeat; nothing is kept as a photo."""
    store = MemoryObjectStore()
    request = await uploaded(store, b"this is no image")
    for _ in range(2):
        with pytest.raises(Rejected, match="not_an_image"):
            await analysis_on(store).answer(request)
    assert store.keys() == {original_key(request.upload_id)}


async def test_an_unknown_upload_is_missing(analysis_on: Make) -> None:
    """Neither photo nor original there: Missing."""
    with pytest.raises(Missing, match="photo_not_found"):
        await analysis_on(MemoryObjectStore()).answer(request_for(str(uuid4())))


async def test_a_store_that_is_away_is_unavailable(analysis_on: Make) -> None:
    """The caller hears that it may try again, not that the photo doesn't exist."""
    store = MemoryObjectStore()
    request = await uploaded(store, jpeg_bytes(astronaut()))
    store.go_away()
    with pytest.raises(Unavailable, match="object_store_unavailable"):
        await analysis_on(store).answer(request)


async def test_keys_of_different_uploads_are_refused(analysis_on: Make) -> None:
    """A request can't have one upload's original written over another one's photo."""
    store = MemoryObjectStore()
    request = await uploaded(store, jpeg_bytes(astronaut()))
    mixed = request.model_copy(update={"photo_key": photo_key(str(uuid4()))})
    with pytest.raises(Rejected, match="mismatched_photo_key"):
        await analysis_on(store).answer(mixed)
