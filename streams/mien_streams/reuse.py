"""The same pixels under the same revision are not computed twice: what was said of them stands under a new upload."""

import asyncio
import logging
import time

import prometheus_client

from mien_core.errors import Missing
from mien_core.model.keys import annotated_key, mask_key
from mien_core.model.platform import Analysis
from mien_core.model.serving import FaceAnswer, FaceRequest
from mien_core.ports.objects import ObjectStore
from mien_streams.serving import FaceAnalysis
from mien_streams.timing import since

logger = logging.getLogger(__name__)

REUSED = prometheus_client.Counter(
    "mien_analyses_reused_total", "Analyses that an earlier one of the same pixels gave."
)


class Reuse:
    """Asks serving, and takes an earlier analysis for the answer where serving says that it would say the same."""

    def __init__(self, serving: FaceAnalysis, object_store: ObjectStore) -> None:
        self._serving = serving
        self._object_store = object_store

    async def analyse(self, request: FaceRequest, earlier: Analysis | None) -> FaceAnswer:
        """Answer a request.

        Args:
            request: as for FaceAnalysis.
            earlier: an analysis of the same pixels that whoever asks may see.

        Raises:
            MienError: as FaceAnalysis.analyse.
            Unavailable: object_store_unavailable.
            ServingFault: a bug in serving.
        """
        if earlier is None or earlier.skin is None or earlier.etag is None:
            return await self._serving.analyse(request)
        answer = await self._serving.analyse_unless(request, earlier.etag)
        if answer is not None:
            return answer
        started = time.monotonic()
        reused = FaceAnswer(
            model_revision=earlier.model_revision,
            etag=earlier.etag,
            report=earlier.report,
            skin=earlier.skin,
            annotated_key=annotated_key(request.upload_id),
            mask_keys={measure: mask_key(request.upload_id, measure) for measure in earlier.mask_keys},
            photo=earlier.photo,
            timings={},
        )
        try:
            await self._copy_pictures(earlier, reused)
        except Missing:
            logger.info("The earlier analysis' pictures are gone, perhaps erased; serving makes them anew")
            return await self._serving.analyse(request)
        REUSED.inc()
        return reused.model_copy(update={"timings": {"copy": since(started)}})

    async def _copy_pictures(self, earlier: Analysis, reused: FaceAnswer) -> None:
        """Give the new upload pictures of its own: whichever of the two is erased, the other one's stay."""
        pairs = [
            (earlier.annotated_key, reused.annotated_key),
            *((earlier.mask_keys[measure], target) for measure, target in reused.mask_keys.items()),
        ]
        await asyncio.gather(*(self._object_store.copy(source, target) for source, target in pairs))
