"""The products and recommendations tables in memory."""

from collections.abc import Sequence

from mien_core.adapters.memory.state import State
from mien_core.model.recommendations import CatalogueProduct, NewRecommendation, Recommendation


class MemoryProducts:
    """Meets ports.recommendations.Products."""

    def __init__(self, state: State) -> None:
        self._products = state.products

    async def replace(self, products: Sequence[CatalogueProduct]) -> None:
        """See ports.recommendations.Products."""
        self._products.clear()
        self._products.update({one.product_id: one for one in products})

    async def all(self) -> list[CatalogueProduct]:
        """See ports.recommendations.Products."""
        return [self._products[product_id] for product_id in sorted(self._products)]


class MemoryRecommendations:
    """Meets ports.recommendations.Recommendations."""

    def __init__(self, state: State) -> None:
        self._recommendations = state.recommendations

    async def save(self, recommendation: NewRecommendation) -> None:
        """See ports.recommendations.Recommendations."""
        self._recommendations[recommendation.upload_id] = recommendation

    async def get(self, upload_id: str) -> Recommendation | None:
        """See ports.recommendations.Recommendations."""
        saved = self._recommendations.get(upload_id)
        return saved.recommendation if saved else None
