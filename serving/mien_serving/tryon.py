"""One try-on's way through serving: read the kept photo, find its face, put the look on, keep the picture."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from time import perf_counter
from typing import Final, TypeVar

import cv2
import numpy as np

from mien_core.errors import Missing, Rejected
from mien_core.model.face import FaceReport
from mien_core.model.keys import photo_key, tryon_key
from mien_core.model.looks import Preset
from mien_core.model.tryon import TryOnAnswer, TryOnRequest
from mien_core.photo import open_kept_photo
from mien_core.ports.objects import ObjectStore
from mien_serving.analysis import Pixels
from mien_serving.face.engine import FaceResult
from mien_serving.face.timings import Timings

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

CONTENT_TYPE: Final = "image/webp"
# Pixels of the picture's longer side at most: for a screen, and well within what the format can hold.
LONGEST_SIDE: Final = 2048
_QUALITY: Final = 90


class TryOn:
    """Answers requests for a look on one upload's photo; knows neither Ray nor HTTP.

    It may be stopped between any two lines and asked again: the same photo and the same look give the same picture.

    Args:
        revision: what answers carry as model_revision.
        store: where photos lie.
        infer: the face engine on one photo; whoever gives it may batch.
        make_up: puts a look on a photo whose face a report describes.
        threads: where pictures are decoded, made up and encoded.
    """

    def __init__(
        self,
        revision: str,
        store: ObjectStore,
        *,
        infer: Callable[[Pixels], Awaitable[FaceResult]],
        make_up: Callable[[Pixels, FaceReport, Sequence[Preset]], Pixels],
        threads: Executor,
    ) -> None:
        self._revision = revision
        self._store = store
        self._infer = infer
        self._make_up = make_up
        self._threads = threads

    async def answer(self, request: TryOnRequest) -> TryOnAnswer:
        """Put the look on the photo and keep the picture as tryon_key says.

        The answer's timings are milliseconds: fetch, decode, face, paint, store; total is all of it.

        Raises:
            Rejected: mismatched_photo_key, no_face, look_not_supported, and all codes of photo.open_kept_photo.
            Missing: photo_not_found.
            Unavailable: object_store_unavailable.
        """
        if request.photo_key != photo_key(request.upload_id):
            raise Rejected("mismatched_photo_key", "The photo's key is not the one of this upload.")
        timings = Timings()
        started = perf_counter()
        with timings.step("fetch"):
            kept = await self._fetch(request.photo_key)
        with timings.step("decode"):
            photo = await self._in_thread(partial(open_kept_photo, kept))
        with timings.step("face"):
            found = (await self._infer(photo.pixels)).outcome
        if isinstance(found, Rejected):
            raise found
        with timings.step("paint"):
            picture = await self._in_thread(partial(self._picture, photo.pixels, found, request.presets))
        key = tryon_key(request.job_id)
        with timings.step("store"):
            await self._store.put(key, picture, CONTENT_TYPE)
        logger.info("A try-on's picture was written", extra={"key": key, "bytes": len(picture)})
        spent = {**timings.milliseconds(), "total": (perf_counter() - started) * 1000}
        return TryOnAnswer(
            model_revision=self._revision,
            output_key=key,
            timings={step: round(value, 2) for step, value in spent.items()},
        )

    async def _fetch(self, key: str) -> bytes:
        try:
            return await self._store.get(key)
        except Missing:
            raise Missing(
                "photo_not_found", "There is no photo for this upload; it was never sent, or has expired."
            ) from None

    def _picture(self, photo: Pixels, report: FaceReport, presets: Sequence[Preset]) -> bytes:
        return webp_of(self._make_up(fitted(photo), report, presets))

    async def _in_thread(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


def fitted(photo: Pixels) -> Pixels:
    """The photo (H x W x 3) itself, or averaged down until its longer side has LONGEST_SIDE pixels."""
    height, width = photo.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return photo
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def webp_of(picture: Pixels) -> bytes:
    """The picture (H x W x 3, sRGB) as a WebP without metadata."""
    options = [cv2.IMWRITE_WEBP_QUALITY, _QUALITY]
    return cv2.imencode(".webp", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)[1].tobytes()
