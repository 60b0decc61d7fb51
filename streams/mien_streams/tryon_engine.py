"""Who puts looks on photos: a port, and its adapter over serving's HTTP. Another engine is another adapter."""

from typing import Final, Protocol

from mien_core.model.tryon import TryOnAnswer, TryOnRequest
from mien_streams.serving import HttpServing, unavailable

TRYON_PATH: Final = "/v1/tryon"


class TryOnEngine(Protocol):
    """Renders a look onto a photo."""

    async def render(self, request: TryOnRequest) -> TryOnAnswer:
        """Put the look on the photo and write the picture to model.keys.tryon_key of the job, as a WebP.

        The same request twice leaves the same picture.

        Raises:
            Rejected: there is no picture and never will be (no_face, look_not_supported, ...).
            Missing: there is no such photo.
            Unavailable: the engine broke off, or was too slow. Where it is away or full this waits instead.
            ServingFault: a bug in the engine.
        """


class HttpTryOnEngine(HttpServing):
    """Meets TryOnEngine by the make-up library in serving."""

    async def render(self, request: TryOnRequest) -> TryOnAnswer:
        """See TryOnEngine."""
        answer = await self.ask(TRYON_PATH, request, TryOnAnswer)
        if answer is None:
            raise unavailable("it takes a picture for known that nobody mentioned")
        return answer
