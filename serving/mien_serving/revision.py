"""A model revision's shell around Ray Serve: its models loaded once, photos looked at in batches."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from mien_core.errors import MienError
from mien_core.model.serving import FaceRequest
from mien_core.model.tryon import TryOnRequest
from mien_serving.batching import Batcher
from mien_serving.wiring import face_analysis, load_engine, try_on

_BATCH: Final = 8
_PICTURE_THREADS: Final = 2
_LOOK_THREADS: Final = 1
_SWITCH_SECONDS: Final = 0.0005


class FaceRevision:
    """One replica of a revision.

    Errors of the domain are returned, not raised: an exception that leaves a replica arrives wrapped, and a wrapped
    error has lost what it means.

    Args:
        artifact_uri: where the revision's artifact is.
        digest: which one it is.
        threads: threads that its models may use.
    """

    def __init__(self, artifact_uri: str, digest: str, threads: int) -> None:
        # A thread in Python code keeps the others waiting for so long; 5 ms, the default, would be most of what a
        # request spends here between its steps.
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._engine = load_engine(artifact_uri, digest, threads)
        # A thread of its own, so that inference never waits behind pictures being decoded.
        self._inference = ThreadPoolExecutor(1, thread_name_prefix="inference")
        infer = Batcher(self._engine.analyse, _BATCH, self._inference)
        self._analysis = face_analysis(digest, infer, _PICTURE_THREADS)
        self._try_on = try_on(digest, infer, _LOOK_THREADS)

    async def ready(self) -> None:
        """Answered as soon as the models are loaded; the router asks it before it calls itself healthy."""

    async def analyse(self, request: FaceRequest) -> bytes | MienError:
        """The answer as JSON, ready to be sent on, or the error that the caller shall hear."""
        try:
            answer = await self._analysis.answer(request)
        except MienError as error:
            return error
        return answer.model_dump_json().encode()

    async def try_on(self, request: TryOnRequest) -> bytes | MienError:
        """Put a look on a photo; the answer is as analyse's."""
        try:
            answer = await self._try_on.answer(request)
        except MienError as error:
            return error
        return answer.model_dump_json().encode()
