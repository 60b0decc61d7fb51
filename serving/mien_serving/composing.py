"""One poster's way through serving: its photo, if it has one, the picture, and where that is put."""

import asyncio
from concurrent.futures import Executor
from functools import partial
from time import perf_counter

from mien_core.errors import Rejected
from mien_core.model.keys import poster_key
from mien_core.model.serving import PosterAnswer, PosterRequest
from mien_core.photo import Photo
from mien_core.ports.objects import ObjectStore
from mien_serving.face.timings import Timings
from mien_serving.photos import fetch, keep
from mien_serving.poster.compose import ENGINE, Order, as_png, compose

_CONTENT_TYPE = "image/png"


class PosterComposing:
    """Makes posters; knows neither Ray nor HTTP. It may be stopped anywhere and asked again: the poster is the same.

    Args:
        store: where photos lie and posters are put.
        threads: where pictures are decoded, composed and encoded.
    """

    def __init__(self, store: ObjectStore, threads: Executor) -> None:
        self._store = store
        self._threads = threads

    async def answer(self, request: PosterRequest) -> PosterAnswer:
        """Make a poster and put it.

        Raises:
            Rejected: mismatched_poster_key, and all codes of mien_core.photo.open_photo.
            Missing: photo_not_found.
            Unavailable: object_store_unavailable.
        """
        if request.poster_key != poster_key(request.job_id):
            raise Rejected("mismatched_poster_key", "The poster's key is not the one of this job.")
        timings, started = Timings(), perf_counter()
        photo = None if request.upload_id is None else await self._photo(request.upload_id, timings)
        loop = asyncio.get_running_loop()
        with timings.step("compose"):
            pixels = photo.pixels if photo else None
            picture = await loop.run_in_executor(self._threads, partial(compose, _order(request), pixels))
        with timings.step("encode"):
            png = await loop.run_in_executor(self._threads, as_png, picture)
        with timings.step("store_poster"):
            await self._store.put(request.poster_key, png, _CONTENT_TYPE)
        total = (perf_counter() - started) * 1000
        return PosterAnswer(
            poster_key=request.poster_key,
            engine=ENGINE,
            width=picture.shape[1],
            height=picture.shape[0],
            timings={step: round(value, 2) for step, value in {**timings.milliseconds(), "total": total}.items()},
        )

    async def _photo(self, upload_id: str, timings: Timings) -> Photo:
        with timings.step("fetch"):
            fetched = await fetch(self._store, upload_id)
        with timings.step("decode"):
            photo = await asyncio.get_running_loop().run_in_executor(self._threads, fetched.open)
        with timings.step("store_photo"):
            await keep(self._store, fetched, photo)
        return photo


def _order(request: PosterRequest) -> Order:
    return Order(request.title, request.prompt, request.genre, request.style, request.aspect)
