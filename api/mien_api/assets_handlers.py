"""Where the overlays for AR are. No HTTP in here."""

from collections.abc import Sequence
from dataclasses import dataclass

from mien_core.errors import Missing
from mien_core.model.keys import asset_key
from mien_core.model.overlays import OVERLAYS, Overlay
from mien_core.ports.objects import ObjectStore


@dataclass(frozen=True)
class AssetHandlers:
    """The endpoints' handlers; expires is how many seconds an overlay may be fetched for."""

    object_store: ObjectStore
    expires: int

    async def overlays(self, category: str | None) -> Sequence[tuple[Overlay, str]]:
        """All overlays, or those of a category, each with a presigned URL of its picture.

        Raises:
            Missing: category_not_found.
        """
        found = [one for one in OVERLAYS if category in {None, one.category}]
        if not found:
            known = ", ".join(dict.fromkeys(one.category for one in OVERLAYS))
            raise Missing("category_not_found", f"There are no overlays of this category. There are some of {known}.")
        urls = await self.object_store.presign_gets([asset_key(one.asset_id) for one in found], self.expires)
        return list(zip(found, urls, strict=True))
