"""What recommending looks needs: the catalogue and the recommendations (a Transaction has both), and an engine."""

from collections.abc import Sequence
from typing import Protocol

from mien_core.model.face import Tone
from mien_core.model.recommendations import CatalogueProduct, NewRecommendation, Recommendation, RecommendedLook
from mien_core.model.skin import SkinReport


class Products(Protocol):
    """The products table: the catalogue, one for all tenants."""

    async def replace(self, products: Sequence[CatalogueProduct]) -> None:
        """Have these products in the catalogue from now on, and no others. Their ids differ."""

    async def all(self) -> list[CatalogueProduct]:
        """Read the catalogue, by id."""


class Recommendations(Protocol):
    """The recommendations table: one row an upload, which it goes with."""

    async def save(self, recommendation: NewRecommendation) -> None:
        """Save; a second recommendation for the same upload replaces the first."""

    async def get(self, upload_id: str) -> Recommendation | None:
        """Read what was recommended for an upload."""


class LooksEngine(Protocol):
    """Thinks of looks for a face."""

    @property
    def name(self) -> str:
        """What a recommendation says of who made it."""

    @property
    def at_once(self) -> bool:
        """Tell whether it asks nobody and takes no longer than saving what it says.

        Then looks are recommended along with the analysis; else they are a job of their own (decision 27).
        """

    async def recommend(
        self, tone: Tone | None, skin: SkinReport | None, catalogue: Sequence[CatalogueProduct]
    ) -> tuple[RecommendedLook, ...]:
        """Think of looks, the best first. Products are the catalogue's.

        Args:
            tone: None where the photo doesn't show the skin's colour.
            skin: None where it was not measured.
            catalogue: all that may be named.

        Raises:
            Rejected: there is nothing that this engine may recommend.
            Unavailable: whom it asks is away, full or too slow.
        """
