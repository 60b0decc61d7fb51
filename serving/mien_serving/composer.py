"""The poster composer's shell around Ray Serve.

It wires itself: serving's wiring module loads models, and this process none.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import cv2

from mien_core.adapters.s3 import S3ObjectStore
from mien_core.errors import MienError
from mien_core.model.serving import PosterRequest
from mien_core.settings import S3Settings, ServiceSettings, load
from mien_serving.composing import PosterComposing

_THREADS: Final = 2


class ComposerSettings(ServiceSettings):
    """What a replica reads from the environment."""

    s3: S3Settings = S3Settings()


class PosterComposer:
    """One replica. Errors of the domain are returned, not raised, as FaceRevision does and for its reasons."""

    def __init__(self) -> None:
        # its own threads are as many as it may use; OpenCV would take one a core for each of them
        cv2.setNumThreads(1)
        threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="posters")
        self._composing = PosterComposing(S3ObjectStore(load(ComposerSettings).s3), threads)

    async def compose(self, request: PosterRequest) -> bytes | MienError:
        """The answer as JSON, ready to be sent on, or the error that the caller shall hear."""
        try:
            answer = await self._composing.answer(request)
        except MienError as error:
            return error
        return answer.model_dump_json().encode()
