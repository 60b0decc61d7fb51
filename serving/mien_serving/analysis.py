"""One photo's way through serving: find it, open it, keep it, look at face and skin, draw what was seen."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from functools import partial
from time import perf_counter
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien_core.errors import Rejected
from mien_core.model.face import FaceReport
from mien_core.model.keys import annotated_key, mask_key, photo_key
from mien_core.model.serving import FaceAnswer, FaceRequest, PhotoFacts
from mien_core.model.skin import MeasureName, SkinMeasure, SkinReport
from mien_core.photo import Photo
from mien_core.ports.objects import ObjectStore
from mien_serving.etags import etag_of
from mien_serving.face.engine import FaceResult
from mien_serving.face.timings import Timings
from mien_serving.photos import Fetched, fetch, keep
from mien_serving.skin.masks import mask

Pixels = NDArray[np.uint8]
Result = TypeVar("Result")

_PICTURE_CONTENT_TYPE: Final = "image/png"


class FaceAnalysis:
    """Answers requests for the analysis of one upload's photo; knows neither Ray nor HTTP.

    It may be stopped between any two lines and asked again: the photo is written before the original is deleted, an
    original that is still there makes the same photo once more, and the same photo gives the same report.

    Args:
        revision: what answers carry as model_revision.
        store: where photos lie.
        infer: the face engine on one photo; whoever gives it may batch.
        measure_skin: the skin engine on a photo and the face that was found in it; tells of each measure it takes.
        annotate: draws a report onto its photo, as a PNG.
        threads: where pictures are decoded, encoded and drawn, and skin is measured; two let the last two overlap.
    """

    def __init__(
        self,
        revision: str,
        store: ObjectStore,
        *,
        infer: Callable[[Pixels], Awaitable[FaceResult]],
        measure_skin: Callable[[Pixels, FaceReport, Callable[[SkinMeasure], None]], SkinReport],
        annotate: Callable[[Pixels, FaceReport], bytes],
        threads: Executor,
    ) -> None:
        self._revision = revision
        self._store = store
        self._infer = infer
        self._measure_skin = measure_skin
        self._annotate = annotate
        self._threads = threads

    async def answer(self, request: FaceRequest) -> FaceAnswer:
        """Analyse the photo and keep what belongs to it: the normalised photo, the annotated picture and the masks.

        Of a mirrored request nothing is kept, though all is drawn: it has to take as long as its counterpart, whose
        pictures are the user's.

        The answer's timings are milliseconds: fetch, decode, batch (waiting for others to be analysed with),
        detect, mesh, measures, depict, store_pictures; total is all of it. depict is the wall time in which
        annotate, skin and masks ran beside each other; store_photo runs beside all of it.

        Raises:
            Rejected: mismatched_photo_key, no_face, and all codes of mien_core.photo.open_photo.
            Missing: photo_not_found.
            Unavailable: object_store_unavailable.
        """
        if request.photo_key != photo_key(request.upload_id):
            raise Rejected("mismatched_photo_key", "The photo's key is not the one of this upload.")
        timings = Timings()
        started = perf_counter()
        with timings.step("fetch"):
            fetched = await fetch(self._store, request.upload_id)
        with timings.step("decode"):
            photo = await self._in_thread(fetched.open)
        store = None if request.mirrored else self._store
        keeping = asyncio.create_task(self._keep(store, fetched, photo, timings))
        try:
            report, spent = await self._look(photo)
            skin, mask_keys = await self._depict(store, photo, report, request.upload_id, timings)
        finally:
            await keeping
        total = (perf_counter() - started) * 1000
        return FaceAnswer(
            model_revision=self._revision,
            etag=etag_of(self._revision),
            report=report,
            skin=skin,
            annotated_key=annotated_key(request.upload_id),
            mask_keys=mask_keys,
            photo=PhotoFacts(width=photo.width, height=photo.height, pixel_digest=photo.digest),
            timings={
                step: round(value, 2) for step, value in {**timings.milliseconds(), **spent, "total": total}.items()
            },
        )

    async def _keep(self, store: ObjectStore | None, fetched: Fetched, photo: Photo, timings: Timings) -> None:
        if store is not None:
            with timings.step("store_photo"):
                await keep(store, fetched, photo)

    async def _look(self, photo: Photo) -> tuple[FaceReport, dict[str, float]]:
        started = perf_counter()
        result = await self._infer(photo.pixels)
        if isinstance(result.outcome, Rejected):
            raise result.outcome
        elapsed = (perf_counter() - started) * 1000
        batch = max(0.0, elapsed - sum(result.timings.values()))
        return result.outcome, {"batch": batch, **result.timings}

    async def _depict(
        self, store: ObjectStore | None, photo: Photo, report: FaceReport, upload_id: str, timings: Timings
    ) -> tuple[SkinReport, dict[MeasureName, str]]:
        """Measure the skin and draw all pictures, each as soon as it can be; once drawn it is off to the store.

        Whatever fails meanwhile, what was stored belongs to the upload, and the next attempt writes it anew.
        """
        drawing: list[asyncio.Task[None]] = []
        storing: list[asyncio.Task[None]] = []
        mask_keys: dict[MeasureName, str] = {}
        loop = asyncio.get_running_loop()

        async def depicted(step: str, key: str, draw: Callable[[], bytes]) -> None:
            picture = await self._timed(timings, step, draw)
            if store is not None:
                storing.append(asyncio.create_task(store.put(key, picture, _PICTURE_CONTENT_TYPE)))

        def begin(step: str, key: str, draw: Callable[[], bytes]) -> None:
            drawing.append(asyncio.create_task(depicted(step, key, draw)))

        def taken(measure: SkinMeasure) -> None:
            # in the thread that measures the skin
            if measure.evidence:
                key = mask_keys[measure.name] = mask_key(upload_id, measure.name)
                loop.call_soon_threadsafe(begin, "masks", key, partial(mask, measure, photo.width, photo.height))

        begin("annotate", annotated_key(upload_id), partial(self._annotate, photo.pixels, report))
        measure_skin = partial(self._measure_skin, photo.pixels, report, taken)
        measuring = asyncio.create_task(self._timed(timings, "skin", measure_skin))
        try:
            with timings.step("depict"):
                await asyncio.wait({measuring})
                await asyncio.gather(*drawing)
            with timings.step("store_pictures"):
                await asyncio.gather(*storing)
        finally:
            # if one fails or the request ends, the others are waited for: nothing is written behind the answer's back
            await asyncio.gather(measuring, return_exceptions=True)
            await asyncio.gather(*drawing, return_exceptions=True)
            await asyncio.gather(*storing, return_exceptions=True)
        return measuring.result(), mask_keys

    async def _timed(self, timings: Timings, step: str, call: Callable[[], Result]) -> Result:
        def timed() -> Result:
            with timings.step(step):
                return call()

        return await self._in_thread(timed)

    async def _in_thread(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
