"""Recommending looks: an engine over the catalogue, wherever it is done, and what is saved of it."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from mien_core import telemetry
from mien_core.errors import Unavailable
from mien_core.events import Event, looks_recommended, to_record
from mien_core.model.face import Tone
from mien_core.model.platform import Job, Upload
from mien_core.model.recommendations import CatalogueProduct, NewRecommendation, Recommendation, RecommendedLook
from mien_core.model.skin import SkinReport
from mien_core.ports.database import Database, Transaction
from mien_core.ports.recommendations import LooksEngine
from mien_core.rules.looks import recommend

logger = logging.getLogger(__name__)

# How long the catalogue is believed: another one is in use everywhere after this.
CATALOGUE_SECONDS: Final = 60.0
NEVER: Final = float("-inf")


class Ranker:
    """Meets LooksEngine by rules alone."""

    name = "ranker"
    at_once = True

    async def recommend(
        self, tone: Tone | None, skin: SkinReport | None, catalogue: Sequence[CatalogueProduct]
    ) -> tuple[RecommendedLook, ...]:
        """See LooksEngine."""
        return recommend(tone, skin, catalogue)


class Recommending:
    """Recommends looks with an engine. One a process: it remembers the catalogue for a while.

    Args:
        database: where the catalogue is.
        engine: thinks of the looks.
        clock: seconds that only grow.
    """

    def __init__(self, database: Database, engine: LooksEngine, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._engine = engine
        self._clock = clock
        self._catalogue: Sequence[CatalogueProduct] = ()
        self._believed_until = NEVER

    @property
    def at_once(self) -> bool:
        """As LooksEngine.at_once."""
        return self._engine.at_once

    async def recommend(self, tone: Tone | None, skin: SkinReport | None) -> Recommendation:
        """Recommend looks for a face.

        Raises:
            Rejected, Unavailable: as LooksEngine.recommend, or the catalogue can't be read.
        """
        looks = await self._engine.recommend(tone, skin, await self._products())
        return Recommendation(engine=self._engine.name, looks=looks)

    async def _products(self) -> Sequence[CatalogueProduct]:
        now = self._clock()
        if now < self._believed_until:
            return self._catalogue
        try:
            async with self._database.reading() as reading:
                self._catalogue = await reading.products.all()
        except Unavailable:
            if self._believed_until == NEVER:
                raise
            logger.warning("The catalogue can't be read; the one from before still counts")
        self._believed_until = now + CATALOGUE_SECONDS
        return self._catalogue


async def save_looks(
    transaction: Transaction, job: Job, photo: Upload, recommendation: Recommendation, cause: Event
) -> None:
    """Save what a job recommends for a photo, and say so once this transaction has committed."""
    await transaction.recommendations.save(
        NewRecommendation(photo.id, job.id, photo.tenant, photo.user_id, recommendation)
    )
    event = looks_recommended(cause, recommendation.engine, telemetry.current_traceparent())
    await transaction.outbox.add(to_record(event))
