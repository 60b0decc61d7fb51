"""What makes posters, as streams sees it: a port, and its adapter over serving's HTTP."""

from typing import Protocol

from mien_core.model.serving import PosterAnswer, PosterRequest
from mien_streams.serving import HttpServing, unavailable

POSTER_PATH = "/v1/poster"


class PosterEngine(Protocol):
    """Makes a poster. Asked again it makes the same one, or another as good, under the same key."""

    async def render(self, request: PosterRequest) -> PosterAnswer:
        """Make a poster and put it, as a PNG, under the request's poster_key.

        Raises:
            Rejected: the photo can't be used, or the design can't be made, with the code that says why.
            Missing: there is no such photo.
            Unavailable: the engine broke off, or was too slow. Where it is away or full this waits instead.
            ServingFault: a bug in it.
        """


class HttpPosterEngine(HttpServing):
    """Meets PosterEngine by the composer in serving."""

    async def render(self, request: PosterRequest) -> PosterAnswer:
        """See PosterEngine."""
        answer = await self.ask(POSTER_PATH, request, PosterAnswer)
        if answer is None:
            raise unavailable("it takes a poster for known that nobody mentioned")
        return answer
